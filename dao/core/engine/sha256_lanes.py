"""Compiled loops that hash sixteen messages at a time, each in a lane of 512-bit vectors (SHA-256, FIPS 180-4).

Each step of a hash waits for the one before, whatever a processor has for it; sixteen hashes side by side do not wait for one
another, and take less than half as long. ImportError where the processor has no such vectors.
"""

from bisect import bisect_right
from hashlib import sha256
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from dao.core.engine.backend import LANES
from dao.core.engine.numba_kernels import Bytes, Sums, kernel, read_only, writable

if not binding.get_host_cpu_features().get("avx512bw"):
    raise ImportError("this processor has no vectors of 512 bits")

BLOCK = 64  # bytes of a message that are hashed at a time

_PRIMES = [number for number in range(2, 312) if all(number % divisor for divisor in range(2, number))]
_ROUNDS = len(_PRIMES)  # 64
_INT = ir.IntType(32)
_WORDS = ir.VectorType(_INT, LANES)


def _fraction(number: int, degree: int) -> int:
    """Return the first 32 bits behind the point of a root of a number."""
    return (bisect_right(range(1 << 40), number << 32 * degree, key=lambda x: x**degree) - 1) % (1 << 32)


_FIRST = [_fraction(prime, 2) for prime in _PRIMES[:8]]
_ADDED = [_fraction(prime, 3) for prime in _PRIMES]


class _Lanes:
    """Instructions on vectors that have a word of each message."""

    def __init__(self, builder: Any) -> None:
        self._build = builder
        self._shift, self._turn = (
            cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
                builder.module, ir.FunctionType(_WORDS, [_WORDS] * count), f"llvm.{name}.v{LANES}i32"
            )
            for name, count in (("fshr", 3), ("bswap", 1))
        )

    def constant(self, word: int) -> Any:
        return ir.Constant(_WORDS, [word] * LANES)

    def sum(self, first: Any, *others: Any) -> Any:
        for other in others:
            first = self._build.add(first, other)
        return first

    def mix(self, word: Any, *turns: int, shift: int = 0) -> Any:
        """Combine a word turned to the right by several numbers of bits, and shifted."""
        turned = [self._build.call(self._shift, [word, word, self.constant(turn)]) for turn in turns]
        mixed = self._build.xor(turned[0], turned[1])
        last = self._build.lshr(word, self.constant(shift)) if shift else turned[2]
        return self._build.xor(mixed, last)

    def choose(self, e: Any, f: Any, g: Any) -> Any:
        return self._build.xor(g, self._build.and_(e, self._build.xor(f, g)))

    def majority(self, a: Any, b: Any, c: Any) -> Any:
        build = self._build
        return build.or_(build.and_(a, b), build.and_(c, build.or_(a, b)))

    def load(self, rows: Any, offset: Any, are_sums: Any) -> list[Any]:
        """Load a block of every message and return its words, the first of each and so on.

        Sums stand as the machine has them, bytes as they are hashed.
        """
        build, loaded = self._build, []
        for lane in range(LANES):
            at = build.add(build.load(build.gep(rows, [_INT(lane)])), offset)
            block = build.load(build.inttoptr(at, _WORDS.as_pointer()))
            block.align = 1
            loaded.append(block)
        width = LANES // 2
        while width:  # exchange ever smaller squares of a matrix, and it is turned over
            for i in range(LANES):
                if not i & width:
                    pair = loaded[i], loaded[i + width]
                    upper = [k if not k & width else LANES + k - width for k in range(LANES)]
                    lower = [k + width if not k & width else LANES + k for k in range(LANES)]
                    for place, picked in ((i, upper), (i + width, lower)):
                        words = ir.Constant(ir.VectorType(_INT, LANES), picked)
                        loaded[place] = build.shuffle_vector(*pair, words)
            width //= 2
        turned = [build.call(self._turn, [words]) for words in loaded]
        return [build.select(are_sums, loaded[i ^ 1], turned[i]) for i in range(LANES)]

    def compress(self, state: list[Any], words: list[Any]) -> list[Any]:
        """Return the state after a block of 16 words."""
        a, b, c, d, e, f, g, h = state
        for i in range(_ROUNDS):
            word = words[i % 16]
            if i >= 16:
                early, late = words[(i + 1) % 16], words[(i + 14) % 16]
                mixed = self.mix(early, 7, 18, shift=3), self.mix(late, 17, 19, shift=10)
                word = words[i % 16] = self.sum(word, words[(i + 9) % 16], *mixed)
            added = self.sum(word, self.constant(_ADDED[i]), h)
            added = self.sum(added, self.mix(e, 6, 11, 25), self.choose(e, f, g))
            turned = self.sum(added, self.mix(a, 2, 13, 22), self.majority(a, b, c))
            a, b, c, d, e, f, g, h = turned, a, b, c, self.sum(d, added), e, f, g
        return [self.sum(*pair) for pair in zip(state, (a, b, c, d, e, f, g, h), strict=True)]


