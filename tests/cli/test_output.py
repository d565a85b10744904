"""Amounts as people write them, exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.cli.output import amount, tokens
from dao.core.errors import ConfigError


@given(st.integers(0, 10**40))
def test_amount__any_wei__reads_back_exactly(wei: int) -> None:
    assert tokens(amount(wei), "stake") == wei


def test_amount__below_zero__has_its_sign() -> None:
    assert amount(-1500000000000000000) == "-1.5"


@pytest.mark.parametrize(
    "text", ["", "-1", "1e3", "1.", ".5", "1_0", "NaN", "٣", "0." + "0" * 18 + "1", "1 "]
)
def test_tokens__anything_but_a_plain_amount__named_and_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--stake: expected an amount"):
        tokens(text, "--stake")
