"""What the token is called: read from the chain once, and kept in a file for when the chain is away."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from dao.chain.client import Chain
from dao.chain.interface import load

_LONGEST = 64  # characters


@dataclass(frozen=True, slots=True)
class Names:
    """The token's name and its sign."""

    name: str
    symbol: str


async def read_names(chain: Chain) -> Names:
    """Read them from the chain; ChainError when its node is away."""
    functions, token = load("DaoToken").functions, chain.deployment.token
    found = [(await chain.call(token, functions[name], at=chain.head()))[0] for name in ("name", "symbol")]
    return Names(*(str(text)[:_LONGEST] for text in found))


def keep_names(file: Path, token: bytes, names: Names) -> None:
    """Write the file."""
    file.write_text(json.dumps({"token": token.hex(), **asdict(names)}) + "\n", encoding="utf-8")


def kept_names(file: Path, token: bytes) -> Names | None:
    """What the file says; None where there is none, or another token's."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return Names(str(found["name"]), str(found["symbol"])) if found["token"] == token.hex() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
