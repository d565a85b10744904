"""Cases: who disputes a result, whose move it is, and how it ended; on a real chain, and event by event."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Engine

from bench.synthetic_events import NETWORK, address, result_of
from dao.chain import events as on
from dao.chain import vote_events as votes
from dao.chain.contracts import Call, Coordinator, Token
from dao.chain.demanding import demand_leaf, end_demand
from dao.chain.deploy import grant
from dao.chain.event_types import Event
from dao.chain.gradient_votes import GradientVerdict
from dao.chain.signer import Signer
from dao.core.statement import compute_result
from dao.core.types import (
    ZERO_DIGEST,
    BlockNumber,
    Digest,
    Phase,
    RoundId,
    TaskId,
    Timestamp,
    Wei,
    hex_of,
)
from dao.devnet.anvil import Anvil
from dao.index.case_reducer import CASE_TERMS, CaseKind, Verdict
from dao.index.reads.records import CaseRecord
from dao.index.reducer import apply
from dao.index.rows import CaseRow, SettingsRow
from dao.index.unit_of_work import UnitOfWork
from dao.proofs.leaf_places import parse_place
from dao.store.cid import cid_of_bytes
from tests.index.world import LIMIT, Indexed, indexing, manifest_of, root_of
from tests.support import RULES, Member, Network, deploy_network

TASK, ROUND = TaskId(1), RoundId(1)
ONE, OTHER = address("one"), address("other")


class _Nothing:
    """A database without rows."""

    def find_newest(self, kind: Any, key: Any) -> None:
        return None

    def get_settings_at(self, when: Timestamp) -> SettingsRow:
        return SettingsRow()


Story = Sequence[tuple[type[Event], tuple[Any, ...]]]


def challenged(reason: str = "a wrong sum") -> tuple[type[Event], tuple[Any, ...]]:
    return on.Challenged, (ONE, reason)


CONVICTED = (on.Convicted, (address("prover"), 5, OTHER, Wei(9), Wei(1)))
VOIDED: tuple[type[Event], tuple[Any, ...]] = (on.Voided, ())
RIGHT, WRONG = (on.Resolved, (True,)), (on.Resolved, (False,))
CONCEDED: tuple[type[Event], tuple[Any, ...]] = (on.Conceded, ())
ROW, INPUT = (1, 0, 3), (2, 0, 0)  # leaves
DEMANDED = (on.Demanded, (ONE, ROW, Wei(3), Timestamp(9000)))
DEMANDED_INPUT = (on.Demanded, (OTHER, INPUT, Wei(3), Timestamp(9000)))
ANSWERED = (on.Answered, (OTHER, ROW, b"leaf"))
UNANSWERED = (on.Expired, (ONE, ROW, True))
LAPSED = (on.Expired, (ONE, ROW, False))
STRUCK = (on.Convicted, (NETWORK.disputes, 1, ONE, Wei(9), Wei(1)))  # follows UNANSWERED
ACCUSED = (votes.GradientAccused, (ONE, Wei(3), Timestamp(8000), Timestamp(9000)))
VOTED = (votes.VoteRevealed, (OTHER, True, 5))
VOTED_WRONG = (votes.GradientJudged, (GradientVerdict.WRONG, 5, 1, Wei(0)))
VOTED_RIGHT = (votes.GradientJudged, (GradientVerdict.RIGHT, 1, 5, Wei(3)))
NO_MAJORITY = (votes.GradientJudged, (GradientVerdict.UNDECIDED, 1, 1, Wei(0)))
VOTE_LAPSED = (votes.GradientJudged, (GradientVerdict.LAPSED, 1, 0, Wei(0)))
TWICE = (on.Equivocated, (address("node"), ONE, Wei(7), Wei(2)))


class _Told:
    """An index that is told events of one task with two posted rounds, the second built on the first."""

    def __init__(self) -> None:
        self.uow = UnitOfWork(NETWORK, _Nothing())
        self._block = 0
        self.tell(on.TaskCreated, TASK, RULES.app_hash, RULES)
        for number in (1, 2):
            self.tell(on.RoundOpened, TASK, RoundId(number), RoundId(number - 1), 3)
            self.tell(on.ResultPosted, TASK, RoundId(number), result_of(TASK, number, 1))

    def tell(self, kind: Any, *values: Any) -> None:
        self._block += 1
        digest = Digest(self._block.to_bytes(32, "big"))
        apply(
            kind(BlockNumber(self._block), digest, Timestamp(1000 + self._block), 0, digest, *values),
            self.uow,
        )

    def tell_round(self, story: Story, number: int = 1) -> None:
        for kind, values in story:
            self.tell(kind, TASK, RoundId(number), *values)

    def cases(self, number: int = 1) -> list[CaseRow]:
        rows = (self.uow.find(CaseRow, TASK, RoundId(number), one) for one in itertools.count(1))
        return list(itertools.takewhile(lambda row: row is not None, rows))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ([challenged()], [(CaseKind.CHALLENGE, None)]),
        ([challenged(), RIGHT], [(CaseKind.CHALLENGE, Verdict.REJECTED)]),
        ([challenged(), WRONG, VOIDED], [(CaseKind.CHALLENGE, Verdict.UPHELD)]),
        ([challenged(), VOIDED], [(CaseKind.CHALLENGE, Verdict.UNDECIDED)]),
        ([challenged(), CONCEDED, VOIDED], [(CaseKind.CHALLENGE, Verdict.CONCEDED)]),
        ([CONCEDED, VOIDED], [(CaseKind.CONCESSION, Verdict.CONCEDED)]),
        ([CONVICTED, VOIDED], [(CaseKind.PROOF, Verdict.PROVEN)]),
        (
            [challenged(), CONVICTED, VOIDED],
            [(CaseKind.CHALLENGE, Verdict.PROVEN), (CaseKind.PROOF, Verdict.PROVEN)],
        ),
        (
            [challenged(), RIGHT, challenged("again"), VOIDED],
            [(CaseKind.CHALLENGE, Verdict.REJECTED), (CaseKind.CHALLENGE, Verdict.UNDECIDED)],
        ),
        ([ACCUSED, VOTED], [(CaseKind.GRADIENT, None)]),
        ([ACCUSED, VOTED_WRONG, STRUCK, VOIDED], [(CaseKind.GRADIENT, Verdict.VOTED_WRONG)]),
        ([ACCUSED, VOTED_RIGHT], [(CaseKind.GRADIENT, Verdict.VOTED_RIGHT)]),
        (
            [ACCUSED, NO_MAJORITY, challenged(), WRONG, VOIDED],  # then the DAO decides
            [(CaseKind.GRADIENT, Verdict.NO_MAJORITY), (CaseKind.CHALLENGE, Verdict.UPHELD)],
        ),
        (
            [ACCUSED, CONVICTED, VOIDED, VOTE_LAPSED],  # what is proven meanwhile ends no vote
            [(CaseKind.GRADIENT, Verdict.LAPSED), (CaseKind.PROOF, Verdict.PROVEN)],
        ),
        ([DEMANDED], [(CaseKind.DEMAND, None)]),
        ([DEMANDED, ANSWERED], [(CaseKind.DEMAND, Verdict.ANSWERED)]),
        ([DEMANDED, UNANSWERED, STRUCK, VOIDED], [(CaseKind.DEMAND, Verdict.UNANSWERED)]),
        (
            [challenged(), DEMANDED, UNANSWERED, STRUCK, VOIDED],
            [(CaseKind.CHALLENGE, Verdict.PROVEN), (CaseKind.DEMAND, Verdict.UNANSWERED)],
        ),
        (
            [DEMANDED, CONVICTED, VOIDED],  # what is proven does not end a demand
            [(CaseKind.DEMAND, None), (CaseKind.PROOF, Verdict.PROVEN)],
        ),
        ([DEMANDED, VOIDED], [(CaseKind.DEMAND, None)]),
        ([DEMANDED, VOIDED, LAPSED], [(CaseKind.DEMAND, Verdict.LAPSED)]),
        (
            [DEMANDED, DEMANDED_INPUT, ANSWERED],  # each by its leaf
            [(CaseKind.DEMAND, Verdict.ANSWERED), (CaseKind.DEMAND, None)],
        ),
        (
            [challenged(), DEMANDED, ANSWERED, RIGHT],
            [(CaseKind.CHALLENGE, Verdict.REJECTED), (CaseKind.DEMAND, Verdict.ANSWERED)],
        ),
        (
            [challenged(), DEMANDED, TWICE],
            [
                (CaseKind.CHALLENGE, None),
                (CaseKind.DEMAND, None),
                (CaseKind.EQUIVOCATION, Verdict.PROVEN),
            ],
        ),
        ([DEMANDED, CONCEDED], [(CaseKind.DEMAND, None), (CaseKind.CONCESSION, Verdict.CONCEDED)]),
        ([VOIDED], []),  # nobody disputed it
        ([(on.Finalized, (ZERO_DIGEST, Wei(1)))], []),
    ],
)
def test_cases__events_of_a_round__are_opened_and_judged_in_order(
    story: Story, expected: list[tuple[CaseKind, Verdict | None]]
) -> None:
    told = _Told()
    told.tell_round(story)
    assert [(case.kind, case.verdict) for case in told.cases()] == expected
    assert all(bool(case.ended_at) is (case.verdict is not None) for case in told.cases())
    assert told.cases(2) == []


def test_case__by_a_proof__says_what_it_cost_whom() -> None:
    told = _Told()
    told.tell_round([CONVICTED, VOIDED])
    [case] = told.cases()
    assert (case.accuser, case.prover, case.claim) == (OTHER, address("prover"), 5)
    assert (case.slashed, case.paid, case.opened_tx) == (9, 1, case.ended_tx)


def test_case__of_a_result_whose_parent_becomes_void__ends_with_that() -> None:
    told = _Told()
    told.tell_round([challenged()], 2)
    told.tell_round([CONVICTED, VOIDED])
    told.tell_round([VOIDED], 2)
    assert [case.verdict for case in told.cases(2)] == [Verdict.PARENT_VOID]


def test_terms__of_every_kind__name_rules_that_there_are_and_a_period_for_each_turn() -> None:
    assert set(CASE_TERMS) == set(CaseKind)
    for terms in CASE_TERMS.values():
        for name in (terms.accuser_stake, terms.accused_stake, terms.period):
            assert name is None or hasattr(RULES, name)
        assert terms.turn is not None or terms.period is None


def test_case__by_a_demand__says_which_leaf_for_which_bond_until_when_and_what_it_cost() -> None:
    told = _Told()
    told.tell_round([DEMANDED])
    [case] = told.cases()
    assert (case.accuser, case.accused) == (ONE, RULES.superlink)
    assert (case.subject, case.bond, case.until) == ("rows:3", 3, 9000)
    told.tell_round([UNANSWERED, STRUCK, VOIDED])
    [case] = told.cases()
    assert (case.slashed, case.paid, case.prover) == (9, 1, None)


def test_case__of_two_commits__accuses_the_node() -> None:
    told = _Told()
    told.tell_round([TWICE])
    [case] = told.cases()
    assert (case.accuser, case.accused, case.slashed, case.paid) == (ONE, address("node"), 7, 2)


@pytest.fixture(scope="module")
def network(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Network:
    return deploy_network(anvil, tmp_path_factory.mktemp("network"))


async def test_challenges__rejected_then_conceded__as_the_coordinator_has_them(
    network: Network, database: Engine
) -> None:
    task, superlink, members = await network.new_round_ready(2)
    accuser = Signer.ephemeral()
    network.anvil.fund(accuser.address, Wei(10**18))
    async with indexing(network, database) as indexed, network.dao(indexed.chain) as dao:
        chain, coordinator = indexed.chain, Coordinator(indexed.chain)
        await grant(chain, dao, {accuser.address: Wei(2 * RULES.challenge_bond)})
        await _post(indexed, network, task, superlink, members)
        async with network.sender(chain, accuser) as sender:
            await sender.send(Token(chain).approve(coordinator.address, Wei(2 * RULES.challenge_bond)))
            sent = await sender.send(coordinator.challenge(task, ROUND, "row 3 \0 is wrong"))
            await indexed.caught_up()
            [case] = indexed.reads.list_cases(task).items
            assert (case.kind, case.accuser, case.accused) == (
                "challenge",
                accuser.address,
                superlink.operator.address,
            )
            assert (case.reason, case.opened_tx) == (
                "row 3 \N{REPLACEMENT CHARACTER} is wrong",
                sent.events[0].tx_hash,
            )
            assert (case.accuser_stake, case.accused_stake) == (RULES.challenge_bond, None)
            assert (case.turn, case.turn_ends_at) == ("dao", case.opened_at + RULES.resolve_period)
            assert indexed.reads.count_open_cases() == 1
            assert indexed.reads.list_cases(task, only_open=True).items == (case,)
            await _decide(indexed, network, coordinator.resolve(task, ROUND, True))
            assert await _phase(indexed, task) is Phase.POSTED
            await sender.send(coordinator.challenge(task, ROUND, "and row 4"))
        async with network.sender(chain, superlink.operator) as sender:
            await sender.send(coordinator.concede(task, ROUND))
        await indexed.caught_up()
        assert await _phase(indexed, task) is Phase.VOID
        newest, oldest = indexed.reads.list_cases(task, ROUND).items
        assert [(one.number, one.verdict, one.turn) for one in (oldest, newest)] == [
            (1, "rejected", None),
            (2, "conceded", None),
        ]
        assert indexed.reads.list_cases(only_open=True).items == ()
        first = indexed.reads.list_cases(limit=1)
        assert isinstance(first.items[0], CaseRecord)
        assert indexed.reads.list_cases(cursor=first.next, limit=1).items == (oldest,)
        kinds = [event.kind for event in indexed.reads.list_events(task=task, round_id=ROUND)]
        assert kinds[:3] == ["Voided", "Conceded", "Challenged"]
        assert indexed.reads.list_events(task=task, round_id=RoundId(2)) == []


async def test_demands__one_unanswered__voids_the_round_and_leaves_the_other_to_be_ended(
    network: Network, database: Engine
) -> None:
    task, superlink, members = await network.new_round_ready(2)
    demander = Signer.ephemeral()
    network.anvil.fund(demander.address, Wei(10**18))
    async with indexing(network, database) as indexed, network.sender(indexed.chain, demander) as sender:
        await _post(indexed, network, task, superlink, members)
        for leaf in ("rows:1", "medians"):
            demanded = await demand_leaf(indexed.chain, sender, task, ROUND, parse_place(leaf))
        await indexed.caught_up()
        other, case = indexed.reads.list_cases(task).items
        assert (case.kind, case.subject, case.accuser) == ("demand", "rows:1", demander.address)
        assert (other.subject, other.bond, other.accuser_stake) == ("medians", demanded.bond, None)
        assert (other.turn, other.turn_ends_at) == ("superlink", demanded.deadline)
        assert (other.accused, other.accused_stake) == (superlink.operator.address, RULES.superlink_bond)

        await indexed.pass_time(network, 100)
        await end_demand(indexed.chain, sender, task, ROUND, parse_place("rows:1"))
        await indexed.caught_up()
        assert await _phase(indexed, task) is Phase.VOID
        other, case = indexed.reads.list_cases(task).items
        assert case.verdict == "unanswered"
        assert case.slashed
        assert case.paid
        assert (other.verdict, other.turn, other.turn_ends_at) == (None, None, None)
        await end_demand(indexed.chain, sender, task, ROUND, parse_place("medians"))
        await indexed.caught_up()
        assert [one.verdict for one in indexed.reads.list_cases(task).items] == ["lapsed", "unanswered"]
        newest, *_ = indexed.reads.list_events(task=task, round_id=ROUND)
        assert (newest.kind, newest.address) == ("Expired", demander.address)


async def _decide(indexed: Indexed, network: Network, call: Call) -> None:
    """Have the timelock make a call, as if members had voted for it."""
    owner = hex_of(network.deployment.timelock)
    network.anvil.fund(network.deployment.timelock, Wei(10**18))
    network.anvil.request("anvil_impersonateAccount", owner)
    sent = {"from": owner, "to": hex_of(call.to or b""), "data": hex_of(call.data), "gas": hex(10**6)}
    tx_hash = network.anvil.request("eth_sendTransaction", sent)
    async with asyncio.timeout(LIMIT):
        while (receipt := network.anvil.request("eth_getTransactionReceipt", tx_hash)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # Anvil mines it a moment later
    assert int(receipt["status"], 16) == 1, receipt
    await indexed.caught_up()


async def _phase(indexed: Indexed, task: TaskId) -> Phase:
    return (await Coordinator(indexed.chain).round_of(task, ROUND, indexed.chain.head())).phase


async def _post(
    indexed: Indexed, network: Network, task: TaskId, superlink: Member, members: list[Member]
) -> None:
    chain, coordinator = indexed.chain, Coordinator(indexed.chain)
    async with network.sender(chain, superlink.operator) as sender:
        opened = await sender.send(coordinator.open_round(task))
        where = (task, ROUND, opened.events[0].block)
        closed = await sender.send(
            coordinator.close_commits(*where, root_of(members), ZERO_DIGEST, len(members), 0)
        )
        seed = closed.events[0].seed  # type: ignore[attr-defined]
        manifest = manifest_of(network, task, seed, {members[0]: 3000, members[1]: 1000})
        result = compute_result(manifest, (), manifest.model.digest, cid_of_bytes(b"none").digest)
        await sender.send(coordinator.post_result(task, ROUND, result))
