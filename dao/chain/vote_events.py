"""Events of votes on gradients, by GradientVote."""

from dataclasses import dataclass

from dao.chain.event_types import RoundEvent
from dao.core.types import Address, Timestamp, Wei


@dataclass(frozen=True, slots=True)
class GradientAccused(RoundEvent):
    """Somebody accused a result's gradients; jurors commit to votes until `commit_end`, and reveal until `reveal_end`."""

    accuser: Address
    bond: Wei
    commit_end: Timestamp
    reveal_end: Timestamp


@dataclass(frozen=True, slots=True)
class VoteCommitted(RoundEvent):
    """A juror committed to its vote."""

    juror: Address


@dataclass(frozen=True, slots=True)
class VoteRevealed(RoundEvent):
    """A juror revealed its vote."""

    juror: Address
    wrong: bool
    weight: int


@dataclass(frozen=True, slots=True)
class GradientJudged(RoundEvent):
    """A case is over; `verdict` is one of dao.chain.gradient_votes, `lost` what the accuser lost."""

    verdict: int
    for_wrong: int
    for_right: int
    lost: Wei


@dataclass(frozen=True, slots=True)
class JurorFined(RoundEvent):
    """A juror lost stake, for it did not vote, or with the minority."""

    juror: Address
    amount: Wei
