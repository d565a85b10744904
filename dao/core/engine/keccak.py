"""keccak-256, which hashlib does not have: the only place that imports the library for it."""

from eth_hash.backends.pycryptodome import keccak256 as _keccak256

from dao.core.types import Digest


def keccak256(data: bytes) -> Digest:
    """Hash `data` as Ethereum does."""
    return Digest(_keccak256(data))
