"""Compiled loops that hash rows, by the functions of the libcrypto that Python's own hashlib is linked to.

hashlib takes a call of the interpreter for every row, under its lock, and that costs six times the hashing. ImportError
where those functions cannot be had.
"""

import _hashlib
import ctypes
import hashlib
from typing import Any

import numpy as np
from llvmlite import binding
from numba import types
from numpy.typing import NDArray

from dao.core.engine.numba_kernels import Bytes, Sums, kernel, read_only, writable

_HASHER = 256  # bytes that hold libcrypto's SHA256_CTX, of 112
_POINTER = types.uintp
_32, _16, _8 = np.uint64(32), np.uint64(16), np.uint64(8)
_HALVES, _BYTES = np.uint64(0x0000FFFF0000FFFF), np.uint64(0x00FF00FF00FF00FF)


def _function(name: str, *arguments: types.Type) -> Any:
    """Make a function of libcrypto known to the compiler, by a name that no other library has."""
    try:
        address = ctypes.cast(getattr(_library, name), ctypes.c_void_p).value
    except AttributeError:
        raise ImportError(f"libcrypto: has no {name}") from None
    binding.add_symbol(f"commonweight_{name}", address)
    return types.ExternalFunction(f"commonweight_{name}", types.int32(*arguments))


try:
    _library = ctypes.CDLL(getattr(_hashlib, "__file__", None))  # where it is built in: this program
except OSError as error:
    raise ImportError(f"libcrypto: {error}") from None
_init = _function("SHA256_Init", _POINTER)
_update = _function("SHA256_Update", _POINTER, _POINTER, types.uintp)
_final = _function("SHA256_Final", _POINTER, _POINTER)


# What only its address is used of is freed at once in compiled code: all memory belongs to the callers.


@kernel(read_only(types.uint8), writable(types.uint8), writable(types.uint8, 1))
def _hash_rows(rows: Bytes, out: Bytes, memory: Bytes) -> None:
    hasher, row, digest = memory.ctypes.data, rows.ctypes.data, out.ctypes.data
    for i in range(rows.shape[0]):
        _init(hasher)
        _update(hasher, row + i * rows.shape[1], rows.shape[1])
        _final(digest + i * 32, hasher)


@kernel(read_only(types.int64), writable(types.uint8), writable(types.uint8, 1), writable(types.uint64, 1))
def _hash_sums(total: Sums, out: Bytes, memory: Bytes, swapped: NDArray[np.uint64]) -> None:
    hasher, row, digest = memory.ctypes.data, swapped.ctypes.data, out.ctypes.data
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            x = np.uint64(total[i, j])
            x = (x >> _32) | (x << _32)
            x = ((x >> _16) & _HALVES) | ((x & _HALVES) << _16)
            swapped[j] = ((x >> _8) & _BYTES) | ((x & _BYTES) << _8)
        _init(hasher)
        _update(hasher, row, 8 * total.shape[1])
        _final(digest + i * 32, hasher)


def hash_rows(rows: Bytes, out: Bytes) -> None:
    """Write each row's sha256 into `out`, (n, 32)."""
    _hash_rows(rows, out, np.empty(_HASHER, np.uint8))


def hash_sums(total: Sums, out: Bytes) -> None:
    """Write the sha256 of each row as big-endian integers into `out`, (n, 32)."""
    _hash_sums(total, out, np.empty(_HASHER, np.uint8), np.empty(total.shape[1], np.uint64))


def _check() -> None:
    """ImportError when what is linked is not what it is called."""
    rows = np.arange(600, dtype=np.uint8).reshape(2, 300)
    found = np.empty((2, 32), np.uint8)
    hash_rows(rows, found)
    if found.tobytes() != b"".join(hashlib.sha256(row.tobytes()).digest() for row in rows):
        raise ImportError("libcrypto: its sha256 gives other digests than hashlib")


_check()
