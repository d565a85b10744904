"""The loops of `dao.core.engine.reference` and of int8 updates for large models: compiled, without the interpreter's lock.

Where a value is in a compiled loop's way (one that does not fit, mostly), the plain one is run, which says so.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from dao.core.engine import numba_kernels
from dao.core.engine.backend import PieceHasher
from dao.core.engine.chunking import Scratch
from dao.core.engine.codec_base import Rows
from dao.core.engine.codec_loops import Int8Loops
from dao.core.engine.reference import Digits, Exponents, Loops, Sums
from dao.core.engine.totals import Bins, new_bins

hashers: ModuleType | None = None  # that hash rows
for _name in ("sha256_lanes", "openssl_sha256"):  # the faster first
    with suppress(ImportError):  # another processor, or another libcrypto: slower, no less right
        hashers = hashers or import_module(f"dao.core.engine.{_name}")
lane_hasher: Callable[[], PieceHasher] | None = getattr(hashers, "LaneHasher", None)


class CompiledLoops(Loops):
    """As `Loops`."""

    digit = np.int16

    def hash_rows(self, rows: NDArray[np.uint8]) -> bytes:
        if hashers is None:
            return super().hash_rows(rows)
        found = np.empty((len(rows), 32), np.uint8)
        hashers.hash_rows(rows, found)
        return found.tobytes()

    def hash_sums(self, total: Sums, scratch: Scratch) -> bytes:
        if hashers is None:
            return super().hash_sums(total, scratch)
        found = scratch.array("hashes", len(total), np.uint8, 32)
        hashers.hash_sums(total, found)
        return found.tobytes()

    def quantise_floats(self, values: NDArray[np.float32], rows: NDArray[np.uint8], scratch: Scratch) -> None:
        if not numba_kernels.quantise_floats(values, rows):
            super().quantise_floats(values, rows, scratch)

    def read_digits(self, rows: NDArray[np.uint8], digits: Digits, exponents: Exponents) -> None:
        numba_kernels.read_digits(rows, digits, exponents)

    def dot_digits(self, left: Digits, right: Digits, exponents: Exponents) -> Bins:
        bins = new_bins(len(left))
        numba_kernels.dot_digits(left, right, exponents, bins)
        return bins


class CompiledInt8Loops(Int8Loops):
    """As `Int8Codec`."""

    def encode(
        self, before: NDArray[np.float32], after: NDArray[np.float32], rows: Rows, scratch: Scratch
    ) -> None:
        if not numba_kernels.encode(before, after, rows):
            super().encode(before, after, rows, scratch)

    def quantise(self, total: Sums, divisor: int, rows: Rows, scratch: Scratch) -> None:
        if not numba_kernels.quantise(total, divisor, rows):
            super().quantise(total, divisor, rows, scratch)

    def move(self, rows: Rows, base: NDArray[np.float32], scratch: Scratch) -> NDArray[np.floating]:
        moved = scratch.array("moved", len(rows), np.float32)
        numba_kernels.move(rows, base, moved)
        return moved

    def first_bad(self, rows: Rows) -> tuple[int, str] | None:
        return None if numba_kernels.check(rows) else super().first_bad(rows)

    def add(self, rows: Rows, weight: int, total: Sums, scratch: Scratch) -> None:  # noqa: ARG002
        numba_kernels.add(rows, weight, total)

    def dot(self, rows: Rows, digits: Digits, exponents: Exponents, scratch: Scratch) -> Bins:  # noqa: ARG002
        bins = new_bins(len(rows))
        numba_kernels.dot(rows, digits, exponents, bins)
        return bins

    def square(self, rows: Rows, scratch: Scratch) -> Bins:  # noqa: ARG002
        bins = new_bins(len(rows))
        numba_kernels.square(rows, bins)
        return bins


COMPILED = CompiledLoops()
INT8 = CompiledInt8Loops()
