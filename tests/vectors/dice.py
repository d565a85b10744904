"""Chance for vectors: the same numbers on every machine and with every release."""

from collections.abc import Iterator
from hashlib import sha256

from dao.core.types import Address, Digest


class Dice:
    """Numbers that are the same on every machine and release: sha256 of a name and a counter."""

    def __init__(self, name: str) -> None:
        self._blocks: Iterator[bytes] = (sha256(f"{name} {i}".encode()).digest() for i in range(2**32))

    def digest(self) -> Digest:
        return Digest(next(self._blocks))

    def address(self) -> Address:
        return Address(next(self._blocks)[:20])

    def below(self, stop: int) -> int:
        return int.from_bytes(next(self._blocks), "big") % stop

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)
