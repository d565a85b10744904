"""Brings posted rounds to their end: answers contests, finalizes what stood its window, voids what did not."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aggregator.journal import SuperlinkJournal
from aggregator.superlink import TROUBLE
from aggregator.task_watcher import TaskWatcher
from dao.chain.client import Chain
from dao.chain.contracts import Call, Coordinator
from dao.chain.events import Dismissed
from dao.chain.rounds import RoundReader
from dao.chain.sender import Sender
from dao.core.constants import ROWS_DEPTH
from dao.core.errors import ChainError, Reverted
from dao.core.merkle import Tree
from dao.core.round_machine import (
    UNDECIDED,
    compute_earliest_finalize,
    compute_resolve_deadline,
    is_finalize_time,
    is_void_time,
)
from dao.core.types import Phase, Result, RoundId, RoundState, Rules, TaskId, Timestamp
from dao.runtime.failpoint import failpoint

STANDING = (Phase.POSTED, Phase.FROZEN)
IDLE = 3600  # seconds of block time until all is looked at again without news
RETRY = 2  # seconds after a failure
_BEFORE_ALL = {RoundId(0): Phase.FINALIZED}


@dataclass(frozen=True, slots=True)
class _Round:
    state: RoundState
    rules: Rules  # that it opened with
    contested_at: Timestamp | None  # when the last contest came that has no answer


class Finalizer:
    """Looks after all rounds of a task that are neither final nor void."""

    def __init__(
        self,
        chain: Chain,
        task: TaskId,
        sender: Sender,
        watch: TaskWatcher,
        journal: SuperlinkJournal,
        tell: Callable[..., None],
    ) -> None:
        """`tell` hears of what happens, as `StatusStream.emit` does."""
        self._chain, self._task = chain, task
        self._sender, self._watch, self._journal, self._tell = sender, watch, journal, tell
        self._coordinator, self._history = Coordinator(chain), RoundReader(chain, task)
        self._rounds: dict[RoundId, _Round] = {}
        self._decided = dict(_BEFORE_ALL)
        self._results: dict[RoundId, Result] = {}
        self._again: set[RoundId] = set()  # to be read again soon
        self._asked, self._idle = 0, asyncio.Event()  # idle: as of a look begun after the last question

    async def run(self) -> None:
        """Do what is due, whenever it is."""
        while True:
            version = self._watch.version
            try:
                due = await self._look()
            except TROUBLE as error:
                self._tell("trouble", error=str(error))
                self._watch.touched = None
                due = Timestamp(self._watch.now() + RETRY)
            if version == self._watch.version:  # else there is news since
                await self._watch.wait(due)

    async def finished(self) -> None:
        """Wait until no posted round is left to look after, those posted a moment ago included."""
        self._asked += 1
        self._idle.clear()
        self._watch.touched = None
        self._watch.nudge()
        await self._idle.wait()

    async def _look(self) -> Timestamp:
        """Do what is due now; return when the next thing is."""
        asked = self._asked
        await self._refresh()
        posted = sorted(r for r, known in self._rounds.items() if known.state.phase in STANDING)
        if not posted and asked == self._asked:
            self._idle.set()
        due = [await self._attend(round_, self._rounds[round_]) for round_ in posted]
        soonest = min(due, default=self._watch.now() + IDLE)
        return Timestamp(min(soonest, self._watch.now() + RETRY) if self._again else soonest)

    async def _refresh(self) -> None:
        """Read again the rounds that there is news of."""
        touched, self._watch.touched = self._watch.touched, set()
        again, self._again = self._again, set()
        if touched is None:
            task = await self._coordinator.task_of(self._task, self._chain.final())
            self._rounds, self._results, self._decided = {}, {}, dict(_BEFORE_ALL)
            round_ = task.last_round
            while len(self._rounds) < task.in_flight and round_:
                await self._read(round_)
                round_ = RoundId(round_ - 1)
        for round_ in (touched or set()) | again:
            await self._read(round_)

    async def _read(self, round_: RoundId) -> None:
        """Learn how a round stands, and answer what contests it."""
        at = self._chain.final()
        state = await self._coordinator.round_of(self._task, round_, at)
        if state.phase in UNDECIDED:
            rules = await self._coordinator.rules_of_round(self._task, round_, at)
            contested = await self._contested_at(round_) if state.phase in STANDING else None
            self._rounds[round_] = _Round(state, rules, contested)
        else:
            self._rounds.pop(round_, None)
            self._results.pop(round_, None)
            self._decided[round_] = state.phase

    async def _attend(self, round_: RoundId, known: "_Round") -> int:
        """Do for one posted or frozen round what is due; return when to look at it again."""
        now, state, rules = self._watch.now(), known.state, known.rules
        if state.parent not in self._rounds and state.parent not in self._decided:
            await self._read(state.parent)
        parent = self._decided.get(state.parent)
        if parent is Phase.VOID or is_void_time(rules, state, now, known.contested_at):
            return await self._send(self._coordinator.void_round(self._task, round_), "void", round_)
        if known.contested_at is not None:
            return known.contested_at + rules.challenge_period
        if state.phase is Phase.FROZEN:
            return compute_resolve_deadline(rules, state)
        if not is_finalize_time(rules, state, now):
            return compute_earliest_finalize(rules, state)
        if parent is None:  # it comes first, and is news when it is final
            return now + IDLE
        call = self._coordinator.finalize(self._task, round_, await self._result(round_))
        again = await self._send(call, "finalized", round_)
        failpoint("superlink-finalized")
        return again

    async def _contested_at(self, round_: RoundId) -> Timestamp | None:
        """Answer contests by commits that are in the tree; return when the last other one came, None without any."""
        at = self._chain.final()
        if not await self._coordinator.contested_count_of(self._task, round_, at):
            return None
        dismissed = {e.node for e in await self._chain.past(Dismissed, task=self._task, round=round_)}
        events = await self._history.events_of(round_, at)
        held = self._journal.commits(self._task, round_)
        rows = [node + held[node].commitment for node in sorted(self._journal.closing(self._task, round_))]
        left = []
        for contest in events.contests:
            row = contest.node + contest.commitment
            if contest.node in dismissed:
                continue
            if row not in rows:
                self._tell("contested", round=round_, node=contest.node)
                left.append(contest.timestamp)
                continue
            place = rows.index(row)
            call = self._coordinator.dismiss(
                *(self._task, round_, contest.node, contest.commitment, place),
                Tree(rows, ROWS_DEPTH).proof(place),
                await self._result(round_),
            )
            await self._send(call, "dismissed", round_)
        return max(left, default=None)

    async def _result(self, round_: RoundId) -> Result:
        if round_ not in self._results:
            events = await self._history.events_of(round_, self._chain.final())
            if events.posted is None:
                raise ChainError(
                    f"round {round_}: posted, but without its event; use a node with more history"
                )
            self._results[round_] = events.posted.result
        return self._results[round_]

    async def _send(self, call: Call, event: str, round_: RoundId) -> int:
        """Send a call, tell of it, and return when to look at the round again."""
        try:
            receipt = await self._sender.send(call)
        except Reverted as error:  # somebody was faster, or block time lags
            self._tell("trouble", round=round_, error=str(error))
        else:
            self._tell("transaction", round=round_, label=call.label, gas=receipt.gas_used)
            self._tell(event, round=round_)
        self._again.add(round_)
        return self._watch.now() + RETRY
