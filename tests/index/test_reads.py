"""Reads of a made-up history: pages that add up to the list, and cursors that are none."""

from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import Engine

from bench.index_load import fill
from bench.synthetic_events import NETWORK, SyntheticHistory, operator_of, owner_of
from dao.core.types import RoundId, TaskId
from dao.errors import DecodeError
from dao.index.reads import Reads
from dao.index.reads.records import EventRecord, RecordPage

Read = Callable[[Reads, str | None, int], RecordPage[object]]
FIRST = TaskId(1)
LISTS: dict[str, Read] = {
    "tasks": lambda reads, *page: reads.list_tasks(*page),
    "rounds": lambda reads, *page: reads.list_rounds(FIRST, *page),
    "nodes": lambda reads, *page: reads.list_round_nodes(FIRST, RoundId(1), *page),
    "supernodes": lambda reads, *page: reads.list_task_nodes(FIRST, *page),
    "delegates": lambda reads, *page: reads.list_delegates(*page),
    "payments": lambda reads, *page: reads.list_payments(*page),
    "proposals": lambda reads, *page: reads.list_proposals(None, *page),
    "in_a_state": lambda reads, *page: reads.list_proposals(
        reads.list_proposals(limit=1).items[0].state, *page
    ),
    "votes": lambda reads, *page: reads.list_votes(reads.list_proposals(limit=1).items[0].proposal, *page),
    "votes_of": lambda reads, *page: reads.list_votes_of(
        reads.list_votes(proposal(reads)).items[0].voter, *page
    ),
}


def proposal(reads: Reads) -> int:
    return reads.list_proposals(limit=1).items[0].proposal


@pytest.fixture
def reads(database: Engine) -> Reads:
    fill(database, 3000, SyntheticHistory(members=30, tasks=3))
    return Reads(database)


def test_lists__page_by_page__are_the_whole_once(reads: Reads) -> None:
    for name, read in LISTS.items():
        whole = read(reads, None, 500)
        assert whole.next is None, name
        assert len(whole.items) > 1, name
        for limit in (1, 3, len(whole.items) - 1, len(whole.items)):
            found: list[object] = []
            cursor: str | None = None
            while True:
                page = read(reads, cursor, limit)
                found += page.items
                assert len(page.items) == limit or page.next is None, name
                cursor = page.next
                if cursor is None:
                    break
            assert tuple(found) == whole.items, name
        for wrong in ("", "x", "1-2-3", "-", "zz-1", "1" * 100, "\x00", "1-"):
            with pytest.raises(DecodeError, match="cursor"):
                read(reads, wrong, 5)


def test_events__after_and_before_a_place__in_order_and_of_what_is_asked(reads: Reads) -> None:
    newest = reads.list_events(limit=500)
    assert [event.place for event in newest] == sorted((event.place for event in newest), reverse=True)
    everything = list(reads.list_events(0, limit=500))
    while len(more := reads.list_events(everything[-1].place, limit=500)) > 0:
        everything += more
    places = [event.place for event in everything]
    assert places == sorted(set(places))
    assert tuple(everything[-500:][::-1]) == tuple(newest)
    assert reads.list_events(before=newest[-1].place, limit=7)[0] == everything[-501]
    who, number = owner_of(3), proposal(reads)
    cases: Sequence[tuple[Sequence[EventRecord], Callable[[EventRecord], bool]]] = (
        (reads.list_events(0, topics=["vote"], limit=500), lambda event: event.topic == "vote"),
        (reads.list_events(0, task=TaskId(2), limit=500), lambda event: event.task == 2),
        (reads.list_events(0, proposal=number, limit=500), lambda event: event.proposal == number),
    )
    for found, fits in cases:
        assert list(found) == [event for event in everything if fits(event)][:500]
    assert {event.kind for event in reads.list_events(0, address=who, limit=500)} >= {
        "Transfer",
        "Registered",
    }


def test_reads__of_what_is_not_there__say_so(reads: Reads) -> None:
    nobody = owner_of(10**6)
    assert reads.find_task(TaskId(99)) is None
    assert reads.find_round(FIRST, RoundId(10**6)) is None
    assert reads.list_rounds(TaskId(99)).items == ()
    assert reads.list_round_nodes(FIRST, RoundId(10**6)).items == ()
    assert reads.find_supernode(nobody) is None
    assert reads.find_proposal(7) is None
    assert reads.find_vote(proposal(reads), nobody) is None
    empty = reads.find_accounts(TaskId(99))
    assert empty is not None
    assert empty.get(nobody) is None
    assert reads.find_accounts(FIRST) is None  # no manifest of a made-up round was ever read
    assert reads.get_account(nobody).votes == 0


def test_reads__of_a_made_up_history__add_up(reads: Reads) -> None:
    network = reads.get_network(NETWORK)
    held = [reads.get_account(owner_of(number)) for number in range(30)]
    others = [
        reads.get_account(address) for address in (NETWORK.timelock, NETWORK.registry, NETWORK.distributor)
    ]
    assert sum(account.balance for account in (*held, *others)) == network.supply
    assert network.treasury == reads.get_treasury(NETWORK).balance == others[0].balance
    assert [len(account.supernodes) for account in held] == [1] * 30
    node = reads.find_supernode(operator_of(4))
    assert node is not None
    assert (node.owner, node.active) == (owner_of(4), held[4].staked)
    votes = {item.address: item.votes for item in reads.list_delegates(limit=500).items}
    assert votes == {account.address: account.votes for account in held}
