"""Array arithmetic against Python's integers and fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core.constants import TOTALS_STEP
from dao.core.engine.exact import Unfit, divide, divide_all, scale
from dao.core.engine.totals import RunningTotals, fill_bins, to_limbs
from tests.core.sample import plain_scale

terms = st.tuples(st.integers(-(2**61), 2**61), st.integers(0, 94))


@given(st.lists(st.tuples(terms, terms), min_size=1, max_size=100))
def test_totals__any_terms__running_sums_of_python(rows: list[tuple[tuple[int, int], ...]]) -> None:
    integers, shifts = (np.array([[term[part] for term in row] for row in rows]) for part in (0, 1))
    totals = RunningTotals.of(to_limbs(fill_bins(integers, shifts)))
    sums = [sum(integer << shift for integer, shift in row) for row in rows]
    reached = [sum(sums[: end + TOTALS_STEP]) for end in range(0, len(sums), TOTALS_STEP)]
    assert [int.from_bytes(word.tobytes(), "big", signed=True) for word in totals.words] == reached
    assert totals.total == sum(sums)


@pytest.mark.parametrize("sign", [1, -1])
def test_totals__the_largest_terms__exact(sign: int) -> None:
    integers = np.full((3000, 4), sign * 2**61)
    totals = RunningTotals.of(to_limbs(fill_bins(integers, np.full((3000, 4), 94, np.uint8))))
    assert totals.total == sign * 12_000 * 2**155


def quotients_of(dividends: list[int], divisor: int) -> list[int]:
    out = np.empty(len(dividends))
    divide_all(np.array(dividends), divisor, out)
    return [int(value) for value in out]


divisors = st.one_of(st.integers(1, 2**20), st.sampled_from([1, 2, 3, 2**20 - 1, 2**20]))


@given(st.lists(st.integers(-(2**58), 2**58), min_size=1), divisors)
def test_quotients__any__rounded_half_to_even(dividends: list[int], divisor: int) -> None:
    dividends = [d % (divisor << 38) - (divisor << 37) for d in dividends]
    assert quotients_of(dividends, divisor) == [round(Fraction(d, divisor)) for d in dividends]


@given(st.lists(st.integers(-(2**51), 2**51), min_size=1), divisors)
def test_quotients__small_ones__rounded_half_to_even(dividends: list[int], divisor: int) -> None:
    dividends = [d % (divisor << 32) - (divisor << 31) + 1 for d in dividends]
    assert quotients_of(dividends, divisor) == [round(Fraction(d, divisor)) for d in dividends]


@given(st.integers(-(2**31) + 1, 2**31 - 2), divisors, st.integers(-2, 2))
def test_quotients__next_to_a_half__rounded_half_to_even(whole: int, divisor: int, near: int) -> None:
    dividend = whole * divisor + divisor // 2 + near
    assert quotients_of([dividend], divisor) == [round(Fraction(dividend, divisor))]


@given(st.integers(), st.integers(min_value=1), st.integers(-2, 2))
def test_quotient__next_to_a_half__rounded_half_to_even(whole: int, divisor: int, near: int) -> None:
    dividend = whole * divisor + divisor // 2 + near
    assert divide(dividend, divisor) == round(Fraction(dividend, divisor))


groups = st.lists(st.lists(st.floats(-(2.0**37), 2.0**37), min_size=4, max_size=4), min_size=1, max_size=4)


@given(groups, st.sampled_from([(7, 31), (15, 47)]))
def test_scale__any_floats__least_exponent_and_half_to_even(
    values: list[list[float]], form: tuple[int, int]
) -> None:
    digits, most = form
    array = np.array(values)
    exponents = scale(array, digits, most)
    for group, integers, exponent in zip(values, array, exponents, strict=True):
        expected = plain_scale([Fraction(value) for value in group], 2**digits - 1, most)
        assert ([int(integer) for integer in integers], exponent) == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("digits", "most"), [(7, 31), (15, 47)])
def test_scale__about_the_largest__the_half_is_too_much(
    dtype: type[np.floating], sign: int, digits: int, most: int
) -> None:
    limit = dtype(2.0**digits - 0.5)
    for exponent in range(most + 1):
        half = limit * dtype(2.0**exponent)
        below = np.array([[0, sign * np.nextafter(half, dtype(0))]], dtype)
        assert scale(below, digits, most) == exponent
        assert below[0, 1] == sign * (2**digits - 1)
        at = np.array([[0, sign * half]], dtype)
        if exponent < most:
            assert scale(at, digits, most) == exponent + 1
            assert at[0, 1] == sign * 2 ** (digits - 1)
        else:
            with pytest.raises(Unfit, match="value 1: expected it finite"):
                scale(at, digits, most)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scale__not_finite__refused_where_it_is(bad: float) -> None:
    values = np.zeros((3, 4))
    values[1, 2] = bad
    with pytest.raises(Unfit) as refused:
        scale(values, 7, 31)
    assert refused.value.index == 6
    assert str(refused.value.value) == str(bad)
