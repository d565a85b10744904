"""Places of leaves as people write them."""

import pytest

from dao.errors import RuleError
from dao.proofs.leaf_places import parse_place


@pytest.mark.parametrize("text", ["rows:3", "update:0:17", "row-score-totals:2:1", "medians", "used-shards"])
def test_parse_place__as_written__comes_back(text: str) -> None:
    assert str(parse_place(text)) == text


@pytest.mark.parametrize("text", ["row:3", "rows", "rows:-1", "rows:1:2", "update:3", "medians:0", "rows:x"])
def test_parse_place__anything_else__says_what_there_is(text: str) -> None:
    with pytest.raises(RuleError, match=r"--demand .*expected"):
        parse_place(text)
