"""One round, top to bottom, and then the next: open, commits, seed, reveals, settlement, result.

The chain is the authority: each step first reads where the round stands, so that a Superlink that was killed anywhere
goes on from there. Waits end by block time.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from aggregator.collection import Collection
from aggregator.compute import BaseModel, GateGradient, RoundComputer, RoundInputs, Settlement
from aggregator.inputs import absent_from, base_at, commits_of
from aggregator.intake import Intake
from aggregator.journal import HeldCommit, SuperlinkJournal
from aggregator.publisher import Publisher
from aggregator.readiness import MISSING, Readiness
from aggregator.task_watcher import TaskWatcher
from dao.app.shards import Shards
from dao.chain.client import Chain
from dao.chain.contracts import Call, Coordinator
from dao.chain.events import CommitsClosed, ResultPosted, RoundOpened
from dao.chain.rounds import RoundReader
from dao.chain.sender import Sender, TxReceipt
from dao.core.commits import SignedCommit, compute_commits_root, compute_forced_hash
from dao.core.errors import DaoError, Reverted, RuleError
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Shard
from dao.core.round_machine import (
    compute_commit_deadline,
    compute_earliest_abort,
    compute_result_deadline,
    compute_reveal_deadline,
    draw_shard,
)
from dao.core.types import Address, Digest, Phase, RoundId, RoundState, Signature, TaskId, Timestamp, hex_of
from dao.runtime.failpoint import failpoint

RETRY = 1  # seconds of block time
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts while something is in trouble


TROUBLE = (DaoError, OSError, sqlite3.Error)  # that may be over at the next attempt: an outage, a full disk


class RoundLost(RuleError):  # noqa: N818  (a leaf of the tree)
    """The round ended without our result: aborted, void, or posted by an earlier self."""


class TaskOver(RuleError):  # noqa: N818  (a leaf of the tree)
    """No round of this task can be played by this Superlink any more."""


@dataclass(frozen=True)
class SuperlinkDeps:
    """What the Superlink works with."""

    chain: Chain
    sender: Sender
    watch: TaskWatcher
    journal: SuperlinkJournal
    intake: Intake
    work: RoundComputer
    publisher: Publisher
    shards: Shards
    shortage: Readiness
    tell: Callable[..., None]


class Superlink:
    """Plays the rounds of one task, each by the rules that it opened with; `base_model` is the task's."""

    def __init__(self, task: TaskId, base_model: Digest, tools: SuperlinkDeps) -> None:
        self._task, self._base_model, self._tools = task, base_model, tools
        self._chain, self._watch, self._tell = tools.chain, tools.watch, tools.tell
        self._coordinator, self._history = Coordinator(tools.chain), RoundReader(tools.chain, task)
        self._base: BaseModel | None = None  # of the next round, where its parent is the last one posted
        self._syncing: asyncio.Task[None] | None = None

    async def run(self, rounds: int | None = None) -> None:
        """Play `rounds` rounds to their posted result, or (None) all until the task is over."""
        played, pause = 0, 0.0
        while rounds is None or played < rounds:
            try:
                await self.play()
                played, pause = played + 1, 0.0
            except TaskOver as over:
                self._tell("over", reason=str(over))
                return
            except RoundLost as lost:
                self._tell("lost", reason=str(lost))
            except TROUBLE as error:
                pause = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
                self._tell("trouble", error=str(error))
                await asyncio.sleep(pause)

    async def play(self) -> None:
        """Play one round from wherever it stands. RoundLost when it ends otherwise; any DaoError may be retried."""
        opened, base = await self._open()
        collection = await self._collect(opened, base)
        await self._gather(opened, collection)
        closed = await self._close(collection)
        used = base.previous.used_shards if base.previous else ()
        index = draw_shard(closed.seed, collection.rules.shards, used)
        shard = await self._tools.publisher.put_copy(self._tools.shards.paths[index])
        gating = asyncio.create_task(self._tools.work.gate(base, self._tools.publisher.path_of(shard)))
        try:
            settlement, posted = await self._settle(closed, index, collection, base, gating)
        finally:
            gating.cancel()
            with suppress(asyncio.CancelledError, DaoError):
                await gating
        self._base = settlement.base if posted.result == settlement.result else None
        self._syncing = asyncio.create_task(self._tools.publisher.sync(settlement.base.cid))
        self._tell(
            "posted",
            round=posted.round,
            model=settlement.base.cid,
            manifest=settlement.manifest_cid,
            loss_before=settlement.manifest.loss_before,
            loss_after=settlement.manifest.loss_after,
        )

    # open

    async def _open(self) -> tuple[RoundOpened, BaseModel]:
        """Open a round, or find the one that is in progress: ours, once another Superlink's is over."""
        round_ = await self._opened_round()
        opened = (await self._history.events_of(round_, self._chain.final())).opened
        return opened, await self._base_of(opened.parent)

    async def _opened_round(self) -> RoundId:
        while True:
            at = self._chain.final()
            task = await self._coordinator.task_of(self._task, at)
            last = await self._coordinator.round_of(self._task, task.last_round, at)
            if last.phase in (Phase.OPEN, Phase.CLOSED):
                if last.parent == task.head:
                    rules = await self._coordinator.rules_of_round(self._task, task.last_round, at)
                    if rules.superlink == self._tools.sender.address:
                        return task.last_round
                    due = compute_earliest_abort(rules, last)
                    if self._watch.now() < due:
                        await self._watch.wait(due)
                        continue
                abort = self._coordinator.abort(self._task, task.last_round)
                await self._attempt(abort, "abort", task.last_round)
                continue
            await self._check_task(task.closed, task.head)
            round_ = RoundId(task.last_round + 1)
            if await self._attempt(self._coordinator.open_round(self._task), "open", round_):
                self._tools.shortage.over()
                failpoint("superlink-opened")
                return round_

    async def _check_task(self, closed: bool, head: RoundId) -> None:
        """TaskOver when no further round can be opened and played."""
        if closed:
            raise TaskOver(f"task {self._task}: closed by the DAO")
        rules = await self._coordinator.rules_of(self._task, self._chain.final())
        if rules.superlink != self._tools.sender.address:
            raise TaskOver(f"task {self._task}: the DAO gave it to Superlink {hex_of(rules.superlink)}")
        base = await self._base_of(head)
        if base.previous and len(base.previous.used_shards) == rules.shards:
            raise TaskOver(
                f"task {self._task}: all {rules.shards} validation shards are used; propose another task"
            )

    async def _base_of(self, parent: RoundId) -> BaseModel:
        if self._base is None or (self._base.previous.round if self._base.previous else 0) != parent:
            self._base = await base_at(
                self._chain, self._history, self._tools.publisher, self._base_model, parent
            )
        return self._base

    async def _collect(self, opened: RoundOpened, base: BaseModel) -> Collection:
        """Take what nodes send for the round from now on, beside what the journal holds of it."""
        at, collection = self._chain.final(), self._tools.intake.collection(opened.round)
        rules = await self._coordinator.rules_of_round(self._task, opened.round, at)
        if collection is None:
            members = await self._history.members_of(opened, at)
            collection = Collection(self._task, opened, rules, base.model.layout, members)
            collection.commits.update(self._tools.journal.commits(self._task, opened.round))
            for node, reveal in self._tools.journal.reveals(self._task, opened.round).items():
                if await self._tools.publisher.is_whole(Cid.parse(reveal.cid)):
                    collection.reveals[node] = reveal
            collection.accepting = not self._tools.journal.is_closing(self._task, opened.round)
            self._tools.intake.begin(collection)
        elif collection.opened != opened:  # after a reorg others may take part, by other rules
            collection.reopen(opened, rules, await self._history.members_of(opened, at))
        deadline = opened.timestamp + collection.rules.commit_period
        self._tell(
            "opened",
            round=opened.round,
            parent=opened.parent,
            eligible=opened.eligible,
            deadline=deadline,
            nodes=[*collection.members],
        )
        return collection

    # commits

    async def _gather(self, opened: RoundOpened, collection: Collection) -> None:
        """Wait for commits: until all that are eligible have committed, else to the deadline."""
        version = -1
        while True:
            while version != self._watch.version:  # it may change while the chain is read
                version = self._watch.version
                state = await self._look(collection, Phase.OPEN, Phase.CLOSED)
            count = len(collection.commits.keys() | collection.forced.keys())
            is_complete = state.phase is Phase.CLOSED or not collection.accepting or count >= opened.eligible
            deadline = compute_commit_deadline(collection.rules, state)
            if is_complete or self._watch.now() >= deadline:
                return
            await self._watch.wait(deadline, collection.changed())

    async def _close(self, collection: Collection) -> CommitsClosed:
        """Close commits with all that are held and not forced; RoundLost, after an abort, where that cannot be."""
        round_, journal = collection.round, self._tools.journal
        collection.accepting = False
        nodes = journal.closing(self._task, round_)  # whose root may be on its way to the chain
        is_kept = journal.is_closing(self._task, round_) and nodes <= collection.commits.keys()
        while (closed := await self._closing(collection)) is None:
            state = await self._look(collection, Phase.OPEN)
            if not is_kept:
                nodes = frozenset(collection.commits.keys() - collection.forced.keys())
                if len(nodes) + len(collection.forced) < collection.rules.quorum:
                    why = f"fewer commits than the quorum of {collection.rules.quorum}"
                    await self._abort(collection, state, why)
                await journal.set_closing(self._task, round_, nodes)
            failpoint("superlink-closing")
            root = compute_commits_root(_signed(collection, collection.commits, nodes))
            call = self._coordinator.close_commits(self._task, round_, root, len(nodes))
            is_kept = await self._attempt(call, "close", round_) is not None
        nodes = journal.closing(self._task, round_)
        root = compute_commits_root(_signed(collection, collection.commits, nodes))
        state = await self._look(collection, Phase.CLOSED)
        if closed.root != root:
            await self._abort(
                collection, state, "the commits that it was closed with are not in this journal"
            )
        failpoint("superlink-closed")
        collection.close(nodes)
        self._tell(
            "closed",
            round=round_,
            commits=closed.commits,
            forced=[*collection.forced],
            seed=closed.seed,
            deadline=compute_reveal_deadline(collection.rules, state),
        )
        return closed

    async def _closing(self, collection: Collection) -> CommitsClosed | None:
        """The event that a closed round's state goes back to; None for an open one."""
        while (state := await self._look(collection, Phase.OPEN, Phase.CLOSED)).phase is Phase.CLOSED:
            closed = (await self._history.events_of(collection.round, self._chain.final())).closed
            if closed is not None and closed.closing == state.closing:
                return closed
            await self._watch.wait(Timestamp(self._watch.now() + RETRY))
        return None

    # reveals, settlement, result

    async def _settle(
        self,
        closed: CommitsClosed,
        index: int,
        collection: Collection,
        base: BaseModel,
        gating: "asyncio.Task[GateGradient]",
    ) -> tuple[Settlement, ResultPosted]:
        """Settle and post; again, if a forced commit came in between. RoundLost, after an abort, when time is up."""
        round_ = collection.round
        case: RoundInputs | None = None
        while True:
            due = await self._reveals(closed, collection)
            gate = await asyncio.shield(gating)  # meanwhile it may show who only is late
            before, case = case, self._case(closed, index, collection, base)
            if before is None or (before.commits, before.forced) != (case.commits, case.forced):
                self._tell("working", round=round_, step="settlement")
                for reveal in collection.reveals.values():
                    self._tools.publisher.publish(Cid.parse(reveal.cid))
                settlement = await self._tools.work.settle(case, gate, collection.announce)
                await self._tools.publisher.settled((due - self._watch.now()) / 2)
            failpoint("superlink-published")
            call = self._coordinator.post_result(self._task, round_, closed.seed, settlement.result)
            receipt = await self._attempt(call, "post", round_)
            for event in receipt.events if receipt else ():
                if isinstance(event, ResultPosted):
                    failpoint("superlink-posted")
                    return settlement, event

    async def _reveals(self, closed: CommitsClosed, collection: Collection) -> Timestamp:
        """Wait for reveals: until all that committed have revealed, else to the deadline; tell the result's deadline.

        RoundLost, after an abort, where that is over.
        """
        version = -1
        while True:
            while version != self._watch.version:  # it may change while the chain is read
                version = self._watch.version
                state = await self._look(collection, Phase.CLOSED)
            if state.closing != closed.closing:
                raise RoundLost(f"round {collection.round}: a reorg closed it anew, with another seed")
            if self._watch.now() > compute_result_deadline(collection.rules, state):
                await self._abort(collection, state, "no result was posted in time")
            deadline = compute_reveal_deadline(collection.rules, state)
            collection.revealing = self._watch.now() < deadline
            if not collection.revealing or collection.expected <= collection.reveals.keys():
                return compute_result_deadline(collection.rules, state)
            await self._watch.wait(deadline, collection.changed())

    def _case(
        self, closed: CommitsClosed, index: int, collection: Collection, base: BaseModel
    ) -> RoundInputs:
        deployment, shards = self._chain.deployment, self._tools.shards
        return RoundInputs(
            domain=self._chain.domain,
            distributor=deployment.distributor,
            task=self._task,
            round=collection.round,
            rules=collection.rules,
            base=base,
            seed=closed.seed,
            shard=Shard(index, shards.cids[index], shards.proof(index)),
            shard_path=self._tools.publisher.path_of(shards.cids[index]),
            commits=commits_of(collection),
            absent=absent_from(collection),
            forced=_signed(collection, collection.forced, collection.forced),
        )

    # the chain

    async def _look(self, collection: Collection, *phases: Phase) -> RoundState:
        """Read how the round stands, and its forced commits; RoundLost when it is in none of these phases."""
        at = self._chain.final()
        task = await self._coordinator.task_of(self._task, at)
        state = await self._coordinator.round_of(self._task, collection.round, at)
        if state.phase not in phases or task.head != state.parent:
            raise RoundLost(
                f"round {collection.round}: {state.phase.name.lower()} on {state.parent}, head {task.head}"
            )
        held = _signed(collection, collection.forced, collection.forced)
        # by the hash, not the number: after a reorg as many may stand there in another order
        if await self._coordinator.forced_hash_of(self._task, collection.round, at) != compute_forced_hash(
            held
        ):
            events = await self._history.events_of(collection.round, at)
            collection.forced = {
                event.node: HeldCommit(event.commitment, Signature(event.signature))
                for event in events.forced
            }
            collection.notify()
        return state

    async def _attempt(self, call: Call, what: str, round_: RoundId) -> TxReceipt | None:
        """Send a call of this round, once however often it is tried; None, after a moment, when it is refused."""
        key = f"{what} {hex_of(self._chain.deployment.coordinator)} {self._task} {round_}"
        version = self._watch.version  # who joins while the chain is asked is not waited for
        try:
            receipt = await self._tools.sender.send(call, key)
        except Reverted as error:
            if what == "open" and error.error in MISSING:
                await self._tools.shortage.wait(error, version)
                return None
            self._tell("trouble", round=round_, error=str(error))
            await self._watch.wait(Timestamp(self._watch.now() + RETRY))
            return None
        self._tell("transaction", round=round_, label=call.label, gas=receipt.gas_used)
        return receipt

    async def _abort(self, collection: Collection, state: RoundState, why: str) -> NoReturn:
        """Abort the round once that may be done; RoundLost."""
        round_, due = collection.round, compute_earliest_abort(collection.rules, state, by_superlink=True)
        while self._watch.now() < due:
            await self._watch.wait(due)
        await self._attempt(self._coordinator.abort(self._task, round_), "abort", round_)
        self._tell("aborted", round=round_, reason=why)
        raise RoundLost(f"round {round_}: aborted: {why}")


def _signed(
    collection: Collection, held: Mapping[Address, HeldCommit], nodes: Iterable[Address]
) -> list[SignedCommit]:
    return [
        SignedCommit(collection.task, collection.round, node, held[node].commitment, held[node].signature)
        for node in nodes
    ]
