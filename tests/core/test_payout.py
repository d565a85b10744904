"""Payouts: exact, monotone, free of order, debts first."""

from fractions import Fraction
from itertools import pairwise
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from dao.core.payout import compute_payout
from dao.core.types import Address, MicroScore, Wei

addresses = st.binary(min_size=20, max_size=20).map(Address)
scores_of = st.dictionaries(addresses, st.integers(-(10**7), 10**7).map(MicroScore), max_size=12)
debts_of = st.dictionaries(addresses, st.integers(0, 10**7).map(MicroScore), max_size=4)
budgets = st.one_of(st.integers(0, 50), st.integers(0, 2**128 - 1)).map(Wei)
A, B, C = (Address(bytes([i]) * 20) for i in (1, 2, 3))


def micros(**scores: int) -> dict[Address, MicroScore]:
    return {{"a": A, "b": B, "c": C}[name]: MicroScore(score) for name, score in scores.items()}


@st.composite
def rounds(draw: st.DrawFn) -> tuple[Wei, dict[Address, MicroScore], dict[Address, MicroScore]]:
    scores = draw(scores_of)
    known = st.sampled_from(sorted(scores)) if scores else st.nothing()
    owed = draw(st.dictionaries(known, st.integers(0, 10**7).map(MicroScore)))
    return draw(budgets), scores, {**draw(debts_of), **owed}


Case = tuple[Wei, dict[Address, MicroScore], dict[Address, MicroScore]]


@given(rounds())
def test_pay__any_round__rewards_and_refund_are_the_budget(case: Case) -> None:
    budget, scores, debts = case
    payout = compute_payout(budget, scores, debts)
    assert payout.owners.keys() == scores.keys()
    assert sum(pay_.reward for pay_ in payout.owners.values()) + payout.refunded == budget
    assert all(pay_.reward >= 0 for pay_ in payout.owners.values())
    assert payout.refunded == (0 if any(pay_.share for pay_ in payout.owners.values()) else budget)


@given(rounds())
def test_pay__any_round__each_within_one_wei_of_its_exact_part(case: Case) -> None:
    budget, scores, debts = case
    owners = compute_payout(budget, scores, debts).owners
    total = sum(pay_.share for pay_ in owners.values())
    for pay_ in owners.values():
        exact = Fraction(budget * pay_.share, total) if total else Fraction(0)
        assert abs(pay_.reward - exact) < 1


@given(rounds())
def test_pay__any_round__debt_is_paid_off_first(case: Case) -> None:
    budget, scores, debts = case
    for owner, pay_ in compute_payout(budget, scores, debts).owners.items():
        assert pay_.share - pay_.debt == scores[owner] - debts.get(owner, 0)
        assert min(pay_.share, pay_.debt) == 0 <= max(pay_.share, pay_.debt)


@given(rounds(), st.randoms(use_true_random=False))
def test_pay__another_order__same_but_for_a_wei(case: Case, random: Random) -> None:
    budget, scores, debts = case
    shuffled = list(scores.items())
    random.shuffle(shuffled)
    one, other = compute_payout(budget, scores, debts), compute_payout(budget, dict(shuffled), debts)
    assert other.refunded == one.refunded
    for owner, pay_ in one.owners.items():
        again = other.owners[owner]
        assert (again.share, again.debt) == (pay_.share, pay_.debt)
        assert abs(again.reward - pay_.reward) <= 1


@given(rounds(), st.integers(1, 10**7), st.data())
def test_pay__higher_score__no_less_reward_but_for_a_wei(case: Case, more: int, data: st.DataObject) -> None:
    budget, scores, debts = case
    assume(scores)
    owner = data.draw(st.sampled_from(sorted(scores)))
    higher = {**scores, owner: MicroScore(scores[owner] + more)}
    before, after = compute_payout(budget, scores, debts).owners, compute_payout(budget, higher, debts).owners
    assert after[owner].reward >= before[owner].reward - 1
    assert after[owner].debt <= before[owner].debt


@given(rounds())
def test_pay__higher_share_than_another__no_less_reward_but_for_a_wei(case: Case) -> None:
    owners = sorted(compute_payout(*case).owners.values(), key=lambda pay_: pay_.share)
    for lower, higher in pairwise(owners):
        assert lower.reward <= higher.reward + 1


@given(rounds(), st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
def test_pay__score_split_over_identities__gains_at_most_one_wei_each(case: Case, parts: list[int]) -> None:
    budget, scores, debts = case
    whole, twins = Address(b"\xee" * 20), [Address(b"\xdd" * 19 + bytes([i])) for i in range(len(parts))]
    assume(whole not in scores and not scores.keys() & set(twins))
    assume(whole not in debts and not debts.keys() & set(twins))
    alone = compute_payout(budget, {**scores, whole: MicroScore(sum(parts))}, debts).owners
    split = compute_payout(
        budget, {**scores, **dict(zip(twins, map(MicroScore, parts), strict=True))}, debts
    ).owners
    assert sum(split[twin].reward for twin in twins) <= alone[whole].reward + len(parts)


@given(rounds())
def test_pay__negative_part_hidden_in_a_split__still_a_debt(case: Case) -> None:
    budget, scores, debts = case
    owners = compute_payout(budget, scores, debts).owners
    for owner, score in scores.items():
        if score < 0:
            assert owners[owner].reward == 0
            assert owners[owner].debt == debts.get(owner, 0) - score


def test_pay__nobody__refunded() -> None:
    assert compute_payout(Wei(10), {}, micros(a=3)).refunded == 10


def test_pay__all_zero_or_in_debt__refunded() -> None:
    payout = compute_payout(Wei(10), micros(a=0, b=-5, c=7), micros(c=7))
    assert payout.refunded == 10
    assert [payout.owners[owner].debt for owner in (A, B, C)] == [0, 5, 0]


def test_pay__equal_remainders__lower_address_first() -> None:
    payout = compute_payout(Wei(5), micros(c=1, b=1, a=1), {})
    assert [payout.owners[owner].reward for owner in (A, B, C)] == [2, 2, 1]


def test_pay__largest_remainder__gets_the_wei() -> None:
    payout = compute_payout(Wei(10), micros(a=50, b=31, c=19), {})  # 5.0, 3.1, 1.9
    assert [payout.owners[owner].reward for owner in (A, B, C)] == [5, 3, 2]
