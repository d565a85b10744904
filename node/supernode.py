"""A Supernode in one task: `play` is one round, top to bottom: commit, counting, reveal, outcome.

Whatever is done, the journal knows it first, and a daemon that starts again goes on from there. The chain is the
authority: phases, roots and results are read at a final block, and the Superlink is only asked for what can be checked.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from dao.chain.final_reader import FinalReader
from dao.core.commits import SignedPass
from dao.core.engine.backend import get_step_codec
from dao.core.formats import reasons
from dao.core.formats.signed_messages import compute_pass_digest
from dao.core.types import PassReason, Phase, RoundId, RoundState, Rules, Signature, TaskId, hex_of
from dao.errors import AppError, AppTimeout, DaoError, Reorged, RuleError
from dao.wire.superlink_client import SuperlinkClient
from node.attester import Attester
from node.journal import CommitEntry, Step, SupernodeJournal
from node.model_keeper import ModelKeeper
from node.outcomes import Outcomes
from node.readiness import SupernodeReadiness
from node.submission import TWICE, Submission
from node.update_maker import UpdateMaker
from node.uses import UseLog

T = TypeVar("T")
AGAIN = 0.05  # seconds until a round that changed meanwhile is played again
# a round's fact: the opening that this node sits out, whatever its journal says later
PASSED = "passed_opening"
MOST_MISSED = 50  # rounds back for which the journal says that this daemon was away
AWAY = "this daemon was not there while commits were open; keep it running"
SLOW = (
    "the commits were closed before the update was ready; train faster, or take part in tasks with more time"
)
_log = structlog.get_logger()


class _Moved(Exception):  # noqa: N818 (no error)
    """The round's state on chain is not, or was not all along, the one that was worked on."""


class _Gone(Exception):  # noqa: N818 (no error)
    """A reorg took the round's opening back: an earlier one may be the newest again, and open."""


class NotJoined(RuleError):  # noqa: N818  (a leaf of the tree)
    """The node is no member of the task."""


@dataclass(frozen=True)
class SupernodeDeps:
    """What a Supernode acts through."""

    reader: FinalReader
    journal: SupernodeJournal
    client: SuperlinkClient
    readiness: SupernodeReadiness
    update_maker: UpdateMaker
    submission: Submission
    models: ModelKeeper
    outcomes: Outcomes
    uses: UseLog
    attester: Attester


