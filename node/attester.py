"""Attests that the updates of other nodes can be had: those that opened their commits on chain, as its Superlink took none of them.

What it could fetch, it hands to the Superlink, which signs that it has it; where that signs nothing, the chain hears of it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from dao.chain.block_clock import BlockClock
from dao.chain.client import Chain
from dao.chain.events import CommitsClosed, ForcedReveal
from dao.chain.final_reader import FinalReader
from dao.chain.forced_reveals import ForcedReveals
from dao.chain.rounds import RoundReader
from dao.chain.signer import recover
from dao.content.tensor_files import compute_update_limit, map_file, open_update
from dao.core.commits import Reveal
from dao.core.engine.merkle import compute_body_root
from dao.core.formats.layout import parse_model
from dao.core.formats.signed_messages import compute_revealed_digest
from dao.core.round_machine import compute_reveal_deadline, is_attester
from dao.core.types import Address, Digest, Domain, RoundId, RoundState, Rules, Signature, TaskId, hex_of
from dao.errors import ChainError, DaoError, DecodeError, Unreachable
from dao.proofs.suspicions import Receipt
from dao.runtime.backoff import pauses
from dao.store.layered import LayeredStore
from dao.wire.superlink_client import SuperlinkClient
from node.journal import SupernodeJournal
from node.model_keeper import ModelKeeper

RECEIPTS = "receipts_of_others"  # a round's fact: what the Superlink signed for updates of other nodes
ATTEST_PART, MOST_RESERVE = 1 / 16, 30.0  # of the reveal period, and seconds at most, that attesting has
IDLE = 60.0  # seconds without a new block until the chain is looked at again
_log = structlog.get_logger()

# sends an attestation to the chain
Attest = Callable[[ForcedReveal, CommitsClosed], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Attester:
    """One node's part in the reveals of others, in one task; `attest` is None where its owner wants nothing sent."""

    task: TaskId
    node: Address
    domain: Domain
    chain: Chain
    reader: FinalReader
    clock: BlockClock
    journal: SupernodeJournal
    store: LayeredStore
    models: ModelKeeper
    client: SuperlinkClient
    attest: Attest | None

    async def watch(self, round_id: RoundId, closed: RoundState, rules: Rules) -> None:
        """See to what others open on chain, where this node is drawn, until the reveal deadline."""
        event = await self.reader.read_closed_event(round_id, closed)
        if not is_attester(event.seed, self.node, closed.eligible - 1):
            return
        deadline, known = compute_reveal_deadline(rules, closed), 0
        contract, rounds = ForcedReveals(self.chain), RoundReader(self.chain, self.task)
        seen = {self.node}
        async with asyncio.TaskGroup() as group:
            while self.clock.now() < deadline:
                with suppress(ChainError):  # asked again with the next block
                    at = self.chain.final()
                    count = await contract.count_of(self.task, round_id, at)
                    if count != known:
                        opened = await rounds.forced_reveals_of(round_id, closed, at)
                        for reveal in opened:
                            if reveal.node not in seen:
                                seen.add(reveal.node)
                                group.create_task(self._see_to(reveal, event, closed, rules))
                        known = len(opened)  # a node may show them a moment after it counts them
                await self.chain.changed(IDLE)

    async def _see_to(
        self, opened: ForcedReveal, event: CommitsClosed, closed: RoundState, rules: Rules
    ) -> None:
        """Fetch an update, and have the Superlink sign that it has it, or attest that it is there."""
        log = _log.bind(task=self.task, round=opened.round, node=hex_of(opened.node))
        deadline = compute_reveal_deadline(rules, closed)
        attest_from = compute_attesting_time(rules, closed)
        fetched: tuple[Reveal, Path] | None = None
        by_ipfs = True  # at first: the Superlink may have it, or be about to
        for pause in pauses():
            try:
                fetched = fetched or await self._fetch(opened, closed, rules)
                await self._hand_over(opened, closed, rules, fetched, by_ipfs, attest_from)
            except DecodeError as error:
                log.warning("opened on chain, and not valid", error=str(error))
                return
            except (DaoError, OSError) as error:
                log.warning("not handed over", error=str(error))
                by_ipfs = False
            else:
                log.info("handed over")
                return
            if fetched is not None and self.clock.now() + pause >= attest_from:
                await self._attest(opened, event)
                return
            if self.clock.now() + pause >= deadline:
                return
            await asyncio.sleep(pause)

    async def _fetch(self, opened: ForcedReveal, closed: RoundState, rules: Rules) -> tuple[Reveal, Path]:
        """Return an update whose bytes are those of its CID; DecodeError unless it is valid and has the root committed to."""
        base = await self.models.get(await self.reader.read_base(closed, rules), closed.parent)
        layout = parse_model(map_file(base)).layout
        path = await self.store.get(opened.cid, compute_update_limit(layout, rules.codec))
        update = await asyncio.to_thread(open_update, path, layout, rules.codec)
        root = await asyncio.to_thread(compute_body_root, update.body, rules.body_depth)
        reveal = Reveal(await self.store.local.resolve(opened.cid), root, opened.salt)
        if reveal.commitment != opened.commitment:
            raise DecodeError("its body has another root than was committed to")
        return reveal, path

    async def _hand_over(
        self,
        opened: ForcedReveal,
        closed: RoundState,
        rules: Rules,
        fetched: tuple[Reveal, Path],
        by_ipfs: bool,
        until: float,
    ) -> None:
        """Journal that the Superlink has an update; DaoError where it signs nothing."""
        reveal, path = fetched
        handing_over = self.client.reveal(
            self.task, opened.round, reveal, None if by_ipfs else path, node=opened.node
        )
        try:
            async with asyncio.timeout(max(until - self.clock.now(), 1.0)):
                ack = await handing_over
        except TimeoutError:
            raise Unreachable("the Superlink did not answer in time") from None
        place = (self.domain, self.task, opened.round, closed.opening, opened.node, opened.commitment)
        digest = compute_revealed_digest(*place, reveal.body_root)
        if ack.receipt is None or recover(digest, ack.receipt) != rules.superlink:
            raise Unreachable(f"the Superlink signed nothing: {ack.reason or 'the receipt is not its own'}")
        note = self.journal.note_of(self.task, opened.round)
        receipt = [hex_of(one) for one in (opened.commitment, reveal.body_root, ack.receipt)]
        receipts = {**_read_facts(note.facts), hex_of(opened.node): receipt}
        self.journal.reach(self.task, opened.round, note.step, facts={RECEIPTS: receipts})

    async def _attest(self, opened: ForcedReveal, event: CommitsClosed) -> None:
        log = _log.bind(task=self.task, round=opened.round, node=hex_of(opened.node))
        if self.attest is None:
            log.warning("not attested: `prove = false` in the settings")
            return
        try:
            await self.attest(opened, event)
        except DaoError as error:
            log.warning("not attested", error=str(error))
        else:
            log.warning("attested")


def compute_attesting_time(rules: Rules, closed: RoundState) -> float:
    """Return the block time from which on members attest what the Superlink signed nothing for."""
    return compute_reveal_deadline(rules, closed) - min(ATTEST_PART * rules.reveal_period, MOST_RESERVE)


def read_receipts(facts: Mapping[str, object]) -> list[Receipt]:
    """Return what a Superlink signed for updates of others, by a round's facts."""
    receipts = []
    for node, signed in _read_facts(facts).items():
        commitment, body_root, signature = (bytes.fromhex(one[2:]) for one in signed)
        receipts.append(
            Receipt(
                Address(bytes.fromhex(node[2:])),
                Digest(commitment),
                None,
                Signature(signature),
                Digest(body_root),
            )
        )
    return receipts


def _read_facts(facts: Mapping[str, object]) -> dict[str, list[str]]:
    receipts = facts.get(RECEIPTS)
    return dict(receipts) if isinstance(receipts, dict) else {}
