"""What is said to whoever comes too early or too late."""

import pytest

from dao.gov.schedule import Times, explain_refusal, is_too_late

START, END, ETA = 1_764_000_000, 1_764_000_060, 1_764_000_100
FROM_TO = "from 2025-11-24 16:00:00 UTC to 2025-11-24 16:01:00 UTC"


def times(state: str, now: int = START, eta: int | None = None) -> Times:
    return Times(state, START, END, eta, now)


@pytest.mark.parametrize(
    ("act", "state", "said"),
    [
        ("vote", "pending", f"the proposal is pending; votes are cast {FROM_TO}"),
        ("vote", "defeated", f"the proposal is defeated; votes were cast {FROM_TO}"),
        ("vote", "succeeded", f"the proposal is succeeded; votes were cast {FROM_TO}"),
        ("vote", "canceled", "the proposal was withdrawn already"),
        (
            "queue",
            "active",
            f"the proposal is active; votes are cast {FROM_TO}, and once it has succeeded it is queued",
        ),
        (
            "queue",
            "queued",
            "the proposal was queued already; it is executed from 2025-11-24 16:01:40 UTC on",
        ),
        ("queue", "defeated", "the proposal was defeated"),
        ("queue", "executed", "the proposal was executed already"),
        ("execute", "pending", f"the proposal is pending; votes are cast {FROM_TO}, and once"),
        ("execute", "succeeded", "the proposal has succeeded and is not queued yet"),
        ("execute", "queued", "the proposal is in the timelock until 2025-11-24 16:01:40 UTC"),
        ("execute", "executed", "the proposal was executed already"),
        ("cancel", "active", "before voting begins, and that was 2025-11-24 16:00:00 UTC"),
        ("cancel", "canceled", "the proposal was withdrawn already"),
    ],
)
def test_not_now__too_early_or_too_late__says_when(act: str, state: str, said: str) -> None:
    assert said in (explain_refusal(act, times(state, eta=ETA)) or "")


def test_not_now__in_time__nothing() -> None:
    for act, state in (("vote", "active"), ("queue", "succeeded"), ("cancel", "pending")):
        assert explain_refusal(act, times(state)) is None
    assert explain_refusal("execute", times("queued", ETA, ETA)) is None


def test_is_over__what_cannot_come_any_more__true() -> None:
    assert is_too_late("queue", "queued")
    assert is_too_late("execute", "defeated")
    assert not is_too_late("execute", "queued")
    assert not is_too_late("queue", "active")
