from pathlib import Path

import pytest

from dao.app.shards import read_shards
from dao.errors import ConfigError


def test_read_shards__two_equal__are_named(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("1,2" if name != "b" else "3,4")
    with pytest.raises(ConfigError, match="a and c are equal; each round needs rows of its own"):
        read_shards(tmp_path)
