"""The part of a made-up history that is about demands and votes on gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bench.synthetic_events import NETWORK
from dao.chain import events
from dao.chain import vote_events as votes
from dao.chain.event_types import Event
from dao.chain.gradient_votes import GradientVerdict
from dao.core.types import Address, RoundId, TaskId, Timestamp, Wei
from dao.proofs.leaf_places import DemandTree

if TYPE_CHECKING:
    from tests.index.tale import State, Tale

Events = Iterator[tuple[type[Event], tuple[Any, ...]]]


def dispute_gradients(tale: Tale, state: State, person: Address) -> Events:
    """Open a case, have a juror vote in one, or end one."""
    standing = state.list_rounds("posted", "frozen")
    fresh = [one for one in standing if one not in state.cases]
    if fresh and tale.dice.random() < 0.3:
        task, number = tale.pick(fresh)
        state.cases[task, number] = "open"
        now = tale.head.timestamp
        ends = Timestamp(now + 60), Timestamp(now + 120)
        yield votes.GradientAccused, (task, RoundId(number), person, Wei(7), *ends)
        return
    one = tale.pick(key for key, state_of in state.cases.items() if state_of == "open")
    if one is None:
        return
    place = TaskId(one[0]), RoundId(one[1])
    if tale.dice.random() < 0.6:
        yield votes.VoteCommitted, (*place, person)
        yield votes.VoteRevealed, (*place, person, True, 5)
        return
    state.cases[one] = "over"
    if one not in standing:
        yield votes.GradientJudged, (*place, GradientVerdict.LAPSED, 5, 0, Wei(0))
        return
    verdict = tale.dice.choice((GradientVerdict.WRONG, GradientVerdict.RIGHT, GradientVerdict.UNDECIDED))
    yield votes.GradientJudged, (*place, verdict, 5, 5, Wei(0))
    if verdict is GradientVerdict.WRONG:
        state.rounds[one[0]][one[1] - 1] = "void"
        yield events.Convicted, (*place, NETWORK.gradient_vote, 0, person, Wei(9), Wei(1))
        yield events.Voided, place
    yield votes.JurorFined, (*place, person, Wei(1))


def dispute_by_demand(tale: Tale, state: State, person: Address) -> Events:
    """Demand a leaf, or answer or end a demand."""
    standing = state.list_rounds("posted", "frozen")
    place = tale.dice.randrange(len(DemandTree)), 0, 0
    if standing and tale.dice.random() < 0.5:
        task, number = tale.pick(standing)
        if (task, number, place) not in state.demands:
            state.demands[task, number, place] = "open"
            end = Timestamp(tale.head.timestamp + 60)
            yield events.Demanded, (task, RoundId(number), person, place, Wei(10**15), end)
        return
    one = tale.pick(key for key, stands in state.demands.items() if stands == "open")
    if one is None:
        return
    task, number, place = one
    state.demands[one] = "over"
    stands = (task, number) in standing
    if stands and tale.dice.random() < 0.5:
        yield events.Answered, (task, RoundId(number), person, place, b"leaf")
        return
    yield events.Expired, (task, RoundId(number), person, place, stands)
    if stands:
        state.rounds[task][number - 1] = "void"
        values = (NETWORK.disputes, place[0], person, Wei(9), Wei(1))
        yield events.Convicted, (task, RoundId(number), *values)
        yield events.Voided, (task, RoundId(number))
