"""How a round's budget is paid: debts first, then shares of what is positive, exact to the wei.

    available = score - debt;  share = max(available, 0);  debt after the round = max(-available, 0)

Paying max(score, 0) alone would pay for noise: half of what is random is positive. The budget is divided in proportion
to the shares, in the order of the nodes, by running totals S of the shares, so that each reward follows from two of them:

    reward_i = floor(budget S_i / S_n) - floor(budget S_{i-1} / S_n)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

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

    Scores and debts are millionths of the loss. Rewards are within a wei of their part, in the order of `scores`.
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
    """Return parts of `budget` in the proportion of `shares`, all 0 when these are."""
    total = sum(shares.values())
    if total == 0:
        return dict.fromkeys(shares, 0)
    ends = [budget * reached // total for reached in accumulate(shares.values())]
    return {owner: end - start for owner, start, end in zip(shares, [0, *ends], ends, strict=False)}