def _describe(_context: Any, _state: Any, _at: Any, _offset: Any, _are_sums: Any) -> Any:
    """Describe the function that takes another block of each message into their states, to the compiler."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        lanes = _Lanes(builder)
        state = builder.inttoptr(arguments[0], _WORDS.as_pointer())
        rows = builder.inttoptr(arguments[1], ir.IntType(64).as_pointer())
        places = [builder.gep(state, [_INT(i)]) for i in range(8)]
        before = [builder.load(place) for place in places]
        for word in before:
            word.align = 4
        words = lanes.load(rows, arguments[2], arguments[3])
        for word, place in zip(lanes.compress(before, words), places, strict=True):
            builder.store(word, place).align = 4
        return context.get_dummy_value()

    return types.void(types.uintp, types.uintp, types.uintp, types.boolean), generate


# It takes addresses: of the states, and of the addresses where messages begin. What only its address is used of is freed at once
# in compiled code: all memory belongs to the callers.
_compress: Any = intrinsic(_describe)


@kernel(*[types.uintp] * 2, *[types.int64] * 2, types.boolean)
def _absorb(state: int, at: int, begin: int, end: int, are_sums: bool) -> None:
    """Take the messages that begin at the addresses `at` into their states, from one byte to another."""
    for offset in range(begin, end, BLOCK):
        _compress(state, at, offset, are_sums)


@kernel(read_only(types.uint8), types.int64, types.int64, writable(types.uint8), writable(types.uint64, 1))
def _lay_out(rows: Bytes, start: int, whole: int, ends: Bytes, at: NDArray[np.uint64]) -> None:
    """Write where the rows from `start` begin, then where their ends do, and the bytes behind the last whole block there."""
    for lane in range(LANES):
        row = min(start + lane, rows.shape[0] - 1)  # some hash the last row too, where no other is left
        at[lane] = rows.ctypes.data + row * rows.shape[1]
        at[LANES + lane] = ends.ctypes.data + lane * ends.shape[1]
        for i in range(whole, rows.shape[1]):
            ends[lane, i - whole] = rows[row, i]


@kernel(read_only(types.uint32), types.int64, writable(types.uint8))
def _write_digests(state: NDArray[np.uint32], start: int, out: Bytes) -> None:
    for lane in range(min(LANES, out.shape[0] - start)):
        for i in range(32):
            out[start + lane, i] = np.uint8(state[i // 4, lane] >> np.uint32(24 - 8 * (i % 4)))


@kernel(
    *(read_only(types.uint8), types.boolean, writable(types.uint8), writable(types.uint8)),
    *(read_only(types.uint32), writable(types.uint32), writable(types.uint64, 1)),
)
def _hash(
    rows: Bytes,
    are_sums: bool,
    out: Bytes,
    ends: Bytes,
    first: NDArray[np.uint32],
    state: NDArray[np.uint32],
    at: NDArray[np.uint64],
) -> None:
    """Hash `rows`, (n, size), of which (LANES, 64 or 128) `ends` have what is behind the last whole block."""
    whole = rows.shape[1] - rows.shape[1] % BLOCK
    for start in range(0, rows.shape[0], LANES):
        _lay_out(rows, start, whole, ends, at)
        state[:] = first
        _absorb(state.ctypes.data, at.ctypes.data, 0, whole, are_sums)
        _absorb(state.ctypes.data, at.ctypes.data + 8 * LANES, 0, ends.shape[1], False)
        _write_digests(state, start, out)


def _make_end(size: int) -> NDArray[np.uint8]:
    """Return what follows the last whole block of a message of so many bytes, its rest left open."""
    rest = size % BLOCK
    end = np.zeros(BLOCK if rest + 9 <= BLOCK else 2 * BLOCK, np.uint8)
    end[rest] = 0x80
    end[-8:] = np.frombuffer((8 * size).to_bytes(8, "big"), np.uint8)
    return end


def _new_state() -> NDArray[np.uint32]:
    """Return the states of messages of which nothing was taken, (8, LANES)."""
    return np.repeat(np.array(_FIRST, np.uint32)[:, np.newaxis], LANES, axis=1)


def _hash_all(rows: Bytes, are_sums: bool, out: Bytes) -> None:
    ends = np.tile(_make_end(rows.shape[1]), (LANES, 1))
    first = _new_state()
    _hash(rows, are_sums, out, ends, first, first.copy(), np.empty(2 * LANES, np.uint64))


def hash_rows(rows: Bytes, out: Bytes) -> None:
    """Write each row's sha256 into `out`, (n, 32)."""
    _hash_all(rows, False, out)


def hash_sums(total: Sums, out: Bytes) -> None:
    """Write the sha256 of each row as big-endian integers into `out`, (n, 32); a row fills whole blocks."""
    _hash_all(total.view(np.uint8), True, out)


class LaneHasher:
    """As `dao.core.engine.backend.PieceHasher`."""

    def __init__(self) -> None:
        self._state, self._size = _new_state(), 0

    def update(self, pieces: Bytes) -> None:
        count = pieces.shape[1]
        at = pieces.ctypes.data + np.arange(LANES, dtype=np.uint64) * np.uint64(count)
        _absorb(self._state.ctypes.data, at.ctypes.data, 0, count, False)
        self._size += count

    def finish(self) -> list[bytes]:
        self.update(np.tile(_make_end(self._size), (LANES, 1)))
        return [lane.astype(">u4").tobytes() for lane in self._state.T]


def _check() -> None:
    """ImportError where what is compiled is wrong."""
    rows = np.arange(5 * 187, dtype=np.uint16).astype(np.uint8).reshape(5, 187)
    found = np.empty((5, 32), np.uint8)
    hash_rows(rows, found)
    if found.tobytes() != b"".join(sha256(row.tobytes()).digest() for row in rows):
        raise ImportError("SHA-256 in lanes: it gives other digests than hashlib")


_check()
