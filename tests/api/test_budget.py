"""The relayer's day: nobody spends what others need, however many accounts he has."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.api.relay.budget import OVERCOMMIT, Budget, Spending, is_affordable
from dao.api.relay.relay_jobs import Act, Expense
from dao.core.types import Address, Wei

DAY = Wei(1_000_000)
BUDGET = Budget(DAY, max_gas=3_000_000)
MEMBER = Address(b"\x01" * 20)
FEW = Fraction(1, 10**9)


def play(
    accounts: list[tuple[Act, Fraction, int]], expenses: list[Expense], people: int = 10**6
) -> list[Expense]:
    """Have accounts with their shares spend what they are allowed to; they are of so many people, who take turns."""
    expenses = list(expenses)
    for number, (act, share, cost) in enumerate(accounts):
        signer = Address((number % people).to_bytes(20, "big"))
        if is_affordable(BUDGET, DAY, Spending.of(expenses, signer), act, Wei(cost), share):
            expenses.append(Expense(act, signer, Wei(cost), 0))
    return expenses


def spend(act: Act, expenses: list[Expense], share: Fraction) -> bool:
    return is_affordable(BUDGET, DAY, Spending.of(expenses, MEMBER), act, Wei(1000), share)


def test_budget__one_account_proposes_all_day__every_vote_is_paid_for() -> None:
    expenses = play([(Act.PROPOSE, Fraction(1), 1000)] * 1000, [])
    assert sum(expense.cost for expense in expenses) == DAY // 2
    assert not spend(Act.PROPOSE, expenses, Fraction(1))
    assert spend(Act.VOTE, expenses, FEW)
    assert len(play([(Act.VOTE, Fraction(1, 20), 1000)] * 600, expenses)) == 500 + 500


def test_budget__a_thousand_accounts_with_few_votes__leave_the_rest_to_those_with_votes() -> None:
    expenses = play([(Act.DELEGATE, FEW, 1000)] * 1000 + [(Act.VOTE, FEW, 1000)] * 1000, [])
    assert sum(expense.cost for expense in expenses) == DAY // 2
    assert not spend(Act.VOTE, expenses, FEW)
    assert spend(Act.VOTE, expenses, Fraction(1, 100))
    assert spend(Act.DELEGATE, expenses, Fraction(1, 100))


@pytest.mark.parametrize("act", list(Act))
def test_budget__a_day_without_money__pays_nothing(act: Act) -> None:
    nothing = Spending(Wei(0), Wei(0), Wei(0))
    assert not is_affordable(BUDGET, Wei(999), nothing, act, Wei(1000), Fraction(1))
    assert is_affordable(BUDGET, DAY, nothing, act, Wei(1000), Fraction(1))


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Act)), st.fractions(0, Fraction(1, 50)), st.integers(1, 200_000)),
        max_size=60,
    )
)
def test_budget__any_day__is_kept_to(accounts: list[tuple[Act, Fraction, int]]) -> None:
    expenses = play(accounts, [])
    bounded = [expense.cost for expense in expenses if expense.act in (Act.DELEGATE, Act.PROPOSE)]
    assert sum(expense.cost for expense in expenses) <= DAY
    assert sum(bounded) <= DAY // 2


@given(st.integers(1, 40))
def test_budget__votes_split_over_accounts__bring_no_more_of_the_second_half(parts: int) -> None:
    half = [Expense(Act.VOTE, MEMBER, Wei(DAY // 2), 0)]
    share = Fraction(1, 100)
    spent = play([(Act.VOTE, share / parts, 500)] * 800, half, parts)[1:]
    most = DAY * share * OVERCOMMIT
    assert 0 < sum(expense.cost for expense in spent) <= most
