"""A Supernode in one task: `_take_part` is one round, top to bottom.

Whatever is done, the journal knows it first, and a daemon that starts again goes on from there. The chain is the
authority: phases, roots and results are read at a final block, and the Superlink is only asked for what can be checked.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import structlog

from dao.app.bundle import MAX_BYTES, unpack
from dao.chain.signer import Signer, recover
from dao.core import reasons
from dao.core.constants import ROWS_DEPTH
from dao.core.errors import AppCrashed, ContentError, DaoError, NotFound, Reorged, RuleError, Unreachable
from dao.core.formats.signed_messages import compute_receipt_digest
from dao.core.merkle import verify
from dao.core.round_machine import (
    compute_commit_deadline,
    compute_counted_stake,
    compute_force_deadline,
    compute_reveal_deadline,
)
from dao.core.types import Digest, Domain, Phase, RoundId, RoundState, Rules, TaskId, hex_of
from dao.runtime.backoff import pauses
from dao.store.layered import LayeredStore
from dao.wire.messages import Inclusion
from dao.wire.superlink_client import SuperlinkClient
from node.journal import SignedCommit, Step, SupernodeJournal
from node.outcomes import Outcomes
from node.task_view import Clock, TaskView
from node.trainer import Trained, Trainer
from node.update_writer import write_update

T = TypeVar("T")
RESERVE = 0.1  # part of the commit period that training leaves for the commit
ASK_LIMIT = 30.0  # seconds to ask the Superlink for a proof, before the commit is forced
AGAIN = 0.05  # seconds until a round that the chain moved under is looked at anew
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0  # seconds until an app that cannot be had is asked for again
LATE_LIMIT = 5.0  # seconds to ask for it where nothing can be forced any more, before the commit is opened
MOST_MISSED = 50  # rounds back for which the journal says that this daemon was away
AWAY = "this daemon was not there while commits were open; keep it running"
SLOW = (
    "the commits were closed before the update was ready; train faster, or take part in tasks with more time"
)
_log = structlog.get_logger()


class _Moved(Exception):  # noqa: N818 (no error)
    """The round's state on chain is not, or was not all along, what was being worked on."""


@dataclass(frozen=True)
class SupernodeDeps:
    """What a Supernode acts through. `force` sends a commit to the chain, `trainer_of` takes the app's folder."""

    signer: Signer
    domain: Domain
    view: TaskView
    clock: Clock
    journal: SupernodeJournal
    store: LayeredStore
    link: SuperlinkClient
    force: Callable[[SignedCommit], Coroutine[Any, Any, None]]
    trainer_of: Callable[[Path], Trainer]
    apps: Path  # folder of unpacked apps
    scratch: Path  # folder of what is being trained
    by_ipfs: bool  # reveal by IPFS rather than in a stream


