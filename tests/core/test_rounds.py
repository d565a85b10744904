"""The round machine: the contract's windows, no two rivals in one second, no round without an end."""

import re
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.core import round_machine
from dao.core.types import (
    ZERO_ADDRESS,
    ZERO_DIGEST,
    BlockNumber,
    Codec,
    Digest,
    Phase,
    Result,
    RoundId,
    RoundState,
    Rules,
    TaskState,
    Timestamp,
    Wei,
)
from dao.errors import RuleError

INTERFACES = Path(__file__).parents[2] / "contracts" / "interfaces"

RULES = Rules(
    superlink=ZERO_ADDRESS,
    commit_period=100,
    reveal_period=30,
    result_period=50,
    challenge_period=40,
    resolve_period=70,
    quorum=2,
    shards=8,
    body_depth=17,
    codec=Codec.INT8,
    admitted_only=False,
    close_after=30,
    close_share=100,
    max_in_flight=64,
    min_stake=Wei(10),
    max_stake=Wei(100),
    round_budget=Wei(1),
    superlink_bond=Wei(0),
    challenge_bond=Wei(0),
    app_hash=ZERO_DIGEST,
    base_model=ZERO_DIGEST,
    validation_root=ZERO_DIGEST,
    chunks=1 << 17,
    scored_chunks=1 << 17,
    card=ZERO_DIGEST,
    base_model_root=ZERO_DIGEST,
)
OPENED = 1_000_000
OPEN = RoundState(
    open_block=BlockNumber(1),
    opened_at=Timestamp(OPENED),
    closed_at=Timestamp(0),
    posted_at=Timestamp(0),
    parent=RoundId(0),
    eligible=5,
    commits=0,
    phase=Phase.OPEN,
    opening=ZERO_DIGEST,
    closing=ZERO_DIGEST,
    result_hash=ZERO_DIGEST,
)
CLOSED = replace(OPEN, phase=Phase.CLOSED, closed_at=Timestamp(OPENED + 100), commits=3)
POSTED = replace(CLOSED, phase=Phase.POSTED, posted_at=Timestamp(OPENED + 150))
FROZEN = replace(POSTED, phase=Phase.FROZEN, posted_at=Timestamp(OPENED + 160))

periods = st.integers(1, 1000)


@st.composite
def rules_of_any_task(draw: st.DrawFn) -> Rules:
    """Rules that a coordinator accepts."""
    reveal, result = draw(periods), draw(periods)
    return replace(
        RULES,
        commit_period=draw(periods),
        reveal_period=reveal,
        result_period=result,
        challenge_period=draw(periods),
        resolve_period=draw(periods),
    )


@st.composite
def any_round(draw: st.DrawFn) -> tuple[Rules, RoundState, Timestamp]:
    """Rules, a round in any phase with times it can have, and a second during or after it."""
    rules = draw(rules_of_any_task())
    phase = draw(st.sampled_from(Phase))
    closed = OPENED + draw(st.integers(0, rules.commit_period + rules.result_period))
    posted = closed + draw(st.integers(0, rules.reveal_period + rules.result_period))
    frozen = posted + draw(st.integers(0, rules.challenge_period - 1))
    round_ = replace(
        OPEN,
        phase=phase,
        closed_at=Timestamp(closed if phase > Phase.OPEN else 0),
        posted_at=Timestamp({Phase.POSTED: posted, Phase.FROZEN: frozen}.get(phase, 0)),
        commits=draw(st.integers(0, OPEN.eligible)) if phase > Phase.OPEN else 0,
    )
    start = max(OPENED, round_.closed_at, round_.posted_at)
    return rules, round_, Timestamp(start + draw(st.integers(0, 5000)))


Case = tuple[Rules, RoundState, Timestamp]


def solidity_block(kind: str, name: str) -> str:
    text = "".join((INTERFACES / f"{stem}.sol").read_text() for stem in ("ITasks", "IRounds"))
    found = re.search(rf"{kind} {name} \{{(.*?)\}}", text, re.DOTALL)
    assert found, name
    return re.sub(r"//[^\n]*", "", found[1])


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def test_phase__members__as_in_solidity() -> None:
    names = [name.strip().upper() for name in solidity_block("enum", "Phase").split(",")]
    assert [phase.name for phase in Phase] == names
    assert [phase.value for phase in Phase] == list(range(len(names)))


@pytest.mark.parametrize(
    ("record", "struct"),
    [(Rules, "TaskRules"), (TaskState, "Task"), (RoundState, "Round"), (Result, "Result")],
)
def test_record__fields__as_in_solidity(record: type, struct: str) -> None:
    members = [line.split()[-1] for line in solidity_block("struct", struct).split(";") if line.strip()]
    assert [field.name for field in fields(record)] == [snake(member) for member in members]


