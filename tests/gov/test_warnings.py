"""What is warned of before a proposal is signed."""

import pytest

from dao.chain.deploy import TOKEN
from dao.core.types import Wei
from dao.gov.actions import (
    Action,
    PauseTasks,
    SetLateExtension,
    SetQuorum,
    SetThreshold,
    SetTimelockDelay,
    SetVotingDelay,
    SetVotingPeriod,
)
from dao.gov.warnings import warning_of

SUPPLY = Wei(4000 * TOKEN)
YEAR = 365 * 86_400


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (SetQuorum(101), "set_quorum: refused"),
        (SetQuorum(100), "while the votes of a single token are missing"),
        (SetQuorum(0), "a single vote for it is enough"),
        (SetVotingPeriod(0), "set_voting_period: refused"),
        (SetVotingPeriod(59), "in 59 seconds hardly anyone can vote"),
        (SetThreshold(Wei(SUPPLY + 1)), "nobody could propose any more"),
        (SetVotingDelay(YEAR + 1), "set_voting_delay: 31536001 seconds is more than a year"),
        (SetVotingPeriod(400 * 86_400), "set_voting_period: 400 days is more than a year"),
        (SetLateExtension(YEAR + 1), "set_late_extension"),
        (SetTimelockDelay(2**47), "set_timelock_delay"),
    ],
)
def test_warning_of__what_is_refused_or_locks_the_dao__said(action: Action, said: str) -> None:
    assert said in (warning_of(action, SUPPLY) or "")


@pytest.mark.parametrize(
    "action",
    [
        *(SetQuorum(1), SetQuorum(99), SetVotingPeriod(60), SetVotingPeriod(YEAR), SetThreshold(SUPPLY)),
        *(SetVotingDelay(0), SetVotingDelay(YEAR), SetTimelockDelay(0), SetTimelockDelay(YEAR), PauseTasks()),
    ],
)
def test_warning_of__what_a_dao_may_want__nothing(action: Action) -> None:
    assert warning_of(action, SUPPLY) is None