class Supernode:
    """One node's part in one task."""

    def __init__(self, task: TaskId, means: SupernodeDeps, outcomes: Outcomes) -> None:
        self._task, self._means, self._outcomes = task, means, outcomes
        self._node = means.signer.address
        self._view, self._clock, self._journal = means.view, means.clock, means.journal
        self._log = _log.bind(task=task)
        self._trainer: Trainer | None = None
        self._problem = ""  # what is in this round's way, as far as it has gone

    async def run(self) -> None:
        """Take part in round after round, until cancelled."""
        self._outcomes.release()  # what an earlier process could not
        try:
            async for round_ in self._rounds():
                self._log.info("round", round=round_)
                await self._take_part(round_)
        finally:
            if self._trainer is not None:
                await self._trainer.stop()

    async def _rounds(self) -> AsyncIterator[RoundId]:
        """Rounds that have something left to do, in order: those the journal has not seen the end of, then new ones."""
        last = await self._view.last_round()
        notes = self._journal.notes(self._task)
        seen = max((note.round for note in notes), default=RoundId(max(last - 1, 0)))
        is_idle = last == seen and all(note.step is Step.ENDED for note in notes)
        await self._get_ready(last, is_idle)
        for note in reversed(notes):
            if note.step is not Step.ENDED and note.round <= last:
                yield note.round
        seen = RoundId(max(min(seen, last), last - MOST_MISSED))
        while True:
            last = await self._view.next_round(seen)
            for number in range(seen + 1, last + 1):
                yield RoundId(number)
            seen = last

    async def _get_ready(self, last: RoundId, is_idle: bool) -> None:
        """Load the app with the data; while idle, ask for an app that cannot be had until it can, or a round opens."""
        for pause in pauses(FIRST_PAUSE, LONGEST_PAUSE):
            try:
                await (await self._ready_trainer(await self._view.rules())).start()
            except DaoError as error:  # it is tried again in each round
                self._log.warning("not ready", last_round=last, error=str(error))
                if not is_idle or not isinstance(error, ContentError):
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._view.next_round(last), pause)
                    return
            else:
                self._log.info("ready", last_round=last)
                return

    async def _take_part(self, round_: RoundId) -> None:
        """One round, from wherever it stands; anew when the chain moved before something was done."""
        missed, self._problem = AWAY, ""
        while True:
            try:
                return await self._play(round_, missed)
            except (_Moved, Reorged):
                missed = self._problem or SLOW
                await asyncio.sleep(AGAIN)

    async def _play(self, round_: RoundId, missed: str) -> None:
        """One round. Every part looks at the journal first, so that all of it may be done again."""
        state = await self._view.leaves(round_, {Phase.NONE})
        rules = await self._view.rules_of(round_)  # whatever is decided meanwhile
        self._journal.see(self._task, round_, state.open_block)
        commit = self._journal.commit_of(self._task, round_)

        if state.phase is Phase.OPEN:
            try:
                commit = await self._while_open(round_, state, rules)
                state = await self._view.after(round_, state)
            except Reorged:
                raise
            except DaoError as error:
                missed = str(error)
        if commit is None:
            found = await self._view.round(round_)
            if found.phase in (Phase.NONE, Phase.OPEN) and _opening(found) != _opening(state):
                raise _Moved  # a reorg took its opening or closing back
            self._end(round_, missed)
            return
        if state.phase is Phase.CLOSED:
            await self._while_closed(commit, state, rules)
            looking = asyncio.create_task(self._look_ahead(round_))
            try:
                state = await self._view.after(round_, state)
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)

        match state.phase:
            case Phase.POSTED | Phase.FROZEN | Phase.FINALIZED:
                self._outcomes.conclude(round_, commit)
            case Phase.ABORTED:
                why = reasons.NO_RESULT if state.closed_at else reasons.explain_no_closing(rules.quorum)
                self._end(round_, f"{why}; {self._problem}".rstrip("; "))
            case Phase.VOID:
                self._end(round_, "the round is void: its result did not stand, so nobody earns")
            case _:
                raise _Moved  # a reorg took a step of the round back

    async def _while_open(self, round_: RoundId, opened: RoundState, rules: Rules) -> SignedCommit:
        """Train, sign, hand in; DaoError when there can be no commit."""
        commit = self._journal.commit_of(self._task, round_)
        if commit is None:
            commit = await self._while(round_, opened, self._commit(round_, opened, rules))
        if commit.receipt is None:
            await self._while(round_, opened, self._hand_in(commit, opened, rules))
        return commit

    async def _while_closed(self, commit: SignedCommit, closed: RoundState, rules: Rules) -> None:
        """See that the commit counts, and open it: as far as we know, it may count all the same."""
        self._problem = await self._be_counted(commit, closed, rules)
        unopened = await self._while(commit.round, closed, self._reveal(commit, closed, rules))
        self._problem = unopened and (self._problem or unopened)

    async def _commit(self, round_: RoundId, opened: RoundState, rules: Rules) -> SignedCommit:
        """Train and sign; once more where what failed may come right in time."""
        await self._check_seat(rules, opened)
        deadline = compute_commit_deadline(rules, opened)
        for pause in pauses():
            try:
                return await self._train_and_sign(round_, opened, rules, deadline)
            except (ContentError, AppCrashed) as error:
                if self._clock.now() + pause >= deadline:
                    raise
                self._problem = str(error)
                self._log.warning("no update yet", round=round_, error=self._problem)
            await asyncio.sleep(pause)
        raise AssertionError  # pauses do not end

    async def _train_and_sign(
        self, round_: RoundId, opened: RoundState, rules: Rules, deadline: float
    ) -> SignedCommit:
        trainer, base = await asyncio.gather(self._ready_trainer(rules), self._base_model(opened, rules))
        scratch = self._means.scratch
        scratch.mkdir(parents=True, exist_ok=True)
        trained, update = (
            scratch / f"{self._task}-trained",
            self._means.store.local.tmp / f"{self._task}-update",
        )
        limit = deadline - self._clock.now() - RESERVE * rules.commit_period
        told = await trainer.train(
            base, trained, seed=self._seed(round_), round=round_, limit=max(limit, 1.0)
        )
        begun = monotonic()
        root = await asyncio.to_thread(write_update, base, trained, rules.codec, rules.body_depth, update)
        cid = await self._means.store.local.put_file(update, move=True)
        took = monotonic() - begun
        self._journal.pin(self._task, round_, cid)
        await self._means.store.local.pin(cid)
        salt = Digest(secrets.token_bytes(32))
        commit = self._journal.sign(self._task, round_, cid, root, salt, self._means.signer.sign)
        self._journal.reach(self._task, round_, Step.SIGNED, facts=_facts(told))
        self._problem = ""
        self._log.info(
            "committed",
            round=round_,
            cid=str(cid),
            seconds=round(told.train_s, 3),
            around=[round(told.load_s, 3), round(told.store_s, 3)],
            encoding=round(took, 3),
        )
        return commit

    async def _check_seat(self, rules: Rules, opened: RoundState) -> None:
        """RuleError when this node may not commit to the round."""
        joined, stake = await self._view.seat(self._node, opened)
        if not joined:
            raise RuleError(
                f"this node has not joined task {self._task}; its owner does that: dao node join {self._task}"
            )
        if not compute_counted_stake(rules, stake):
            raise RuleError(reasons.explain_stake(stake, rules.min_stake))

    async def _ready_trainer(self, rules: Rules) -> Trainer:
        """The trainer of the app that the DAO voted for: no other code is run."""
        if self._trainer is None:
            if not await self._means.store.has(rules.app_hash):
                self._log.info("fetching the app", superlink=self._means.link.address)
            try:
                bundle = await self._means.store.get(rules.app_hash, MAX_BYTES)
            except NotFound as error:
                name = hex_of(rules.app_hash)[:10]
                raise NotFound(f"the app {name}… cannot be had: {error.why}") from None
            folder = self._means.apps / rules.app_hash.hex()
            await asyncio.to_thread(unpack, bundle.read_bytes(), folder)
            self._trainer = self._means.trainer_of(folder)
        return self._trainer

    async def _base_model(self, opened: RoundState, rules: Rules) -> Path:
        if not opened.parent:
            return await self._outcomes.model(rules.base_model)
        return await self._outcomes.model((await self._view.result(opened.parent)).model_digest)

    def _seed(self, round_: RoundId) -> int:
        domain = self._means.domain
        what = (b"train", domain.chain_id.to_bytes(32, "big"), domain.coordinator, self._node)
        numbers = self._task.to_bytes(8, "big") + round_.to_bytes(8, "big")
        return int.from_bytes(hashlib.sha256(b"".join(what) + numbers).digest()[:4], "big")

    async def _hand_in(self, commit: SignedCommit, opened: RoundState, rules: Rules) -> None:
        """Give the commit to the Superlink until it has signed for it."""
        for pause in pauses():
            try:
                receipt = await self._means.link.commit(
                    self._task, commit.round, commit.commitment, commit.signature
                )
                bound = compute_receipt_digest(
                    self._means.domain, self._task, commit.round, self._node, commit.commitment
                )
                if recover(bound, receipt) != rules.superlink:
                    raise RuleError(
                        "the receipt is not signed by the round's Superlink; is its address right?"
                    )
            except DaoError as error:
                self._log.warning("commit not taken", round=commit.round, error=str(error))
            else:
                self._journal.receive(self._task, commit.round, receipt)
                return
            if self._clock.now() + pause >= compute_commit_deadline(rules, opened):
                return
            await asyncio.sleep(pause)

    # Closed

    async def _be_counted(self, commit: SignedCommit, closed: RoundState, rules: Rules) -> str:
        """See the commit in the tree that the chain has the root of, or force it; "" or what is wrong."""
        left = compute_force_deadline(rules, closed) - self._clock.now()
        patience = min(ASK_LIMIT, left / 2) if left > 0 else LATE_LIMIT
        root = (await self._view.closing(commit.round, closed)).root
        try:
            where = await self._proof(commit, patience)
            row = self._node + commit.commitment
            if where.count != closed.commits or not verify(root, row, where.index, where.proof, ROWS_DEPTH):
                raise RuleError("the Superlink's proof does not lead to the root on chain")
            how = "in the tree"
        except DaoError as error:
            self._log.warning("commit left out, so it is forced", round=commit.round, error=str(error))
            try:
                await self._means.force(commit)
            except DaoError as failure:
                self._log.error("commit not forced", round=commit.round, error=str(failure))
                return f"the Superlink left the commit out ({error}), and it could not be forced: {failure}"
            how = f"forced: {error}"
        self._journal.reach(self._task, commit.round, Step.COUNTED, facts={"counted": how})
        return ""

    async def _proof(self, commit: SignedCommit, patience: float) -> Inclusion:
        """Ask where the commit stands in the tree, for `patience` seconds and no longer: the chain must hear in time."""
        try:
            async with asyncio.timeout(patience):
                return await self._means.link.inclusion(self._task, commit.round, limit=patience)
        except TimeoutError:
            raise Unreachable(f"the Superlink gave no proof within {patience:.0f} s") from None

    async def _reveal(self, commit: SignedCommit, closed: RoundState, rules: Rules) -> str:
        """Open the commit until the Superlink has the update; "" or what is wrong."""
        store, by_ipfs = self._means.store, self._means.by_ipfs
        for pause in pauses():
            try:
                content = await store.local.get(commit.cid)
                if by_ipfs:
                    await store.pin(commit.cid)
                    by_ipfs = bool(await store.publish(commit.cid))
                ack = await self._means.link.reveal(
                    self._task,
                    commit.round,
                    commit.cid,
                    commit.body_root,
                    commit.salt,
                    None if by_ipfs else content,
                )
                problem = "" if ack.accepted else f"the Superlink did not take the update: {ack.reason}"
            except DaoError as error:
                problem = str(error)
            if not problem:
                self._journal.reach(self._task, commit.round, Step.REVEALED)
                link = self._means.link
                self._log.info("revealed", round=commit.round, sent=link.sent, received=link.received)
                return ""
            self._log.warning("update not taken", round=commit.round, error=problem)
            by_ipfs = False  # it may not be able to fetch it
            if self._clock.now() + pause >= compute_reveal_deadline(rules, closed):
                return problem
            await asyncio.sleep(pause)
        raise AssertionError  # pauses do not end

    async def _look_ahead(self, round_: RoundId) -> None:
        """Fetch the new model while its result is still being computed."""
        try:
            self._outcomes.look_ahead(await self._means.link.model(self._task, round_))
        except DaoError as error:  # it is fetched when the chain names it
            self._log.debug("no model ahead", round=round_, error=str(error))

    # all along

    async def _while(self, round_: RoundId, state: RoundState, work: Coroutine[Any, Any, T]) -> T:
        """Do some work for as long as the round's state is this one; _Moved when it changed first."""
        doing, leaving = asyncio.create_task(work), asyncio.create_task(self._view.after(round_, state))
        try:
            await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise _Moved
            return doing.result()
        finally:
            for task in (doing, leaving):
                task.cancel()
            await asyncio.gather(doing, leaving, return_exceptions=True)

    def _end(self, round_: RoundId, reason: str) -> None:
        self._journal.reach(self._task, round_, Step.ENDED, reason)
        self._outcomes.release()
        self._log.warning("nothing earned", round=round_, reason=reason)


def _opening(state: RoundState) -> tuple[object, ...]:
    return state.phase, state.open_block, state.opened_at


def _facts(trained: Trained) -> dict[str, object]:
    return {"metrics": dict(trained.metrics), "train_s": round(trained.train_s, 3)}
