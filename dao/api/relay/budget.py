"""Decides what the relayer may pay for: a day's wei, of which votes keep a part, and the last half goes by votes."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from dao.api.relay.relay_jobs import Act, Expense
from dao.core.types import Address, Wei

OPEN_PART = Fraction(1, 2)  # of a day's money, for whoever comes first; the rest goes by votes
OVERCOMMIT = 20  # times its share of the votes that an account may spend: few accounts act on one day
_BOUNDED = (Act.DELEGATE, Act.PROPOSE)  # they may not spend the part that is kept for votes


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of spending in a day (UTC).

    `votes_part` of `per_day` is kept for votes and for what they accepted. `gas_per_account` and `per_account` (messages)
    hold for one account, `max_gas` for one transaction.
    """

    per_day: Wei
    max_gas: int
    per_account: int = 20
    gas_per_account: int = 2_000_000
    votes_part: float = 0.5


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent of a day's money, pending jobs included; `bounded` by acts that may not use the part for votes."""

    all: Wei
    bounded: Wei
    mine: Wei

    @classmethod
    def of(cls, expenses: Sequence[Expense], signer: Address) -> "Spending":
        """Sum what was spent, and by a signer."""
        return cls(
            Wei(sum(expense.cost for expense in expenses)),
            Wei(sum(expense.cost for expense in expenses if expense.act in _BOUNDED)),
            Wei(sum(expense.cost for expense in expenses if expense.signer == signer)),
        )


def is_affordable(budget: Budget, money: Wei, spent: Spending, act: Act, cost: Wei, share: Fraction) -> bool:
    """Return whether the relayer pays `cost` for an account with a `share` of all votes.

    `money` is what the relayer has for the day, spent or not. Votes and the other acts each have a part of it, whose first
    half serves whoever comes; from then on an account gets what its votes weigh, so that many accounts with few votes
    cannot spend what others need. What the others leave, votes may use as well.
    """
    is_bounded = act in _BOUNDED
    kept = Fraction(budget.votes_part)
    part, used = (
        money * (1 - kept if is_bounded else kept),
        spent.bounded if is_bounded else spent.all - spent.bounded,
    )
    if spent.all + cost > money or (is_bounded and used + cost > part):
        return False
    return used + cost <= part * OPEN_PART or spent.mine + cost <= money * share * OVERCOMMIT
