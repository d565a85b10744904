"""Brings posted rounds to their end: finalizes what stood its window, voids what did not."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from dao.chain.client import Chain
from dao.chain.contracts import Call, Coordinator
from dao.chain.receipts import TxReceipt
from dao.chain.reverts import NOT_YET
from dao.chain.rounds import RoundReader
from dao.chain.sender import Sender
from dao.chain.task_follower import TaskFollower
from dao.core.round_machine import (
    STANDING,
    UNDECIDED,
    compute_challenge_deadline,
    compute_resolve_deadline,
    is_finalize_time,
    is_void_time,
)
from dao.core.types import Phase, Result, RoundId, RoundState, Rules, TaskId, Timestamp
from dao.errors import ChainError, DaoError, Reverted
from dao.runtime.failpoint import failpoint

IDLE = 3600  # seconds of block time until all rounds are checked again without news
RETRY = 2  # seconds after a failure
LONGEST = 10  # seconds of block time that what is due waits for what comes soon, to be sent with it
MOST = 8  # rounds that are finalized in one transaction
TROUBLE = (DaoError, OSError, sqlite3.Error)  # may be over at the next attempt: an outage, a full disk
_BEFORE_ALL = {RoundId(0): Phase.FINALIZED}


@dataclass(frozen=True, slots=True)
class _Round:
    state: RoundState
    rules: Rules  # that it opened with


class Finalizer:
    """Attends to all rounds of a task that are neither final nor void."""

    def __init__(
        self,
        chain: Chain,
        task: TaskId,
        sender: Sender,
        follower: TaskFollower,
        report: Callable[..., None],
    ) -> None:
        """`report` takes events, as `StatusStream.emit` does."""
        self._chain, self._task = chain, task
        self._sender, self._follower, self._report = sender, follower, report
        self._coordinator, self._reader = Coordinator(chain), RoundReader(chain, task)
        self._rounds: dict[RoundId, _Round] = {}
        self._decided = dict(_BEFORE_ALL)
        self._results: dict[RoundId, Result] = {}
        self._again: set[RoundId] = set()  # to be read again soon
        self._is_deferred = False
        self._has_looked = asyncio.Event()
        self._idle_requests, self._idle = (
            0,
            asyncio.Event(),
        )  # idle: by a check that began after the last request

    async def run(self) -> None:
        """Do what is due, as it becomes due; runs until cancelled."""
        while True:
            version = self._follower.version
            try:
                due = await self._do_due()
            except TROUBLE as error:
                self._report("trouble", error=str(error))
                self._follower.touched = None
                due = Timestamp(self._follower.now() + RETRY)
            if version == self._follower.version:  # else there was news meanwhile
                await self._follower.wait(due)

    async def wait_idle(self) -> None:
        """Wait until no posted round is left, those posted a moment ago included."""
        self._idle_requests += 1
        self._idle.clear()
        self._follower.touched = None
        self._follower.nudge()
        await self._idle.wait()

    async def list_undecided(self) -> list[RoundId]:
        """Return the rounds in flight, as the last news of them had it."""
        await self._has_looked.wait()
        return sorted(self._rounds)

    async def read_phases(self, rounds: Sequence[RoundId]) -> dict[RoundId, Phase]:
        """Return the phases of rounds, as the last news of them had it: the chain is asked for what was never read alone."""
        phases = {}
        for round_id in rounds:
            if round_id not in self._rounds and round_id not in self._decided:
                await self._read_round(round_id)
            read = self._rounds.get(round_id)
            phases[round_id] = read.state.phase if read else self._decided[round_id]
        return phases

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Leave what is due to be sent with the next result, if that comes soon."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False
            self._follower.nudge()

    async def list_due(self) -> dict[RoundId, Call]:
        """Return the calls that finalize what is due now, oldest first."""
        calls: dict[RoundId, Call] = {}
        last = max((r for r, phase in self._decided.items() if phase is Phase.FINALIZED), default=RoundId(0))
        for round_id, posted in sorted(self._rounds.items())[:MOST]:
            state = posted.state
            is_next = state.phase is Phase.POSTED and state.parent == last
            if not is_next or not is_finalize_time(posted.rules, state, self._follower.now()):
                break
            calls[round_id] = await self._finalization(round_id, state)
            last = round_id
        return calls

    async def _do_due(self) -> Timestamp:
        """Do what is due now; return when the next thing is."""
        requests = self._idle_requests
        await self._refresh()
        standing = sorted(r for r, posted in self._rounds.items() if posted.state.phase in STANDING)
        if not standing and requests == self._idle_requests:
            self._idle.set()
        due = [await self._attend(round_id, self._rounds[round_id]) for round_id in standing]
        soonest = min(due, default=self._follower.now() + IDLE)
        return Timestamp(min(soonest, self._follower.now() + RETRY) if self._again else soonest)

    async def _refresh(self) -> None:
        """Read again the rounds that there is news of."""
        touched, self._follower.touched = self._follower.touched, set()
        again, self._again = self._again, set()
        if touched is None:
            touched = {*await self._reader.read_undecided(self._chain.final())}
            self._has_looked.clear()
            self._rounds, self._results, self._decided = {}, {}, dict(_BEFORE_ALL)
        for round_id in touched | again:
            await self._read_round(round_id)
        self._has_looked.set()

    async def _read_round(self, round_id: RoundId) -> None:
        """Read a round's state, and its rules while it is undecided."""
        at = self._chain.final()
        state = await self._coordinator.round_of(self._task, round_id, at)
        if state.phase in UNDECIDED:
            rules = await self._coordinator.rules_of_round(self._task, round_id, at)
            self._rounds[round_id] = _Round(state, rules)
        else:
            self._rounds.pop(round_id, None)
            self._results.pop(round_id, None)
            self._decided[round_id] = state.phase

    async def _attend(self, round_id: RoundId, posted: _Round) -> int:
        """Do for one posted or frozen round what is due; return when to attend to it again."""
        now, state, rules = self._follower.now(), posted.state, posted.rules
        if state.parent not in self._rounds and state.parent not in self._decided:
            await self._read_round(state.parent)
        parent = self._decided.get(state.parent)
        if parent is Phase.VOID or is_void_time(rules, state, now):
            return await self._send(self._coordinator.void_round(self._task, round_id), "void", round_id)
        if state.phase is Phase.FROZEN:
            return compute_resolve_deadline(rules, state)
        if not is_finalize_time(rules, state, now):
            return compute_challenge_deadline(rules, state)
        if parent is None:  # it comes first, and its end is news
            return now + IDLE
        latest = compute_challenge_deadline(rules, state) + LONGEST
        until = latest if self._is_deferred else self._find_last_due(latest)
        if now < until:
            return until
        again = await self._finalize(round_id, state)
        failpoint("superlink-finalized")
        return again

    def _find_last_due(self, latest: int) -> int:
        """Return when the last of those posted rounds is due that are due by `latest`."""
        posted = (one for one in self._rounds.values() if one.state.phase is Phase.POSTED)
        due = (compute_challenge_deadline(one.rules, one.state) for one in posted)
        return max(deadline for deadline in due if deadline <= latest)

    async def _finalize(self, round_id: RoundId, state: RoundState) -> int:
        """Finalize a round, and what is due after it in the same transaction; where that is refused, this one alone."""
        calls = await self.list_due()
        if len(calls) > 1:
            together = self._coordinator.multicall([*calls.values()])
            with suppress(Reverted):
                return self._note(await self._sender.send(together), together, "finalized", [*calls])
        return await self._send(await self._finalization(round_id, state), "finalized", round_id)

    async def _finalization(self, round_id: RoundId, posted: RoundState) -> Call:
        return self._coordinator.finalize(self._task, round_id, await self._read_result(round_id, posted))

    async def _read_result(self, round_id: RoundId, posted: RoundState) -> Result:
        if round_id not in self._results:
            result = await self._reader.find_result(round_id, posted, self._chain.final())
            if result is None:
                raise ChainError(
                    f"round {round_id}: posted, but without its event; use a node with more history"
                )
            self._results[round_id] = result
        return self._results[round_id]

    async def _send(self, call: Call, event: str, round_id: RoundId) -> int:
        """Send a call, report it, and return when to attend to the round again."""
        try:
            receipt = await self._sender.send(call)
        except Reverted as error:  # another account was faster
            if error.error not in NOT_YET:
                self._report("trouble", round=round_id, error=str(error))
            self._again.add(round_id)
            return self._follower.now() + RETRY
        return self._note(receipt, call, event, [round_id])

    def _note(self, receipt: TxReceipt, call: Call, event: str, rounds: Sequence[RoundId]) -> int:
        """Report what a transaction did, and return when to attend to its rounds again."""
        self._report("transaction", round=rounds[0], label=call.label, gas=receipt.gas_used)
        for round_id in rounds:
            self._report(event, round=round_id)
        self._again.update(rounds)
        return self._follower.now() + RETRY
