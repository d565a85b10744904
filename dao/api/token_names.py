"""The token's name and symbol: read from the chain once, and saved to a file for when its node is away."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from dao.chain.client import Chain
from dao.chain.interface import load

_LONGEST = 64  # characters


@dataclass(frozen=True, slots=True)
class TokenNames:
    """The token's name and symbol."""

    name: str
    symbol: str


async def read_names(chain: Chain) -> TokenNames:
    """Read the names from the chain; ChainError where its node is away."""
    functions, token = load("DaoToken").functions, chain.deployment.token
    texts = [(await chain.call(token, functions[name], at=chain.head()))[0] for name in ("name", "symbol")]
    return TokenNames(*(str(text)[:_LONGEST] for text in texts))


def save_names(file: Path, token: bytes, names: TokenNames) -> None:
    """Save the names to a file."""
    file.write_text(json.dumps({"token": token.hex(), **asdict(names)}) + "\n", encoding="utf-8")


def load_names(file: Path, token: bytes) -> TokenNames | None:
    """Load the names from a file; None where there is none, or another token's."""
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        return TokenNames(str(saved["name"]), str(saved["symbol"])) if saved["token"] == token.hex() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
