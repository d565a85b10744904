"""Openings lead to the tree's root, from the leaf that they name alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core.engine.merkle import compute_root, verify
from dao.errors import RuleError
from dao.proofs.openings import compute_siblings, encode_place, hash_rows, open_row, view_rows

DEPTH = 5


def split(siblings: bytes) -> list[bytes]:
    return [siblings[at : at + 32] for at in range(0, len(siblings), 32)]


@given(st.integers(1, 32), st.integers(1, 40), st.data())
def test_open_row__every_row__leads_to_the_root(count: int, size: int, data: st.DataObject) -> None:
    rows = np.frombuffer(data.draw(st.binary(min_size=count * size, max_size=count * size)), np.uint8)
    rows = rows.reshape(count, size)
    index = data.draw(st.integers(0, count - 1))
    opened = open_row(rows, index, DEPTH)
    root = compute_root(hash_rows(rows), DEPTH)
    assert opened[:size] == rows[index].tobytes()
    assert verify(root, opened[:size], index, split(opened[size:]), DEPTH)


@given(st.integers(0, 31), st.integers(0, 31))
def test_siblings__an_absent_leaf__leads_to_the_root_of_one_that_is_zero(count: int, index: int) -> None:
    hashes = b"".join(bytes([leaf + 1]) * 32 for leaf in range(count))
    node = hashes[32 * index : 32 * index + 32] or bytes(32)
    for height, sibling in enumerate(split(compute_siblings(hashes, index, DEPTH))):
        pair = sibling + node if index >> height & 1 else node + sibling
        node = hash_rows(np.frombuffer(pair, np.uint8).reshape(1, 64))
    assert node == compute_root(hashes, DEPTH)


def test_openings__no_such_leaf__refused() -> None:
    rows = np.zeros((3, 4), np.uint8)
    for index in (-1, 3):
        with pytest.raises(RuleError, match=f"chunk {index}: expected one of 3"):
            open_row(rows, index, DEPTH)
    for index in (-1, 32):
        with pytest.raises(RuleError, match=f"leaf {index}: expected one of a tree of depth 5"):
            compute_siblings(b"", index, DEPTH)


def test_place__chunk_and_value__five_bytes() -> None:
    assert encode_place(258, 255) == bytes([0, 0, 1, 2, 255])


def test_view_rows__numbers__bytes_of_their_type() -> None:
    assert view_rows(np.array([[1, -1]]), ">i8").tobytes() == bytes([0] * 7 + [1] + [255] * 8)
    assert view_rows(np.array([[1.0]], np.float32), "<f4").tobytes() == bytes([0, 0, 0x80, 0x3F])
