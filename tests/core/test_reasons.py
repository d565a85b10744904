"""The sentences an operator reads, as it reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core.formats import reasons
from dao.core.types import MicroScore, Status, Wei


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0"),
        (1, "0.000001"),
        (-312, "-0.000312"),
        (1000, "0.001"),
        (2_000_000, "2"),
        (-1_500_000, "-1.5"),
        (10**7, "10"),
    ],
)
def test_decimal__millionths__as_people_write_them(micros: int, text: str) -> None:
    assert reasons.format_millionths(micros) == text


@given(st.integers(-(2**63), 2**63))
def test_decimal__any__reads_back(micros: int) -> None:
    text = reasons.format_millionths(micros)
    whole, _, part = text.lstrip("-").partition(".")
    assert (-1 if text[0] == "-" else 1) * (int(whole) * 10**6 + int(part.ljust(6, "0"))) == micros


def test_weighed__gated__says_how_far_off() -> None:
    assert reasons.explain_weight(Status.GATED, 10, 0, 1000, 1000, 32_000) == (
        "your update did not point where the validation data points: cosine 0.001, needed more than 0.032; "
        "an update without real training looks like this"
    )
    remembered = reasons.explain_weight(Status.GATED, 10, 0, 1000, -4000, 32_000)
    assert "cosine 0.001, -0.004 with earlier rounds, needed more than 0.032" in remembered


def test_weighed__counted__says_how_much() -> None:
    assert reasons.explain_weight(Status.OK, 10, 10, 0, 0, 0) == "your update counted in full"
    assert reasons.explain_weight(Status.CLIPPED, 3, 2, 0, 0, 0).endswith("counted 66.66% of its weight")
    assert "too small a part" in reasons.explain_weight(Status.OK, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (Status.LATE, "not there whole when the reveal period ended"),
        (Status.WITHHELD, "not revealed, neither to the Superlink nor on chain"),
        (Status.UNAVAILABLE, "no source had its content; keep it pinned"),
        (Status.INVALID, "your update is not valid: tensor fc.bias: expected 10 values"),
    ],
)
def test_failed__each_status__says_why(status: Status, text: str) -> None:
    assert text in reasons.explain_failure(status, "tensor fc.bias: expected 10 values")


def test_ineligible__stake__says_how_much_is_asked() -> None:
    assert "stake was 5 wei when the round opened, the task asks for at least 7" in reasons.explain_stake(
        Wei(5), Wei(7)
    )


@pytest.mark.parametrize(
    ("score", "share", "owed", "debt", "reward", "text"),
    [
        (3120, 3120, 0, 0, 5, "you earned your part of the budget for a score of 0.00312"),
        (3000, 1000, 2000, 0, 5, "for a score of 0.003 after 0.002 of it paid off your debt"),
        (3000, 1000, 2000, 0, 0, "your share of 0.001 is worth less than 1 wei of the round's budget"),
        (1000, 0, 3000, 2000, 0, "score of 0.001 paid off debt, 0.002 of it is left to pay off first"),
        (3000, 0, 3000, 0, 0, "score of 0.003 paid off the last of your debt; the next one earns"),
        (-312, 0, 688, 1000, 0, "score of -0.000312 is a debt, now 0.001, that later scores pay off first"),
        (0, 0, 0, 0, 0, "you earned nothing because the score was not positive"),
    ],
)
def test_earned__each_case__says_why(
    score: int, share: int, owed: int, debt: int, reward: int, text: str
) -> None:
    sentence = reasons.explain_pay(
        MicroScore(score), MicroScore(share), MicroScore(owed), MicroScore(debt), Wei(reward)
    )
    assert text in sentence
