"""How a round's budget is paid: debts first, then shares of what is positive, exact to the wei."""

from collections.abc import Mapping
from dataclasses import dataclass

from dao.core.types import Address, MicroScore, Wei


@dataclass(frozen=True, slots=True)
class Pay:
    """What a round brings an owner: its share (part of the score that is paid), debt after the round, reward."""

    share: MicroScore
    debt: MicroScore
    reward: Wei


@dataclass(frozen=True, slots=True)
class Payout:
    """What a round pays: rewards and `refunded` add up to the budget."""

    owners: Mapping[Address, Pay]
    refunded: Wei


def compute_payout(
    budget: Wei, scores: Mapping[Address, MicroScore], debts: Mapping[Address, MicroScore]
) -> Payout:
    """Divide `budget` by score, after debts; an owner without a score keeps its debt and is not in the result.

    A negative score is a debt that later scores pay off first: paying for `max(score, 0)` alone would pay for noise.
    The wei that rounding leaves go one each by largest remainder, ties by the lower owner address.
    """
    available = {owner: score - debts.get(owner, 0) for owner, score in scores.items()}
    shares = {owner: max(left, 0) for owner, left in available.items()}
    rewards = _divide(budget, shares)
    owners = {
        owner: Pay(MicroScore(shares[owner]), MicroScore(max(-left, 0)), Wei(rewards[owner]))
        for owner, left in available.items()
    }
    return Payout(owners, Wei(budget - sum(rewards.values())))


def _divide(budget: int, shares: Mapping[Address, int]) -> dict[Address, int]:
    """Largest remainder: parts of `budget` in the proportion of `shares`, all 0 when these are."""
    total = sum(shares.values())
    if total == 0:
        return dict.fromkeys(shares, 0)
    parts = {owner: budget * share // total for owner, share in shares.items()}
    by_remainder = sorted(shares, key=lambda owner: (-(budget * shares[owner] % total), owner))
    for owner in by_remainder[: budget - sum(parts.values())]:
        parts[owner] += 1
    return parts
