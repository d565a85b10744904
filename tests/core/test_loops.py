"""The compiled loops where something that they like to have is missing."""

from hashlib import sha256

import numpy as np
import pytest
from numba import types

from dao.core.engine import numba_backend
from dao.core.engine.chunking import Scratch
from dao.core.engine.codec_loops import CODEC_LOOPS
from dao.core.engine.numba_backend import COMPILED, INT8
from dao.core.engine.numba_kernels import kernel, read_only
from dao.core.engine.reference import PLAIN
from dao.core.types import Codec

ROWS = np.arange(5 * 260, dtype=np.uint16).astype(np.uint8).reshape(5, 260)
TOTAL = np.arange(-512, 512, dtype=np.int64).reshape(4, 256) * 10**15


def test_hashes__compiled__those_of_hashlib() -> None:
    assert numba_backend.HAS_HASHERS  # where hashlib's libcrypto is not another one
    assert COMPILED.hash_rows(ROWS) == b"".join(sha256(row.tobytes()).digest() for row in ROWS)
    sums = [b"".join(int(value).to_bytes(8, "big", signed=True) for value in row) for row in TOTAL]
    assert COMPILED.hash_sums(TOTAL, Scratch()) == b"".join(sha256(row).digest() for row in sums)


def test_hashes__another_libcrypto__hashlib_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba_backend, "HAS_HASHERS", False)
    assert COMPILED.hash_rows(ROWS) == PLAIN.hash_rows(ROWS)
    assert COMPILED.hash_sums(TOTAL, Scratch()) == PLAIN.hash_sums(TOTAL, Scratch())


def test_kernel__no_folder_to_keep_it_in__compiled_all_the_same() -> None:
    scope: dict[str, object] = {}
    exec("def first(rows):\n    return rows[0, 0]", scope)  # noqa: S102  (code of no file cannot be kept)
    first = scope["first"]
    assert callable(first)
    assert kernel(read_only(types.uint8), result=types.uint8)(first)(ROWS[1:]) == ROWS[1, 0]


@pytest.mark.parametrize("largest", [127 << 31, -127 << 31])
def test_quantise__quotients_beyond_floats__exact(largest: int) -> None:
    total = np.full((1, 256), 3 * largest - 1, np.int64)
    total[0, ::2] //= 5
    plain, found = (np.empty((1, 260), np.uint8) for _ in range(2))
    CODEC_LOOPS[Codec.INT8].quantise(total, 3, plain, Scratch())
    INT8.quantise(total, 3, found, Scratch())
    assert (plain == found).all()
    assert INT8.values(found)[0, 1] == largest
