"""Rows are dealt once each, the same for a seed, and every contributor has some."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.demo.split import LEAST, Split, deal_rows
from dao.errors import ConfigError


@given(
    codes=st.lists(st.integers(0, 3), min_size=1, max_size=200),
    nodes=st.integers(1, 30),
    skew=st.none() | st.sampled_from([0.001, 0.5, 100.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_deal__any_rows__each_is_dealt_once_and_nobody_goes_without(
    codes: list[int], nodes: int, skew: float | None, seed: int
) -> None:
    labels = np.array(codes, np.int64)
    if nodes > len(codes):
        with pytest.raises(ConfigError, match="expected at most one for each"):
            deal_rows(Split(skew), labels, 4, nodes, seed)
        return
    held = deal_rows(Split(skew), labels, 4, nodes, seed)
    assert np.array_equal(np.sort(np.concatenate(held)), np.arange(len(codes)))
    assert len(held) == nodes
    assert min(map(len, held)) >= min(LEAST, len(codes) // nodes)
    again = deal_rows(Split(skew), labels, 4, nodes, seed)
    assert all(np.array_equal(one, other) for one, other in zip(held, again, strict=True))


def test_deal__dirichlet__mixes_differ_more_the_smaller_its_number() -> None:
    labels = np.arange(4000, dtype=np.int64) % 4

    def spread(split: Split) -> float:
        parts = [
            np.bincount(labels[rows], minlength=4) / len(rows) for rows in deal_rows(split, labels, 4, 10, 1)
        ]
        return float(np.std(parts, axis=0).mean())

    assert spread(Split(None)) < spread(Split(10.0)) < spread(Split(0.1))


@pytest.mark.parametrize(
    "text", ["", "iid:1", "dirichlet", "dirichlet:", "dirichlet:0", "dirichlet:nan", "dirichlet:-1"]
)
def test_split__what_is_none__is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected iid or dirichlet:NUMBER"):
        Split.parse(text)


def test_split__as_people_write_it__is_read() -> None:
    assert Split.parse("iid") == Split(None)
    assert Split.parse("dirichlet:0.5") == Split(0.5)
