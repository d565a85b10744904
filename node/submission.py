"""Hands a round's commit, or pass, and its reveal to the Superlink, and the commit to the chain where that fails."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from dao.chain.block_clock import BlockClock
from dao.chain.final_reader import FinalReader
from dao.chain.signer import recover
from dao.core.commits import SignedCommit, SignedPass
from dao.core.constants import ROWS_DEPTH
from dao.core.engine.merkle import verify
from dao.core.formats.commit_leaves import encode_commit_row
from dao.core.formats.signed_messages import compute_receipt_digest, compute_revealed_digest
from dao.core.round_machine import (
    compute_close_time,
    compute_commit_deadline,
    compute_forced_reveal_deadline,
    compute_reveal_deadline,
)
from dao.core.types import Domain, RoundId, RoundState, Rules, TaskId, hex_of
from dao.errors import DaoError, RuleError, Unreachable
from dao.runtime.backoff import pauses
from dao.store.layered import LayeredStore
from dao.wire.messages import Ack, Inclusion
from dao.wire.superlink_client import SuperlinkClient
from node.journal import CommitEntry, Step, SupernodeJournal
from node.upload_watch import UploadWatch, foresee_shortage

PROOF_LIMIT = 5.0  # seconds to ask the Superlink for a proof, before the commit is revealed
FUTILE = 3  # forced commits in a row, of rounds that never closed, after which no more gas is spent
FORCE_RESERVE, MOST_RESERVE = 0.25, 60.0  # part of the commit period, and seconds at most, that forcing has
# seconds of one attempt, where commit or reveal is due on chain and not there yet
SHORTEST_TRY, LONGEST_TRY = 0.5, 10.0
LINE = "line"  # a round's fact: why its line is too slow, "" where it was not
# what a node learns of a commit that is its own and not this daemon's
TWICE = (
    "a commit signed by this node's key is in the round, and this daemon did not make it: the key runs twice; stop the "
    "other daemon, for two commits to one round cost stake"
)
_log = structlog.get_logger()

Force = Callable[[SignedCommit], Coroutine[Any, Any, None]]  # sends a commit to the chain
ForceReveal = Callable[[CommitEntry], Coroutine[Any, Any, None]]  # opens a commit on chain


@dataclass(frozen=True)
class Submission:
    """One node's submissions to one task's Superlink; `by_ipfs`: it fetches updates from IPFS, not from a stream."""

    task: TaskId
    domain: Domain
    reader: FinalReader
    clock: BlockClock
    journal: SupernodeJournal
    store: LayeredStore
    client: SuperlinkClient
    force: Force
    by_ipfs: bool
    force_reveal: ForceReveal

    async def hand_in(self, commit: SignedCommit, opened: RoundState, rules: Rules) -> None:
        """Send the commit until the Superlink has signed a receipt; force it on chain where none comes in time."""
        deadline = compute_commit_deadline(rules, opened)
        force_from = compute_force_time(rules, opened)
        for pause in pauses():
            left = force_from - self.clock.now()
            try:
                # a Superlink that stalls must not keep it from the chain
                async with asyncio.timeout(max(left, SHORTEST_TRY) if left > 0 else LONGEST_TRY):
                    receipt = await self.client.commit(commit)
                place = (self.task, commit.round, commit.opening, commit.node)
                digest = compute_receipt_digest(self.domain, *place, commit.commitment)
                if recover(digest, receipt) != rules.superlink:
                    raise RuleError(
                        "the receipt is not signed by the round's Superlink; is its address right?"
                    )
            except (DaoError, TimeoutError) as error:
                words = str(error) or "the Superlink gave no answer in time"
                _log.warning("commit not taken", task=self.task, round=commit.round, error=words)
            else:
                self.journal.receive(commit, receipt)
                return
            soon = self.clock.now() + pause
            if (soon >= force_from and await self._is_forced_now(commit)) or soon >= deadline:
                return
            await asyncio.sleep(pause)

    def is_forced(self, commit: SignedCommit) -> bool:
        """Return whether the commit is on chain, as far as the journal knows."""
        return self.journal.note_of(self.task, commit.round).facts.get("forced") == hex_of(commit.opening)

    def _is_futile(self, commit: SignedCommit) -> bool:
        """Whether the last commits that went to the chain were all for rounds that never closed: gas for nothing."""
        notes = [note for note in self.journal.notes(self.task) if note.round < commit.round]
        last = [note.facts for note in notes if {"forced", "counted"} & note.facts.keys()][:FUTILE]
        return len(last) == FUTILE and all("counted" not in facts for facts in last)

    async def _is_forced_now(self, commit: SignedCommit) -> bool:
        """Send the commit to the chain; return whether it is there."""
        if self._is_futile(commit):
            _log.error("commit not forced: the last rounds never closed", task=self.task, round=commit.round)
            return False
        try:
            await self.force(commit)
        except DaoError as error:
            _log.error("commit not forced", task=self.task, round=commit.round, error=str(error))
            return False
        facts = {"forced": hex_of(commit.opening)}
        self.journal.reach(self.task, commit.round, Step.FORCED, facts=facts)
        _log.warning("commit forced", task=self.task, round=commit.round)
        return True

    async def sit_out(self, node_pass: SignedPass, opened: RoundState, rules: Rules) -> None:
        """Send a pass until the Superlink has taken it, at most until commits close."""
        for pause in pauses():
            try:
                await self.client.sit_out(node_pass)
            except DaoError as error:
                _log.warning("pass not taken", task=self.task, round=node_pass.round, error=str(error))
            else:
                return
            if self.clock.now() + pause >= compute_commit_deadline(rules, opened):
                return
            await asyncio.sleep(pause)

    async def check_counting(self, commit: SignedCommit, closed: RoundState) -> str:
        """Verify that the commit is on chain, or in the tree under the root there; return "" or what is wrong."""
        how = "on chain"
        if not self.is_forced(commit):
            event = await self.reader.read_closed_event(commit.round, closed)
            try:
                inclusion = await self._ask_proof(commit.round, PROOF_LIMIT)
                row, place = encode_commit_row(commit), (inclusion.index, inclusion.proof)
                is_whole = inclusion.count == event.commits + event.passes
                if not is_whole or not verify(event.root, row, *place, ROWS_DEPTH):
                    raise RuleError("the Superlink's proof does not lead to the root on chain")
            except DaoError as error:
                _log.error("commit left out", task=self.task, round=commit.round, error=str(error))
                return f"the Superlink left the commit out, which it had signed for: {error}"
            how = "in the tree"
        self.journal.reach(self.task, commit.round, Step.COUNTED, facts={"counted": how})
        return ""

    async def has_other_commit(self, round_id: RoundId) -> bool:
        """Return whether the Superlink has a commit of this node in a closed round, of which this journal knows nothing."""
        try:
            await self._ask_proof(round_id, PROOF_LIMIT)
        except DaoError:
            return False
        return True

    async def _ask_proof(self, round_id: RoundId, limit: float) -> Inclusion:
        """Ask where this node's commit is in the tree, for `limit` seconds and no longer: its reveal waits."""
        try:
            async with asyncio.timeout(limit):
                return await self.client.inclusion(self.task, round_id, limit=limit)
        except TimeoutError:
            raise Unreachable(f"the Superlink gave no proof within {limit:.0f} s") from None

    async def reveal(self, entry: CommitEntry, closed: RoundState, rules: Rules) -> str:
        """Reveal the commit until the Superlink has signed that it has the update; return "" or what is wrong.

        Where no such receipt comes in time, the commit is opened on chain, and the update offered to all who look for its CID.
        """
        path = self.store.local.path_of(entry.reveal.cid)
        size = path.stat().st_size if path.exists() else 0
        round_id, deadline = entry.commit.round, compute_reveal_deadline(rules, closed)
        watch = UploadWatch(
            size, lambda: deadline - self.clock.now(), lambda line: self._note_line(round_id, line)
        )
        watching, problem = asyncio.create_task(watch.run()), "cut off by the end of the round"
        try:
            problem = await self._reveal(entry, closed, rules, watch)
        finally:
            watching.cancel()
            if not self.by_ipfs:
                self._note_facts(round_id, {**watch.fact(), LINE: problem and self._line_of(round_id)})
        return problem

    def foresee(self, round_id: RoundId, rules: Rules) -> None:
        """Warn, before the work of a round, where the line was too slow the last time."""
        if not self.by_ipfs and (
            line := foresee_shortage(self.journal.notes(self.task), rules.reveal_period)
        ):
            self._note_line(round_id, line)

    def _note_line(self, round_id: RoundId, line: str) -> None:
        _log.warning("line too slow for the update", task=self.task, round=round_id, line=line)
        self._note_facts(round_id, {LINE: line})

    def _note_facts(self, round_id: RoundId, facts: Mapping[str, object]) -> None:
        step = self.journal.note_of(self.task, round_id).step
        self.journal.reach(self.task, round_id, step, facts=facts)

    def _line_of(self, round_id: RoundId) -> str:
        return str(self.journal.note_of(self.task, round_id).facts.get(LINE, ""))

    async def _reveal(self, entry: CommitEntry, closed: RoundState, rules: Rules, watch: UploadWatch) -> str:
        """Try until the Superlink has the update, or the deadline; an upload that is cut off to force the reveal goes on after it."""
        cid, round_id, by_ipfs = entry.reveal.cid, entry.commit.round, self.by_ipfs
        deadline, force_from = compute_reveal_deadline(rules, closed), compute_forcing_time(rules, closed)
        is_forced = False
        for pause in pauses():
            left = (deadline if is_forced else force_from) - self.clock.now()
            limit = max(left, SHORTEST_TRY if is_forced or left > 0 else LONGEST_TRY)
            try:
                async with asyncio.timeout(limit):  # a Superlink that stalls must not keep it from the chain
                    content = await self.store.local.get(cid)
                    if by_ipfs:
                        await self.store.pin(cid)
                        by_ipfs = bool(await self.store.publish(cid))
                    ack = await self.client.reveal(
                        self.task, round_id, entry.reveal, None if by_ipfs else content, watch.note
                    )
                problem = self._check_revealed(entry, ack, rules)
            except DaoError as error:
                problem = str(error)
            except TimeoutError:
                problem = f"the Superlink gave no answer within {limit:.0f} s"
            if not problem:
                sent, received = self.client.sent, self.client.received
                _log.info("revealed", task=self.task, round=round_id, sent=sent, received=received)
                return ""
            _log.warning("update not taken", task=self.task, round=round_id, error=problem)
            by_ipfs = False  # the Superlink may not be able to fetch it
            soon = self.clock.now() + pause
            if not is_forced and soon >= force_from:
                is_forced = await self._is_reveal_forced(entry)
            if soon >= deadline:
                return "" if is_forced else problem
            await asyncio.sleep(pause)
        raise AssertionError  # pauses do not end

    def _check_revealed(self, entry: CommitEntry, ack: Ack, rules: Rules) -> str:
        """Journal the receipt of an update; return "" or why there is none."""
        if not ack.accepted or ack.receipt is None:
            return f"the Superlink did not take the update: {ack.reason}"
        commit = entry.commit
        place = (self.domain, self.task, commit.round, commit.opening, commit.node, commit.commitment)
        if recover(compute_revealed_digest(*place, entry.reveal.body_root), ack.receipt) != rules.superlink:
            return "the receipt of the update is not signed by the round's Superlink"
        self.journal.receive_revealed(commit, ack.receipt)
        return ""

    async def _is_reveal_forced(self, entry: CommitEntry) -> bool:
        """Open the commit on chain and offer its update; return whether it is there."""
        round_id = entry.commit.round
        try:
            await self.store.pin(entry.reveal.cid)
            await self.store.publish(entry.reveal.cid)
            await self.force_reveal(entry)
        except DaoError as error:
            _log.error("reveal not forced", task=self.task, round=round_id, error=str(error))
            return False
        self.journal.reach(self.task, round_id, Step.REVEALED, facts={"revealed": "on chain"})
        _log.warning("reveal forced", task=self.task, round=round_id)
        return True


def compute_force_time(rules: Rules, opened: RoundState) -> float:
    """Return the block time from which on a commit without a receipt goes to the chain: before others' can close without it."""
    period = compute_close_time(rules, opened, opened.eligible - 1) - opened.opened_at
    return opened.opened_at + period - min(FORCE_RESERVE * period, MOST_RESERVE)


def compute_forcing_time(rules: Rules, closed: RoundState) -> float:
    """Return the block time from which on a reveal without a receipt goes to the chain, in seconds."""
    reserve = min(FORCE_RESERVE * rules.reveal_period, MOST_RESERVE)
    return compute_forced_reveal_deadline(rules, closed) - reserve
