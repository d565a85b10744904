"""Hands a round's commit and its reveal to the Superlink, and the commit to the chain where the Superlink fails."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from dao.chain.block_clock import BlockClock
from dao.chain.final_reader import FinalReader
from dao.chain.signer import recover
from dao.core.commits import SignedCommit
from dao.core.constants import ROWS_DEPTH
from dao.core.errors import DaoError, RuleError, Unreachable
from dao.core.formats.signed_messages import compute_receipt_digest
from dao.core.merkle import verify
from dao.core.round_machine import compute_commit_deadline, compute_force_deadline, compute_reveal_deadline
from dao.core.types import Domain, RoundState, Rules, TaskId
from dao.runtime.backoff import pauses
from dao.store.layered import LayeredStore
from dao.wire.messages import Inclusion
from dao.wire.superlink_client import SuperlinkClient
from node.journal import CommitEntry, Step, SupernodeJournal

PROOF_LIMIT = 30.0  # seconds to ask the Superlink for a proof, before the commit is forced
LATE_LIMIT = 5.0  # seconds to ask for it where nothing can be forced any more, before the commit is revealed
_log = structlog.get_logger()

Force = Callable[[SignedCommit], Coroutine[Any, Any, None]]  # sends a commit to the chain


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

    async def hand_in(self, commit: SignedCommit, opened: RoundState, rules: Rules) -> None:
        """Send the commit until the Superlink has signed a receipt, at most until commits close."""
        for pause in pauses():
            try:
                receipt = await self.client.commit(commit)
                digest = compute_receipt_digest(
                    self.domain, self.task, commit.round, commit.node, commit.commitment
                )
                if recover(digest, receipt) != rules.superlink:
                    raise RuleError(
                        "the receipt is not signed by the round's Superlink; is its address right?"
                    )
            except DaoError as error:
                _log.warning("commit not taken", task=self.task, round=commit.round, error=str(error))
            else:
                self.journal.receive(self.task, commit.round, receipt)
                return
            if self.clock.now() + pause >= compute_commit_deadline(rules, opened):
                return
            await asyncio.sleep(pause)

    async def secure_counting(self, commit: SignedCommit, closed: RoundState, rules: Rules) -> str:
        """Verify that the commit is in the tree under the root on chain, else force it; return "" or what is wrong."""
        left = compute_force_deadline(rules, closed) - self.clock.now()
        limit = min(PROOF_LIMIT, left / 2) if left > 0 else LATE_LIMIT
        root = (await self.reader.read_closed_event(commit.round, closed)).root
        try:
            inclusion = await self._ask_proof(commit, limit)
            row = commit.node + commit.commitment
            if inclusion.count != closed.commits or not verify(
                root, row, inclusion.index, inclusion.proof, ROWS_DEPTH
            ):
                raise RuleError("the Superlink's proof does not lead to the root on chain")
            how = "in the tree"
        except DaoError as error:
            _log.warning(
                "commit left out, so it is forced", task=self.task, round=commit.round, error=str(error)
            )
            try:
                await self.force(commit)
            except DaoError as failure:
                _log.error("commit not forced", task=self.task, round=commit.round, error=str(failure))
                return f"the Superlink left the commit out ({error}), and it could not be forced: {failure}"
            how = f"forced: {error}"
        self.journal.reach(self.task, commit.round, Step.COUNTED, facts={"counted": how})
        return ""

    async def _ask_proof(self, commit: SignedCommit, limit: float) -> Inclusion:
        """Ask where the commit is in the tree, for `limit` seconds and no longer: the chain must hear in time."""
        try:
            async with asyncio.timeout(limit):
                return await self.client.inclusion(self.task, commit.round, limit=limit)
        except TimeoutError:
            raise Unreachable(f"the Superlink gave no proof within {limit:.0f} s") from None

    async def reveal(self, entry: CommitEntry, closed: RoundState, rules: Rules) -> str:
        """Reveal the commit until the Superlink has the update; return "" or what is wrong."""
        cid, round_id, by_ipfs = entry.reveal.cid, entry.commit.round, self.by_ipfs
        for pause in pauses():
            try:
                content = await self.store.local.get(cid)
                if by_ipfs:
                    await self.store.pin(cid)
                    by_ipfs = bool(await self.store.publish(cid))
                ack = await self.client.reveal(
                    self.task, round_id, entry.reveal, None if by_ipfs else content
                )
                problem = "" if ack.accepted else f"the Superlink did not take the update: {ack.reason}"
            except DaoError as error:
                problem = str(error)
            if not problem:
                self.journal.reach(self.task, round_id, Step.REVEALED)
                sent, received = self.client.sent, self.client.received
                _log.info("revealed", task=self.task, round=round_id, sent=sent, received=received)
                return ""
            _log.warning("update not taken", task=self.task, round=round_id, error=problem)
            by_ipfs = False  # the Superlink may not be able to fetch it
            if self.clock.now() + pause >= compute_reveal_deadline(rules, closed):
                return problem
            await asyncio.sleep(pause)
        raise AssertionError  # pauses do not end
