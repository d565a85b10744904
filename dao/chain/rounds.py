"""Reads what the chain records of a round: its members and their stake, forced commits, closing, result."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Registry
from dao.chain.event_types import Event
from dao.chain.events import (
    Aborted,
    CommitsClosed,
    Finalized,
    ForcedCommit,
    ForcedReveal,
    Joined,
    Left,
    ResultPosted,
    RoundOpened,
    Voided,
)
from dao.core.round_machine import UNDECIDED
from dao.core.state import LostRound
from dao.core.statement import compute_result_hash
from dao.core.types import (
    Address,
    BlockNumber,
    Digest,
    Member,
    Phase,
    Result,
    RoundId,
    RoundState,
    TaskId,
    Wei,
)
from dao.errors import ChainError

E = TypeVar("E", RoundOpened, CommitsClosed, ResultPosted, ForcedCommit, ForcedReveal)
PARALLEL = 32  # reads at a time
SETTLED = 64  # blocks before an opening that a reorg may still take back, so that they are read again
SPAN = 1000  # blocks that are read at once, to find the events of a round
_KINDS: tuple[type[Event], ...] = (
    *(RoundOpened, ForcedCommit, CommitsClosed, ResultPosted),
    *(Finalized, Aborted, Voided),
)
MOST_RESULTS = 64
# the newest that were found, by their hash: several parts of a daemon read them
_results: dict[Digest, Result] = {}
_LAST_EVENTS: Mapping[Phase, type[Event]] = {
    Phase.CLOSED: CommitsClosed,
    Phase.POSTED: ResultPosted,
    Phase.FROZEN: ResultPosted,
    Phase.FINALIZED: Finalized,
    Phase.ABORTED: Aborted,
    Phase.VOID: Voided,
}


@dataclass(frozen=True, slots=True)
class RoundEvents:
    """A round's events up to some block; its forced commits in order."""

    opened: RoundOpened
    closed: CommitsClosed | None
    posted: ResultPosted | None
    final: Finalized | None
    forced: tuple[ForcedCommit, ...]


