"""Reads what an Anvil has saved of its state."""

import json
from pathlib import Path

from dao.chain.signer import Signer
from dao.core.types import hex_of


def read_saved_nonce(state: Path, signer: Signer) -> int | None:
    """The signer's nonce in a file of Anvil's state; None while that is not there or half written."""
    try:
        account = json.loads(state.read_bytes())["accounts"][hex_of(signer.address)]
    except (FileNotFoundError, json.JSONDecodeError, KeyError):
        return None
    nonce = account["nonce"]
    return int(nonce, 16) if isinstance(nonce, str) else int(nonce)