class Supernode:
    """One node's part in one task."""

    def __init__(self, task: TaskId, deps: SupernodeDeps) -> None:
        self._task, self._deps = task, deps
        self._reader, self._journal, self._outcomes = deps.reader, deps.journal, deps.outcomes
        self._log = _log.bind(task=task)
        self._problem = ""  # why this round may earn nothing, as far as it has gone
        self._is_gone = False  # whether a reorg took the round back that was played last

    async def run(self) -> None:
        """Take part in round after round, until cancelled."""
        self._outcomes.release()  # what an earlier process could not
        try:
            async for round_id in self._rounds():
                self._log.info("round", round=round_id)
                await self._reader.ask_ahead(round_id, self._deps.update_maker.signer.address)
                await self.take_part(round_id)
        finally:
            await self._deps.readiness.stop()

    async def _rounds(self) -> AsyncIterator[RoundId]:
        """Yield rounds with something left to do, in order: those that the journal has no end of, then new ones."""
        reorgs, last = self._reader.reorgs, await self._reader.read_last_round()
        notes = self._journal.notes(self._task)
        seen = max((note.round for note in notes), default=RoundId(max(last - 1, 0)))
        left = [note.round for note in reversed(notes) if note.step is not Step.ENDED and note.round <= last]
        if last <= seen and last not in left and await self._has_left(last):
            left.append(last)
        await self._deps.readiness.prepare(last, is_idle=last == seen and not left)
        seen = RoundId(max(min(seen, last), last - MOST_MISSED))
        for number in left:
            yield number
            if self._is_gone:
                seen = await self._step_back(number)
                break
        while True:
            last = await self._reader.wait_next_round(seen, reorgs)
            if self._reader.reorgs != reorgs:
                reorgs = self._reader.reorgs
                seen = await self._step_back(seen)
                continue
            for number in map(RoundId, range(seen + 1, last + 1)):
                yield number
                if self._is_gone:
                    last = await self._step_back(number)
                    break
            seen = last

    async def _step_back(self, seen: RoundId) -> RoundId:
        """Return the last round, up to this one, in which nothing is left to do: the chain may have taken some back."""
        newest = min(seen, await self._reader.read_last_round())
        return RoundId(newest - 1) if await self._has_left(newest) else newest

    async def _has_left(self, round_id: RoundId) -> bool:
        """Whether something is left to do in a round: also in one that had ended, where the chain opened it anew."""
        if not round_id:
            return False
        state = await self._reader.read_state(round_id)
        if state.phase in (Phase.NONE, Phase.OPEN):
            return True
        is_signed = self._journal.commit_of(self._task, round_id, state.opening) is not None
        steps = [note.step for note in self._journal.notes(self._task) if note.round == round_id]
        return (state.phase is Phase.CLOSED and is_signed) or any(step is not Step.ENDED for step in steps)

    async def take_part(self, round_id: RoundId) -> None:
        """Play a round from wherever it stands; again when the chain moved before something was done, until it is gone."""
        missed, self._problem, self._is_gone = AWAY, "", False
        while True:
            try:
                return await self.play(round_id, missed)
            except _Gone:
                self._is_gone = True
                return None
            except (_Moved, Reorged):
                missed = self._problem or SLOW
                await asyncio.sleep(AGAIN)

    async def play(self, round_id: RoundId, missed: str) -> None:
        """Play one round; `missed` is the reason if it has no commit of ours.

        Every step looks at the journal first, so that all of it may be done again.
        """
        state = await self._read_state(round_id)
        rules = await self._reader.read_rules_of(round_id)  # of this round, whatever is decided meanwhile
        self._journal.see(self._task, round_id, state.open_block)
        entry = self._journal.commit_of(self._task, round_id, state.opening)

        if state.phase is Phase.OPEN:
            try:
                entry = await self._commit(round_id, state, rules)
                state = await self._reader.wait_change(round_id, state)
            except Reorged:
                raise
            except DaoError as error:
                missed, entry = str(error), self._journal.commit_of(self._task, round_id, state.opening)
                if entry is None:
                    await self._sit_out(round_id, state, rules, error)
        if entry is None:
            await self._check_opening(round_id, state)
            await self._end_without(round_id, missed)
            return
        if state.phase is Phase.CLOSED:
            async with self._attesting(round_id, state, rules):
                await self._count_and_reveal(entry, state, rules)
                state = await self._wait_result(round_id, state, rules)
            entry = (
                self._journal.commit_of(self._task, round_id, entry.commit.opening) or entry
            )  # with receipts

        match state.phase:
            case Phase.POSTED | Phase.FROZEN | Phase.FINALIZED:
                self._outcomes.conclude(round_id, entry)
            case Phase.ABORTED:
                why = reasons.NO_RESULT if state.closed_at else reasons.explain_no_closing(rules.quorum)
                self._end(round_id, f"{why}; {self._problem}".rstrip("; "))
            case Phase.VOID:
                self._end(round_id, "the round is void: its result did not stand, so nobody earns")
            case _:
                raise _Moved  # a reorg took a step of the round back

    async def _read_state(self, round_id: RoundId) -> RoundState:
        state = await self._reader.read_state(round_id)
        if state.phase is Phase.NONE:
            raise _Gone
        return state

    async def _commit(self, round_id: RoundId, opened: RoundState, rules: Rules) -> CommitEntry:
        """Train, sign and hand in while the round is open; DaoError when there can be no commit."""
        deps, entry = self._deps, self._journal.commit_of(self._task, round_id, opened.opening)
        if entry is None:
            if not await self._reader.is_joined(deps.update_maker.signer.address):
                raise NotJoined(
                    f"this node has not joined task {self._task}, or was put to sleep for three rounds without a word; its owner "
                    f"joins: dao node join {self._task}"
                )
            note = self._journal.note_of(self._task, round_id)
            if note.facts.get(PASSED) == hex_of(opened.opening):
                raise RuleError(note.reason)
            deps.submission.foresee(round_id, rules)
            making = deps.update_maker.make_commit(round_id, opened, rules, self._note_problem)
            entry = await self._while_unchanged(round_id, opened, making)
        if entry.receipt is None and not deps.submission.is_forced(entry.commit):
            handing_in = deps.submission.hand_in(entry.commit, opened, rules)
            await self._while_unchanged(round_id, opened, handing_in)
        return entry

    async def _sit_out(self, round_id: RoundId, opened: RoundState, rules: Rules, error: DaoError) -> None:
        """Say that this node has no commit in the round, so that nobody waits for it; a member alone is waited for."""
        if isinstance(error, NotJoined):
            return
        signer, submission = self._deps.update_maker.signer, self._deps.submission
        reason, self._problem = explain_to_others(error), str(error)
        passed = {PASSED: hex_of(opened.opening)}
        self._journal.reach(self._task, round_id, Step.PASSED, str(error), passed)
        place = (self._task, round_id, opened.opening, signer.address)
        signature = Signature(signer.sign(compute_pass_digest(submission.domain, *place)))
        sending = submission.sit_out(SignedPass(*place, signature, reason), opened, rules)
        await self._while_unchanged(round_id, opened, sending)
        self._log.info("passed", round=round_id, reason=reason)

    async def _count_and_reveal(self, entry: CommitEntry, closed: RoundState, rules: Rules) -> None:
        """Check that the commit counts, and reveal it in any case: as far as we know, it may count all the same."""
        submission = self._deps.submission
        self._problem = await submission.check_counting(entry.commit, closed)
        if entry.revealed is not None:  # as after a restart
            return
        size = self._journal.note_of(self._task, entry.commit.round).facts.get("update_bytes")
        await self._deps.uses.leave(entry.commit.round, entry.reveal.cid, size)
        revealing = submission.reveal(entry, closed, rules)
        unrevealed = await self._while_unchanged(entry.commit.round, closed, revealing)
        self._problem = unrevealed and (self._problem or unrevealed)

    @asynccontextmanager
    async def _attesting(self, round_id: RoundId, closed: RoundState, rules: Rules) -> AsyncIterator[None]:
        """See to what other nodes open on chain, meanwhile."""
        attesting = asyncio.create_task(self._deps.attester.watch(round_id, closed, rules))
        try:
            yield
        finally:
            attesting.cancel()
            for error in await asyncio.gather(attesting, return_exceptions=True):
                if isinstance(error, Exception):
                    self._log.error("not seen to the reveals of others", round=round_id, error=repr(error))

    async def _wait_result(self, round_id: RoundId, closed: RoundState, rules: Rules) -> RoundState:
        """Wait until the round is closed no longer; meanwhile fetch the new model and the shard as soon as they can be had."""
        fetching = asyncio.create_task(self._fetch_ahead(round_id, closed, rules))
        try:
            return await self._reader.wait_change(round_id, closed)
        finally:
            fetching.cancel()
            await asyncio.gather(fetching, return_exceptions=True)

    async def _fetch_ahead(self, round_id: RoundId, closed: RoundState, rules: Rules) -> None:
        try:
            base = await self._reader.read_base(closed, rules)
            computed = await self._deps.client.model(self._task, round_id)
            self._deps.models.look_ahead(base, get_step_codec(rules.codec), computed)
            await self._deps.update_maker.public.look_ahead(computed.shard)
        except DaoError as error:  # it is fetched when the chain names it
            self._log.debug("nothing ahead", round=round_id, error=str(error))

    async def _check_opening(self, round_id: RoundId, state: RoundState) -> None:
        """_Moved when a reorg took the opening or closing in `state` back."""
        now = await self._reader.read_state(round_id)
        if now.phase in (Phase.NONE, Phase.OPEN) and _opening(now) != _opening(state):
            raise _Moved

    async def _while_unchanged(self, round_id: RoundId, state: RoundState, work: Coroutine[Any, Any, T]) -> T:
        """Do some work for as long as the round's state is this one; _Moved when it changed first."""
        doing = asyncio.create_task(work)
        changing = asyncio.create_task(self._reader.wait_change(round_id, state))
        try:
            await asyncio.wait({doing, changing}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise _Moved
            return doing.result()
        finally:
            for task in (doing, changing):
                task.cancel()
            await asyncio.gather(doing, changing, return_exceptions=True)

    def _note_problem(self, problem: str) -> None:
        self._problem = problem

    async def _end_without(self, round_id: RoundId, missed: str) -> None:
        """End a round that has no commit of this daemon's; where it has one of the node's all the same, say so."""
        is_other = missed == SLOW and await self._deps.submission.has_other_commit(round_id)
        self._end(round_id, TWICE if is_other else missed)

    def _end(self, round_id: RoundId, reason: str) -> None:
        self._journal.reach(self._task, round_id, Step.ENDED, reason)
        self._outcomes.release()
        self._log.warning("nothing earned", round=round_id, reason=reason)


def explain_to_others(error: DaoError) -> PassReason:
    """Return why this node sits a round out, in words that say nothing of its site."""
    if isinstance(error, AppTimeout):
        return PassReason.NO_TIME
    return PassReason.FAILED if isinstance(error, AppError) else PassReason.NOT_READY


def _opening(state: RoundState) -> tuple[object, ...]:
    return state.phase, state.opening, state.opened_at
