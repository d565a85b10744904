"""The CID of a file whose leaves are hashed at the same time, in threads and in lanes."""

import os
from pathlib import Path

import pytest

from dao.core.constants import CONTENT_LEAF
from dao.errors import Mismatch
from dao.store.cid import cid_of_bytes
from dao.store.hashing import cid_of_file


@pytest.mark.parametrize("leaves", [15, 16, 17, 25, 34])
@pytest.mark.parametrize("has_lanes", [True, False], ids=["lanes", "one-by-one"])
@pytest.mark.parametrize("rest", [0, 17])
def test_cid_of_file__many_leaves__that_of_the_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaves: int, has_lanes: bool, rest: int
) -> None:
    if not has_lanes:
        monkeypatch.setattr("dao.store.hashing.get_lane_hasher", lambda: None)
    data = os.urandom(leaves * CONTENT_LEAF - rest)
    path = tmp_path / "file"
    path.write_bytes(data)
    with path.open("rb") as file:
        assert cid_of_file(file.fileno(), len(data)) == cid_of_bytes(data)
        with pytest.raises(Mismatch, match="shorter"):
            cid_of_file(file.fileno(), len(data) + CONTENT_LEAF)
