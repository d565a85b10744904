"""A Superlink in its task: `play` is one round, top to bottom: open, commits, seed, reveals, settlement, result.

The chain is the authority: each step first reads the round's state, so that a Superlink that was killed anywhere goes on
from there. Deadlines are compared with block time, never with the local clock.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from aggregator.collection import Collection
from aggregator.compute import GateGradient, RoundBase, RoundComputer, RoundJob, Settlement
from aggregator.finalizer import TROUBLE, Finalizer
from aggregator.inputs import (
    assemble_job,
    check_first_base,
    collect_opening,
    read_base,
    read_state,
    restore_reveals,
)
from aggregator.intake import Intake
from aggregator.journal import SuperlinkJournal
from aggregator.next_round import NextRound
from aggregator.publisher import Publisher
from aggregator.readiness import SuperlinkReadiness
from aggregator.reveal_fetcher import RevealFetcher, move_reveal_time
from aggregator.round_calls import RETRY, RoundCalls
from dao.app.shards import Shards
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.events import CommitsClosed, ResultPosted, RoundOpened
from dao.chain.rounds import RoundReader
from dao.chain.sender import Sender
from dao.chain.task_follower import TaskFollower
from dao.core.round_machine import (
    compute_close_time,
    compute_earliest_abort,
    compute_result_deadline,
    compute_reveal_deadline,
    draw_shard,
)
from dao.core.transition import PreState
from dao.core.types import Digest, Phase, RoundId, RoundState, Rules, TaskId, Timestamp
from dao.errors import ConfigError, DaoError, RuleError
from dao.runtime.backoff import pause_after
from dao.runtime.failpoint import failpoint

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts while there is trouble


class RoundLost(RuleError):  # noqa: N818  (a leaf of the tree)
    """The round ended without our result: aborted, void, or posted before a restart."""


class TaskOver(RuleError):  # noqa: N818  (a leaf of the tree)
    """This Superlink can play no further round of this task."""


@dataclass(frozen=True)
class SuperlinkDeps:
    """What the Superlink acts through; `report` takes events, as `StatusStream.emit` does."""

    chain: Chain
    sender: Sender
    follower: TaskFollower
    journal: SuperlinkJournal
    intake: Intake
    computer: RoundComputer
    publisher: Publisher
    shards: Shards
    readiness: SuperlinkReadiness
    calls: RoundCalls
    next_round: NextRound
    finalizer: Finalizer
    report: Callable[..., None]


class Superlink:
    """Plays the rounds of one task, each by the rules that it opened with; `base_model` is the task's."""

    def __init__(self, task: TaskId, base_model: Digest, deps: SuperlinkDeps) -> None:
        self._task, self._base_model, self._deps = task, base_model, deps
        self._chain, self._follower, self._report = deps.chain, deps.follower, deps.report
        self._coordinator, self._reader = Coordinator(deps.chain), RoundReader(deps.chain, task)
        self._fetcher = RevealFetcher(deps.chain, self._reader, deps.intake)
        self._shards: tuple[Rules, Shards] | None = None  # by the rules that they were last selected for
        self._base: RoundBase | None = None  # of the next round, where its parent is the last one posted
        self._syncing: asyncio.Task[None] | None = None

    async def run(self, rounds: int | None = None) -> None:
        """Play `rounds` rounds to their posted result, or (None) all until the task is over."""
        played = failures = 0
        while rounds is None or played < rounds:
            try:
                with self._deps.finalizer.deferred():
                    await self.play(goes_on=rounds is None or played + 1 < rounds)
                played, failures = played + 1, 0
            except TaskOver as over:
                self._report("over", reason=str(over))
                return
            except RoundLost as lost:
                self._report("lost", reason=str(lost))
            except TROUBLE as error:
                failures += 1
                self._report("trouble", error=str(error))
                await asyncio.sleep(pause_after(failures, FIRST_PAUSE, LONGEST_PAUSE))

    async def play(self, *, goes_on: bool = False) -> None:
        """Play one round from wherever it stands, and open the next with its result if the Superlink `goes_on`.

        RoundLost when it ends otherwise; any DaoError may be retried.
        """
        opened, base = await self._open()
        self._deps.publisher.begin(opened.round, *base.contents, parent=opened.parent)
        collection = await self._collect(opened, base)
        # members ask for it here before they train
        await self._deps.publisher.fetch_card(collection.rules.card)
        state = await read_state(self._chain, self._reader, base, opened.round)
        if len(state.used_shards) == collection.rules.shards:  # anyone may open a round
            in_progress = await self._read_round(collection, Phase.OPEN, Phase.CLOSED)
            await self._abort(collection, in_progress, "no validation shard is left")
        await self._wait_commits(opened, collection)
        closed = await self._close(collection)
        index = draw_shard(closed.seed, collection.rules.shards, state.used_shards)
        shard = await self._deps.publisher.put_shard(self._shards_of(collection.rules).paths[index])
        rules, path = collection.rules, self._deps.publisher.path_of(shard)
        gating = asyncio.create_task(self._deps.computer.gate(base, path, rules.body_depth, rules.card))
        try:
            settlement, posted = await self._settle(
                closed, index, collection, base, state, gating, goes_on=goes_on
            )
        finally:
            gating.cancel()
            with suppress(asyncio.CancelledError, DaoError):
                await gating
        collection.release_updates()
        self._base = settlement.base if posted.result == settlement.result else None
        self._syncing = asyncio.create_task(self._deps.publisher.sync(settlement.base.cid))
        self._report(
            "posted",
            round=posted.round,
            model=settlement.base.cid,
            manifest=settlement.manifest_cid,
            loss_before=settlement.manifest.loss_before,
            loss_after=settlement.manifest.loss_after,
        )

    # Open

    async def _open(self) -> tuple[RoundOpened, RoundBase]:
        """Open a round, or find the one in progress: ours, once another Superlink's is over."""
        round_id = await self._open_or_resume()
        opened = (await self._reader.events_of(round_id, self._chain.final())).opened
        return opened, await self._read_base(opened.parent)

    async def _open_or_resume(self) -> RoundId:
        while True:
            at = self._chain.final()
            task = await self._coordinator.task_of(self._task, at)
            last = await self._coordinator.round_of(self._task, task.last_round, at)
            if last.phase in (Phase.OPEN, Phase.CLOSED):
                if last.parent == task.head:
                    rules = await self._coordinator.rules_of_round(self._task, task.last_round, at)
                    if rules.superlink == self._deps.sender.address:
                        return task.last_round
                    due = compute_earliest_abort(rules, last)
                    if self._follower.now() < due:
                        await self._follower.wait(due)
                        continue
                abort = self._coordinator.abort(self._task, task.last_round)
                await self._deps.calls.send(abort, "abort", task.last_round)
                continue
            round_id = RoundId(task.last_round + 1)
            await self._check_task(task.head, round_id)
            if await self._deps.calls.send(self._coordinator.open_round(self._task), "open", round_id):
                self._deps.readiness.reset()
                failpoint("superlink-opened")
                return round_id

    async def _check_task(self, head: RoundId, round_id: RoundId) -> None:
        """TaskOver when no further round can be opened and played."""
        # a successor's model may be nowhere here
        if not (end := await self._deps.next_round.explain_loss()):
            base = await self._read_base(head)
            state = await read_state(self._chain, self._reader, base, round_id)
            end = await self._deps.next_round.explain_end(base.previous, len(state.used_shards))
        if end:
            raise TaskOver(f"task {self._task}: {end}")
        rules = await self._coordinator.rules_of(self._task, self._chain.final())
        await check_first_base(base, rules)
        self._shards_of(rules)

    async def _read_base(self, parent: RoundId) -> RoundBase:
        if self._base is None or (self._base.previous.round if self._base.previous else 0) != parent:
            self._base = await read_base(
                self._chain, self._reader, self._deps.publisher, self._base_model, parent
            )
        return self._base

    def _shards_of(self, rules: Rules) -> Shards:
        """Return the shards that these rules have; TaskOver where this Superlink has not got them all."""
        if self._shards is None or self._shards[0] != rules:
            try:
                self._shards = rules, self._deps.shards.select(rules)
            except ConfigError as error:
                raise TaskOver(f"task {self._task}: {error}; start again with all of them") from None
        return self._shards[1]

    async def _collect(self, opened: RoundOpened, base: RoundBase) -> Collection:
        """Begin to take what nodes send for the round, beside what the journal has of it."""
        collection = self._deps.intake.get_collection(opened.round)
        if collection is None or collection.opened != opened:  # after a reorg others may take part
            collection = await collect_opening(
                self._chain, self._reader, self._deps.journal, self._deps.publisher, opened, base.model.layout
            )
            self._deps.intake.begin(collection)
        else:
            await restore_reveals(collection, self._deps.publisher)
        deadline = opened.timestamp + collection.rules.commit_period
        self._report(
            "opened",
            round=opened.round,
            parent=opened.parent,
            eligible=opened.eligible,
            deadline=deadline,
            nodes=[*collection.members],
        )
        return collection

    # Commits

    async def _wait_commits(self, opened: RoundOpened, collection: Collection) -> None:
        """Wait for commits: until all that are eligible have committed or passed, else until they may close without the rest."""
        version = -1
        while True:
            while version != self._follower.version:  # until no news came while the round was read
                version = self._follower.version
                state = await self._read_round(collection, Phase.OPEN, Phase.CLOSED)
            is_closing = state.phase is Phase.CLOSED or not collection.accepts_commits
            is_complete = is_closing or len(collection.heard) >= opened.eligible
            due = compute_close_time(collection.rules, state, collection.committed)
            if is_complete or self._follower.now() >= due:
                return
            await self._follower.wait(due, collection.changed())

    async def _close(self, collection: Collection) -> CommitsClosed:
        """Close with all commits that are here and not forced; RoundLost, after an abort, where that cannot be."""
        round_id, journal = collection.round, self._deps.journal
        opening = (self._task, round_id, collection.opening)
        collection.accepts_commits = False
        nodes = journal.read_closing(*opening)  # their root may be on its way to the chain
        is_journalled = journal.is_closing(*opening) and nodes <= collection.heard
        while (closed := await self._closed_event(collection)) is None:
            state = await self._read_round(collection, Phase.OPEN)
            if not is_journalled or not nodes.isdisjoint(collection.forced):
                nodes = collection.heard - collection.forced.keys()
                if collection.count(nodes)[0] + len(collection.forced) < collection.rules.quorum:
                    await self._abort(collection, state, collection.explain_quorum())
                await journal.set_closing(*opening, nodes)
            failpoint("superlink-closing")
            root, counts = collection.build_tree(nodes).root, collection.count(nodes)
            place = (self._task, round_id, state.open_block)
            call = self._coordinator.close_commits(*place, root, collection.forced_hash, *counts)
            is_journalled = await self._deps.calls.send(call, "close", round_id, state.open_block) is not None
        nodes = journal.read_closing(*opening)
        state = await self._read_round(collection, Phase.CLOSED)
        if not nodes <= collection.heard or closed.root != collection.build_tree(nodes).root:
            await self._abort(
                collection, state, "the commits that it was closed with are not in this journal"
            )
        failpoint("superlink-closed")
        collection.close(nodes)
        self._report(
            "closed",
            round=round_id,
            commits=closed.commits,
            passes=closed.passes,
            forced=[*collection.forced],
            seed=closed.seed,
            deadline=compute_reveal_deadline(collection.rules, state),
        )
        return closed

    async def _closed_event(self, collection: Collection) -> CommitsClosed | None:
        """Return the event that closed the round into its state; None for an open one."""
        while (state := await self._read_round(collection, Phase.OPEN, Phase.CLOSED)).phase is Phase.CLOSED:
            closed = await self._reader.find_closed(collection.round, state, self._chain.final())
            if closed is not None:
                return closed
            await self._follower.wait(Timestamp(self._follower.now() + RETRY))
        return None

    # Reveals, settlement, result

    async def _settle(
        self,
        closed: CommitsClosed,
        index: int,
        collection: Collection,
        base: RoundBase,
        state: PreState,
        gating: "asyncio.Task[GateGradient]",
        *,
        goes_on: bool,
    ) -> tuple[Settlement, ResultPosted]:
        """Settle and post; again where a reorg changed what was forced. RoundLost, after an abort, when time is up."""
        round_id = collection.round
        job: RoundJob | None = None
        while True:
            due = await self._wait_reveals(closed, collection)
            gate = await asyncio.shield(gating)  # a reveal that comes meanwhile is late, not withheld
            before = job
            job = assemble_job(
                *(self._chain, self._shards_of(collection.rules), self._deps.publisher, collection),
                *(base, state, closed.seed, index),
            )
            if before is None or (before.inputs.commits, before.inputs.forced) != (
                job.inputs.commits,
                job.inputs.forced,
            ):
                self._report("working", round=round_id, step="settlement")
                for stored in collection.reveals.values():
                    self._deps.publisher.publish(stored.reveal.cid)
                announce = partial(collection.announce, job.inputs.shard.cid.digest)
                settlement = await self._deps.computer.settle(job, gate, announce)
                await self._deps.publisher.wait_settled((due - self._follower.now()) / 2)
            failpoint("superlink-published")
            used = len({*state.used_shards, index})
            opens_next = goes_on and await self._deps.next_round.may_follow(settlement.manifest, used)
            receipt = await self._deps.calls.post(round_id, settlement.result, opens_next=opens_next)
            for event in receipt.events if receipt else ():
                if isinstance(event, ResultPosted):
                    failpoint("superlink-posted")
                    return settlement, event

    async def _wait_reveals(self, closed: CommitsClosed, collection: Collection) -> Timestamp:
        """Wait until all that committed have revealed, else to the deadline, and longer for what was opened on chain.

        Return the result's deadline; RoundLost, after an abort, where that is over.
        """
        version = -1
        while True:
            while version != self._follower.version:  # until no news came while the round was read
                version = self._follower.version
                state = await self._read_round(collection, Phase.CLOSED)
            if state.closing != closed.closing:
                raise RoundLost(f"round {collection.round}: a reorg closed it anew, with another seed")
            if self._follower.now() > compute_result_deadline(collection.rules, state):
                await self._abort(collection, state, "no result was posted in time")
            deadline = move_reveal_time(collection, state, self._follower.now())
            if collection.has_all_reveals():
                if await self._fetcher.is_certain(collection, state):
                    return compute_result_deadline(collection.rules, state)
                deadline = Timestamp(self._follower.now() + RETRY)
            await self._follower.wait(deadline, collection.changed())

    # The chain

    async def _read_round(self, collection: Collection, *phases: Phase) -> RoundState:
        """Read the round's state and its forced commits; RoundLost when it is in none of these phases."""
        at = self._chain.final()
        task = await self._coordinator.task_of(self._task, at)
        state = await self._coordinator.round_of(self._task, collection.round, at)
        if state.phase not in phases or task.head != state.parent:
            raise RoundLost(
                f"round {collection.round}: {state.phase.name.lower()} on {state.parent}, head {task.head}"
            )
        opened = collection.opened
        began = (state.opening, state.opened_at, state.eligible)
        if began != (collection.opening, opened.timestamp, opened.eligible):
            raise RoundLost(f"round {collection.round}: a reorg opened it anew")
        # by the hash, not the number: after a reorg there may be as many in another order
        if await self._coordinator.forced_hash_of(self._task, collection.round, at) != collection.forced_hash:
            collection.take_forced((await self._reader.events_of(collection.round, at)).forced)
        if state.phase is Phase.CLOSED:
            await self._fetcher.look(collection, state, at)
        return state

    async def _abort(self, collection: Collection, state: RoundState, why: str) -> NoReturn:
        """Abort the round as soon as the rules allow it; raises RoundLost."""
        round_id, due = collection.round, compute_earliest_abort(collection.rules, state, by_superlink=True)
        while self._follower.now() < due:
            await self._follower.wait(due)
        await self._deps.calls.send(self._coordinator.abort(self._task, round_id), "abort", round_id)
        self._report("aborted", round=round_id, reason=why)
        raise RoundLost(f"round {round_id}: aborted: {why}")
