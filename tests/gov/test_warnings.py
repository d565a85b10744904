"""What is warned of before a proposal is signed."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dao.chain.deploy import TOKEN
from dao.core.types import Rules, TaskId, Wei
from dao.gov.actions import (
    Action,
    ChangeRules,
    CreateTask,
    PauseTasks,
    SetLateExtension,
    SetQuorum,
    SetThreshold,
    SetTimelockDelay,
    SetVotingDelay,
    SetVotingPeriod,
)
from dao.gov.risks import DecisionPace, warn_of, warn_of_slow_decisions
from tests.support import RULES

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
    assert said in (warn_of(action, SUPPLY) or "")


@pytest.mark.parametrize(
    "action",
    [
        *(SetQuorum(1), SetQuorum(99), SetVotingPeriod(60), SetVotingPeriod(YEAR), SetThreshold(SUPPLY)),
        *(SetVotingDelay(0), SetVotingDelay(YEAR), SetTimelockDelay(0), SetTimelockDelay(YEAR), PauseTasks()),
    ],
)
def test_warning_of__what_a_dao_may_want__nothing(action: Action) -> None:
    assert warn_of(action, SUPPLY) is None


HOUR, DAY = 3600, 86_400
PACE = DecisionPace(voting_delay=HOUR, voting_period=2 * DAY, late_extension=DAY // 2, timelock_delay=DAY)
TASK, OTHER = TaskId(1), TaskId(2)
NEVER = "could not be decided in time, and would void the result"
LATE = "could not be decided in time when the quorum is reached late"


def within(seconds: int) -> Rules:
    """Rules by which a challenge must be decided within so many seconds."""
    return replace(RULES, resolve_period=seconds)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1, NEVER),
        (HOUR + 3 * DAY + 1, NEVER),  # the last second of voting and the first of the decision lie between
        (HOUR + 3 * DAY + 2, LATE),
        (HOUR + 3 * DAY + DAY // 2 + 1, LATE),
        (HOUR + 3 * DAY + DAY // 2 + 2, None),
        (4 * DAY, None),  # as the defaults have it
    ],
)
def test_undecidable__a_task_or_its_rules__said_where_a_decision_takes_longer(
    seconds: int, said: str | None
) -> None:
    for action, label in (
        (CreateTask(within(seconds), Wei(0)), "create_task: a challenge "),
        (ChangeRules(TASK, within(seconds)), "change_rules: a challenge in task 1 "),
    ):
        found = warn_of_slow_decisions([action], PACE, {OTHER: within(1)})
        assert len(found) == (said is not None)
        assert all(warning.startswith(label + str(said)) for warning in found)


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        ([SetVotingDelay(12 * HOUR)], ("set_voting_delay", LATE)),
        ([SetVotingPeriod(3 * DAY)], ("set_voting_period", NEVER)),
        ([SetLateExtension(DAY)], ("set_late_extension", LATE)),
        ([SetTimelockDelay(2 * DAY)], ("set_timelock_delay", NEVER)),
        # what counts is how it is in the end
        ([SetTimelockDelay(2 * DAY), SetVotingPeriod(DAY)], None),
        ([SetTimelockDelay(2 * DAY), SetTimelockDelay(DAY)], None),
        ([SetVotingPeriod(3 * DAY), ChangeRules(TASK, within(5 * DAY))], None),
        ([SetQuorum(9), PauseTasks()], None),
    ],
)
def test_undecidable__how_is_decided__said_of_each_open_task(
    actions: Sequence[Action], said: tuple[str, str] | None
) -> None:
    found = warn_of_slow_decisions(actions, PACE, {TASK: within(4 * DAY), OTHER: within(9 * DAY)})
    assert len(found) == (said is not None)
    if said:
        assert found[0].startswith(f"{said[0]}: a challenge in task 1 {said[1]}")


def test_undecidable__figures__in_words() -> None:
    [said] = warn_of_slow_decisions([ChangeRules(TASK, within(DAY))], PACE, {})
    assert said == (
        "change_rules: a challenge in task 1 could not be decided in time, and would void the result, right or wrong: "
        "resolve_period is 1 day, and a decision takes 73 hours "
        "(voting delay, voting period and timelock delay together)"
    )