class RoundReader:
    """Reads of one task, each at a block; membership is read on from where the last round's ended."""

    def __init__(self, chain: Chain, task: TaskId) -> None:
        self._chain = chain
        self._task = task
        self._coordinator, self._registry = Coordinator(chain), Registry(chain)
        self._settled = BlockNumber(chain.deployment.block - 1)
        self._changes: list[Joined | Left] = []

    async def read_undecided(self, at: BlockRef) -> dict[RoundId, RoundState]:
        """Return the rounds of the task that are neither final nor void nor aborted, and their states, rising."""
        task = await self._coordinator.task_of(self._task, at)
        rounds: dict[RoundId, RoundState] = {}
        round_id = task.last_round
        while len(rounds) < task.in_flight and round_id:
            state = await self._coordinator.round_of(self._task, round_id, at)
            if state.phase in UNDECIDED:
                rounds[round_id] = state
            round_id = RoundId(round_id - 1)
        return dict(sorted(rounds.items()))

    async def events_of(self, round_id: RoundId, at: BlockRef) -> RoundEvents:
        """Return a round's events up to a block; ChainError when it had not been opened."""
        state = await self._coordinator.round_of(self._task, round_id, at)
        if state.phase is Phase.NONE:
            raise ChainError(
                f"task {self._task} round {round_id}: not opened at block {at.number}; see its rounds"
            )
        events = await self._trace(round_id, state, at)
        opened, closed, posted, final = (
            next((event for event in events if isinstance(event, kind)), None)
            for kind in (RoundOpened, CommitsClosed, ResultPosted, Finalized)
        )
        if not isinstance(opened, RoundOpened):
            raise ChainError(f"round {round_id}: no event of its opening; use a node with more history")
        return RoundEvents(
            opened,
            closed if isinstance(closed, CommitsClosed) else None,
            posted if isinstance(posted, ResultPosted) else None,
            final if isinstance(final, Finalized) else None,
            tuple(event for event in events if isinstance(event, ForcedCommit)),
        )

    async def _trace(self, round_id: RoundId, state: RoundState, at: BlockRef) -> list[Event]:
        """Return a round's events, in order, from its opening to the one that brought it into this state.

        However long ago that was, no block after it is read.
        """
        where = self._chain.filter_of(_KINDS, self._task, round_id)
        events: list[Event] = []
        for first in range(state.open_block, at.number + 1, SPAN):
            last = min(first + SPAN - 1, at.number)
            logs = await self._chain.logs(where, (BlockNumber(first), BlockNumber(last)))
            events += await self._chain.decode(logs)
            if any(isinstance(event, _LAST_EVENTS.get(state.phase, ())) for event in events):
                break
        return events

    async def forced_reveals_of(
        self, round_id: RoundId, closed: RoundState, at: BlockRef
    ) -> list[ForcedReveal]:
        """Return the forced reveals of a round that was closed, up to a block."""
        return await self._past(ForcedReveal, round_id, at, closed.open_block)

    async def find_closed(self, round_id: RoundId, closed: RoundState, at: BlockRef) -> CommitsClosed | None:
        """Return the event that closed a round into this state; None where the chain's node does not show it."""
        events = await self._past(CommitsClosed, round_id, at, closed.open_block)
        return next((event for event in events if event.closing == closed.closing), None)

    async def find_result(self, round_id: RoundId, posted: RoundState, at: BlockRef) -> Result | None:
        """Return the result that a posted round's state is of; None where the chain's node does not show it."""
        if posted.result_hash not in _results:
            for event in await self._past(ResultPosted, round_id, at, posted.open_block):
                if compute_result_hash(event.result) == posted.result_hash:
                    _keep_result(posted.result_hash, event.result)
        return _results.get(posted.result_hash)

    async def read_lost_rounds(self, parent: RoundId, round_id: RoundId, at: BlockRef) -> list[LostRound]:
        """Return the rounds between a round and its parent that drew a shard, in order: they came to nothing.

        ChainError when the chain's node does not show the closing of one, or the result.
        """
        limit = asyncio.Semaphore(PARALLEL)

        async def read(number: RoundId) -> LostRound | None:
            async with limit:
                state = await self._coordinator.round_of(self._task, number, at)
                if not state.closed_at:
                    return None
                rules = await self._coordinator.rules_of_round(self._task, number, at)
                if not state.posted_at:
                    closed = await self.find_closed(number, state, at)
                    root_and_seed = (closed.root, closed.seed) if closed else None
                    result = None
                else:
                    result = await self.find_result(number, state, at)
                    root_and_seed = (result.commits_root, result.seed) if result else None
            if root_and_seed is None:
                raise ChainError(
                    f"round {number}: no event of its closing or result; use a node with more history"
                )
            return LostRound(rules.shards, *root_and_seed, result)

        rounds = await asyncio.gather(*map(read, map(RoundId, range(parent + 1, round_id))))
        return [one for one in rounds if one is not None]

    async def members_of(self, opened: RoundOpened, at: BlockRef) -> Mapping[Address, Member]:
        """Return the Supernodes that had joined when the round opened, with owner and stake, by operator."""
        owners = await self.owners_of(opened)
        before = BlockNumber(opened.block - 1)
        limit = asyncio.Semaphore(PARALLEL)

        async def stake_of(operator: Address) -> Wei:
            async with limit:
                return await self._registry.stake_at(operator, before, at)

        stakes = await asyncio.gather(*map(stake_of, owners))
        return {
            operator: Member(owner, stake)
            for (operator, owner), stake in zip(owners.items(), stakes, strict=True)
        }

    async def owners_of(self, opened: RoundOpened) -> dict[Address, Address]:
        """Return the owners of the Supernodes that had joined when the round opened, by operator."""
        owners: dict[Address, Address] = {}
        for event in await self._changes_until(opened):
            if isinstance(event, Joined):
                owners[event.operator] = event.owner
            else:
                owners.pop(event.operator, None)
        return owners

    async def _changes_until(self, opened: RoundOpened) -> list[Joined | Left]:
        if opened.block <= self._settled:  # an older round than the last one read
            self._settled, self._changes = BlockNumber(self._chain.deployment.block - 1), []
        first = BlockNumber(self._settled + 1)
        joined, left = await asyncio.gather(
            self._chain.past(Joined, task=self._task, from_block=first, to_block=opened.block),
            self._chain.past(Left, task=self._task, from_block=first, to_block=opened.block),
        )
        new: list[Joined | Left] = sorted([*joined, *left], key=lambda event: (event.block, event.log_index))
        changes = self._changes + [
            event for event in new if (event.block, event.log_index) < (opened.block, opened.log_index)
        ]
        settled = BlockNumber(max(self._settled, opened.block - SETTLED))
        self._changes = [event for event in changes if event.block <= settled]
        self._settled = settled
        return changes

    async def _past(self, kind: type[E], round_id: RoundId, at: BlockRef, first: BlockNumber) -> list[E]:
        return await self._chain.past(
            kind, task=self._task, round=round_id, from_block=first, to_block=at.number
        )


def _keep_result(digest: Digest, result: Result) -> None:
    if len(_results) >= MOST_RESULTS:
        del _results[next(iter(_results))]
    _results[digest] = result