def test_deadlines__an_example__add_up() -> None:
    assert round_machine.compute_commit_deadline(RULES, OPEN) == OPENED + 100
    assert round_machine.compute_earliest_abort(RULES, OPEN) == OPENED + 150
    assert round_machine.compute_earliest_abort(RULES, OPEN, by_superlink=True) == OPENED + 100
    assert round_machine.compute_reveal_deadline(RULES, CLOSED) == OPENED + 130
    assert round_machine.compute_result_deadline(RULES, CLOSED) == OPENED + 180
    assert round_machine.compute_earliest_abort(RULES, CLOSED, by_superlink=True) == OPENED + 181
    assert round_machine.compute_challenge_deadline(RULES, POSTED) == OPENED + 190
    assert round_machine.compute_resolve_deadline(RULES, FROZEN) == OPENED + 230


@pytest.mark.parametrize(
    ("allowed", "round_", "first", "last"),
    [
        (round_machine.is_commit_time, OPEN, 0, 99),
        (round_machine.is_reveal_time, CLOSED, 100, 129),
        (round_machine.is_challenge_time, POSTED, 150, 189),
        (round_machine.is_resolve_time, FROZEN, 160, 229),
    ],
)
def test_window__its_seconds__allowed_and_no_other(
    allowed: object, round_: RoundState, first: int, last: int
) -> None:
    assert callable(allowed)
    assert allowed(RULES, round_, Timestamp(OPENED + first))
    assert allowed(RULES, round_, Timestamp(OPENED + last))
    assert not allowed(RULES, round_, Timestamp(OPENED + last + 1))


@pytest.mark.parametrize(
    ("allowed", "round_", "first"),
    [
        (round_machine.is_abort_time, OPEN, 150),
        (round_machine.is_abort_time, CLOSED, 181),
        (round_machine.is_finalize_time, POSTED, 190),
        (round_machine.is_void_time, FROZEN, 230),
    ],
)
def test_end__from_its_first_second__allowed_for_good(
    allowed: object, round_: RoundState, first: int
) -> None:
    assert callable(allowed)
    assert not allowed(RULES, round_, Timestamp(OPENED + first - 1))
    assert allowed(RULES, round_, Timestamp(OPENED + first))
    assert allowed(RULES, round_, Timestamp(OPENED + 10**8))


@pytest.mark.parametrize(
    ("commits", "passes", "second", "allowed"),
    [
        *((5, 0, 0, True), (5, 0, 200, True), (4, 0, 99, False), (4, 0, 100, True), (1, 0, 100, False)),
        *((6, 0, 100, False), (3, 2, 0, True), (3, 1, 99, False), (3, 3, 100, False), (1, 4, 100, False)),
    ],
)
def test_close__commits_passes_and_time__all_or_deadline_with_quorum(
    commits: int, passes: int, second: int, allowed: bool
) -> None:
    now = Timestamp(OPENED + second)
    assert round_machine.is_close_time(RULES, OPEN, commits, passes, now) is allowed


@pytest.mark.parametrize(
    ("commits", "passes", "second", "allowed"),
    [
        (3, 0, 29, False),
        (3, 0, 30, True),
        (2, 1, 30, False),
        (2, 0, 99, False),
        (2, 0, 100, True),
        (1, 0, 100, False),
    ],
)
def test_close__enough_committed__from_its_own_time_on(
    commits: int, passes: int, second: int, allowed: bool
) -> None:
    rules, now = replace(RULES, close_share=60), Timestamp(OPENED + second)
    assert round_machine.is_close_time(rules, OPEN, commits, passes, now) is allowed


@pytest.mark.parametrize(
    ("revealed", "forced", "second", "allowed"),
    [
        (3, 0, 100, True),
        (3, 1, 129, False),
        (4, 1, 129, True),
        (0, 1, 130, True),
        (0, 0, 180, True),
        (3, 0, 181, False),
        (4, 0, 150, False),
    ],
)
def test_result__reveals_and_time__all_or_deadline(
    revealed: int, forced: int, second: int, allowed: bool
) -> None:
    assert (
        round_machine.is_result_time(RULES, CLOSED, revealed, forced, Timestamp(OPENED + second)) is allowed
    )


