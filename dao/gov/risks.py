"""Warns of settings and rules that the governor would refuse, that would lock the DAO, or by which challenges come to nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dao.core.types import Rules, TaskId, Wei
from dao.gov.actions import (
    Action,
    ChangeRules,
    CreateTask,
    SetLateExtension,
    SetQuorum,
    SetThreshold,
    SetTimelockDelay,
    SetVotingDelay,
    SetVotingPeriod,
)
from dao.gov.units import format_amount, format_duration

LONGEST = 365 * 86_400  # seconds; a longer delay is likely a mistake
SHORTEST = 60  # seconds in which anyone can be expected to vote
_DELAYS = {
    SetVotingDelay: "set_voting_delay",
    SetVotingPeriod: "set_voting_period",
    SetLateExtension: "set_late_extension",
    SetTimelockDelay: "set_timelock_delay",
}


@dataclass(frozen=True, slots=True)
class DecisionPace:
    """The settings that say how long a decision takes, in seconds."""

    voting_delay: int
    voting_period: int
    late_extension: int
    timelock_delay: int

    @property
    def seconds(self) -> int:
        """Seconds from a proposal to its execution at the earliest."""
        return self.voting_delay + self.voting_period + self.timelock_delay

    @property
    def late_seconds(self) -> int:
        """The same where the quorum is reached at the last moment."""
        return self.seconds + self.late_extension

    def after(self, actions: Sequence[Action]) -> "DecisionPace":
        """Return the pace once the actions are executed."""
        pace = self
        for action in actions:
            match action:
                case SetVotingDelay(seconds):
                    pace = replace(pace, voting_delay=seconds)
                case SetVotingPeriod(seconds):
                    pace = replace(pace, voting_period=seconds)
                case SetLateExtension(seconds):
                    pace = replace(pace, late_extension=seconds)
                case SetTimelockDelay(seconds):
                    pace = replace(pace, timelock_delay=seconds)
        return pace


def changes_pace(action: Action) -> bool:
    """Return whether an action changes how long a decision takes."""
    return type(action) in _DELAYS


def warn_of_slow_decisions(
    actions: Sequence[Action], pace: DecisionPace, tasks: Mapping[TaskId, Rules]
) -> list[str]:
    """Warn where challenges could not be decided in time after a proposal, and so would void right results.

    `pace` is that of decisions before the proposal; `tasks` has the rules of the open tasks, which matter only where the
    proposal changes the pace.
    """
    pace = pace.after(actions)
    warnings = []
    for action in actions:
        match action:
            case CreateTask(rules):
                warnings += _too_slow("create_task", "a challenge", pace, rules.resolve_period)
            case ChangeRules(task, rules):
                warnings += _too_slow(
                    "change_rules", f"a challenge in task {task}", pace, rules.resolve_period
                )
    setting = next((_DELAYS[type(action)] for action in reversed(actions) if changes_pace(action)), None)
    if setting is not None:
        restated = {action.task for action in actions if isinstance(action, ChangeRules)}
        for task, rules in tasks.items():
            if task not in restated:
                warnings += _too_slow(setting, f"a challenge in task {task}", pace, rules.resolve_period)
    return warnings


def _too_slow(label: str, what: str, pace: DecisionPace, within: int) -> list[str]:
    """Warn where a challenge must be decided `within` fewer seconds than a decision takes."""
    # voting ends after its last second, and a challenge is decided before that of its period
    if within <= pace.seconds + 1:
        when, takes = "", format_duration(pace.seconds)
        of = "voting delay, voting period and timelock delay together"
    elif within <= pace.late_seconds + 1:
        when, takes = " when the quorum is reached late", format_duration(pace.late_seconds)
        of = "voting delay, voting period, extension and timelock delay together"
    else:
        return []
    words = f"{label}: {what} could not be decided in time{when}, and would void the result, right or wrong"
    return [f"{words}: resolve_period is {format_duration(within)}, and a decision takes {takes} ({of})"]


def warn_of(action: Action, supply: Wei) -> str | None:  # noqa: PLR0911  (a case each)
    """Return why the governor would refuse a setting, or how it would lock the DAO; None for neither.

    `supply` is that of the votes that count. What locks the DAO cannot be taken back by a proposal.
    """
    match action:
        case SetQuorum(percent) if percent > 100:
            return f"set_quorum: refused: expected at most 100 percent, got {percent}"
        case SetQuorum(100):
            return "set_quorum: with 100 percent nothing is accepted while the votes of a single token are missing"
        case SetQuorum(0):
            return "set_quorum: with 0 percent a single vote for it is enough to decide anything"
        case SetVotingPeriod(0):
            return "set_voting_period: refused: expected at least 1 second, got 0"
        case SetVotingPeriod(seconds) if seconds < SHORTEST:
            return f"set_voting_period: in {format_duration(seconds)} hardly anyone can vote, so nothing is decided any more"
        case SetThreshold(votes) if votes > supply:
            return (
                f"set_threshold: nobody could propose any more: a proposer would need {format_amount(votes)} of votes, "
                f"and all that count are {format_amount(supply)}"
            )
        case (
            SetVotingDelay(seconds)
            | SetVotingPeriod(seconds)
            | SetLateExtension(seconds)
            | SetTimelockDelay(seconds)
        ) if seconds > LONGEST:
            return (
                f"{_DELAYS[type(action)]}: {format_duration(seconds)} is more than a year, and every decision waits for it, "
                "one to shorten it as well"
            )
    return None
