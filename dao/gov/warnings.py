"""What a proposal's settings would do that its words do not say: what the governor refuses, and what locks the DAO."""

from dao.core.types import Wei
from dao.gov.actions import (
    Action,
    SetLateExtension,
    SetQuorum,
    SetThreshold,
    SetTimelockDelay,
    SetVotingDelay,
    SetVotingPeriod,
)
from dao.gov.units import amount, duration

LONGEST = 365 * 86_400  # seconds of a delay that are believed to be meant
SHORTEST = 60  # seconds in which anyone can be expected to vote
_DELAYS = {
    SetVotingDelay: "set_voting_delay",
    SetVotingPeriod: "set_voting_period",
    SetLateExtension: "set_late_extension",
    SetTimelockDelay: "set_timelock_delay",
}


def warning_of(action: Action, supply: Wei) -> str | None:  # noqa: PLR0911  (a case each)
    """Why the governor would refuse a setting when it is executed, or how it would lock the DAO; None for neither.

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
            return f"set_voting_period: in {duration(seconds)} hardly anyone can vote, so nothing is decided any more"
        case SetThreshold(votes) if votes > supply:
            return (
                f"set_threshold: nobody could propose any more: a proposer would need {amount(votes)} of votes, "
                f"and all that count are {amount(supply)}"
            )
        case (
            SetVotingDelay(seconds)
            | SetVotingPeriod(seconds)
            | SetLateExtension(seconds)
            | SetTimelockDelay(seconds)
        ) if seconds > LONGEST:
            return (
                f"{_DELAYS[type(action)]}: {duration(seconds)} is more than a year, and every decision waits for it, "
                "one to shorten it as well"
            )
    return None