def allowed_of(rules: Rules, round_: RoundState, now: Timestamp) -> set[str]:
    """What may happen in a second when nobody fails to do its part."""
    steps = {
        "commit": round_machine.is_commit_time(rules, round_, now),
        "reveal": round_machine.is_reveal_time(rules, round_, now),
        "close": round_machine.is_close_time(rules, round_, rules.quorum, 0, now),
        "result": round_machine.is_result_time(rules, round_, 0, 0, now),
        "abort": round_machine.is_abort_time(rules, round_, now),
        "challenge": round_machine.is_challenge_time(rules, round_, now),
        "resolve": round_machine.is_resolve_time(rules, round_, now),
        "finalize": round_machine.is_finalize_time(rules, round_, now),
        "void": round_machine.is_void_time(rules, round_, now),
    }
    return {step for step, allowed in steps.items() if allowed}


STEPS = {
    Phase.OPEN: {"commit", "close", "abort"},
    Phase.CLOSED: {"reveal", "result", "abort"},
    Phase.POSTED: {"challenge", "finalize"},
    Phase.FROZEN: {"resolve", "void"},
}


@given(any_round())
def test_steps__any_phase__only_those_of_the_phase(case: Case) -> None:
    assert allowed_of(*case) <= STEPS.get(case[1].phase, set())


@given(any_round())
def test_steps__any_second__never_two_rivals(case: Case) -> None:
    allowed = allowed_of(*case)
    rivals = [
        ("commit", "close"),  # nobody is cut off before the deadline while some are missing
        ("commit", "abort"),
        ("result", "abort"),
        ("challenge", "finalize"),
        ("resolve", "void"),
    ]
    assert not [pair for pair in rivals if set(pair) <= allowed]


@given(any_round())
def test_steps__whoever_is_silent__anyone_can_end_the_round(case: Case) -> None:
    rules, round_, _ = case
    much_later = Timestamp(OPENED + 10**6)
    ends = {
        Phase.OPEN: {"abort"},
        Phase.CLOSED: {"abort"},
        Phase.POSTED: {"finalize"},
        Phase.FROZEN: {"void"},
    }
    assert allowed_of(rules, round_, much_later) - {"close"} == ends.get(round_.phase, set())


@given(
    st.binary(min_size=32, max_size=32).map(Digest),
    st.integers(1, 50).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), max_size=n))),
)
def test_draw_shard__any_seed__one_that_is_left(seed: Digest, shards: tuple[int, set[int]]) -> None:
    count, used = shards
    if len(used) == count:
        with pytest.raises(RuleError, match="append more by a vote"):
            round_machine.draw_shard(seed, count, used)
        return
    free = [index for index in range(count) if index not in used]
    drawn = int.from_bytes(sha256(seed + b"shard").digest(), "big") % len(free)
    assert round_machine.draw_shard(seed, count, used) == free[drawn]
    assert round_machine.draw_shard(seed, count, sorted(used, reverse=True)) == free[drawn]


def test_draw_shard__round_after_round__each_once() -> None:
    used: list[int] = []
    for round_ in range(8):
        used.append(round_machine.draw_shard(Digest(sha256(bytes([round_])).digest()), 8, used))
    assert sorted(used) == list(range(8))


@pytest.mark.parametrize(
    ("stake", "counted"), [(0, 0), (9, 0), (10, 10), (99, 99), (100, 100), (10**24, 100)]
)
def test_counted_stake__any_stake__between_minimum_and_maximum(stake: int, counted: int) -> None:
    assert round_machine.compute_counted_stake(RULES, Wei(stake)) == counted
    assert round_machine.compute_counted_stake(replace(RULES, admitted_only=True), Wei(stake)) == min(
        counted, 1
    )


@given(st.integers(1, 12), st.lists(st.binary(min_size=32, max_size=32).map(Digest), max_size=15))
def test_retire__seeds_in_order__each_draws_what_none_before_drew(shards: int, seeds: list[Digest]) -> None:
    draws = [(seed, shards) for seed in seeds]
    retired = round_machine.retire_shards((), draws)
    assert len(retired) == min(len(seeds), shards)
    assert list(retired) == sorted(set(retired))
    for count in range(min(len(seeds), shards)):
        before = round_machine.retire_shards((), draws[:count])
        drawn = round_machine.draw_shard(seeds[count], shards, before)
        assert drawn not in before
        assert round_machine.retire_shards(before, draws[count : count + 1]) == tuple(
            sorted((*before, drawn))
        )


@given(st.binary(min_size=32, max_size=32).map(Digest), st.binary(min_size=32, max_size=32).map(Digest))
def test_retire__shards_appended_between__each_draws_of_those_of_its_round(
    first: Digest, second: Digest
) -> None:
    retired = round_machine.retire_shards((), [(first, 1), (first, 1), (second, 2)])
    assert retired == (0, 1)
    assert round_machine.retire_shards((), [(first, 1), (second, 9)])[0] == 0
