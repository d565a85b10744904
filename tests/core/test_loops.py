"""The compiled loops where something that they like to have is missing."""

from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
from numba import types

from dao.core.engine import numba_backend
from dao.core.engine.backend import LANES
from dao.core.engine.chunking import Scratch
from dao.core.engine.codec_loops import CODEC_LOOPS
from dao.core.engine.numba_backend import COMPILED, INT8
from dao.core.engine.numba_kernels import kernel, read_only
from dao.core.engine.reference import PLAIN
from dao.core.types import Codec

ROWS = np.arange(5 * 260, dtype=np.uint16).astype(np.uint8).reshape(5, 260)
TOTAL = np.arange(-512, 512, dtype=np.int64).reshape(4, 256) * 10**15


def find_hashers() -> Iterator[ModuleType]:
    """What hashes rows on this processor, the fastest first."""
    for name in ("sha256_lanes", "openssl_sha256"):
        with suppress(ImportError):
            yield import_module(f"dao.core.engine.{name}")


HASHERS = list(find_hashers())


@pytest.mark.parametrize("hasher", HASHERS)
@pytest.mark.parametrize("size", [1, 55, 56, 63, 64, 119, 120, 260, 513, 1024])
@pytest.mark.parametrize("count", [0, 1, 15, 16, 33])
def test_hash_rows__compiled__those_of_hashlib(hasher: ModuleType, size: int, count: int) -> None:
    rows = np.random.Generator(np.random.Philox(size)).integers(0, 256, (count, size), np.uint8)
    found = np.empty((count, 32), np.uint8)
    hasher.hash_rows(rows, found)
    assert found.tobytes() == b"".join(sha256(row.tobytes()).digest() for row in rows)


@pytest.mark.parametrize("hasher", HASHERS)
def test_hash_sums__compiled__those_of_hashlib(hasher: ModuleType) -> None:
    sums = [b"".join(int(value).to_bytes(8, "big", signed=True) for value in row) for row in TOTAL]
    found = np.empty((len(TOTAL), 32), np.uint8)
    hasher.hash_sums(TOTAL, found)
    assert found.tobytes() == b"".join(sha256(row).digest() for row in sums)


@pytest.mark.parametrize("hasher", [*HASHERS, None])
def test_hashes__by_whatever_there_is__the_same(
    monkeypatch: pytest.MonkeyPatch, hasher: ModuleType | None
) -> None:
    monkeypatch.setattr(numba_backend, "hashers", hasher)
    assert COMPILED.hash_rows(ROWS) == PLAIN.hash_rows(ROWS)
    assert COMPILED.hash_sums(TOTAL, Scratch()) == PLAIN.hash_sums(TOTAL, Scratch())


def test_hashers__of_this_processor__there_are_some() -> None:
    assert HASHERS[:1] == [numba_backend.hashers]  # the fastest


@pytest.mark.parametrize("pieces", [(64,), (128, 64, 192)])
def test_lane_hasher__pieces__hashes_of_the_whole(pieces: tuple[int, ...]) -> None:
    sha256_lanes = pytest.importorskip("dao.core.engine.sha256_lanes", exc_type=ImportError)
    numbers = np.random.Generator(np.random.Philox(7)).integers(0, 256, (LANES, sum(pieces)), np.uint8)
    hasher = sha256_lanes.LaneHasher()
    for piece in np.split(numbers, np.cumsum(pieces)[:-1], axis=1):
        hasher.update(np.ascontiguousarray(piece))
    assert hasher.finish() == [sha256(message.tobytes()).digest() for message in numbers]


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
