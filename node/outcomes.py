"""Concludes rounds: reads what came of each for this node from the result's manifest, and journals it."""

import asyncio
from contextlib import suppress

import structlog

from dao.audit.findings import UnusableManifest
from dao.chain.final_reader import FinalReader
from dao.core.constants import MAX_MANIFEST
from dao.core.formats import reasons
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Manifest, Node, parse_manifest
from dao.core.statement import compute_result_hash
from dao.core.types import Address, Digest, Phase, RoundId, TaskId, hex_of
from dao.errors import ContentError, DaoError, DecodeError, NotFound, Reorged
from dao.runtime.backoff import pauses
from dao.store.layered import LayeredStore
from node.attester import read_receipts
from node.journal import CommitEntry, RoundNote, Step, SupernodeJournal
from node.model_keeper import ModelKeeper
from node.self_defence import NOTHING, SelfDefence
from node.submission import TWICE

PATIENCE = 600.0  # seconds to get a manifest
# until it is demanded on chain: this part of the window for challenges, and at least so many seconds
DEMAND_PART, LEAST_PATIENCE = 0.25, 15.0
LEFT_OUT = "the result lacks your commit, which the Superlink had signed for"
HIDDEN = "the round's manifest could not be had within {:.0f} s"
UNSETTLED = (Phase.OPEN, Phase.CLOSED)
UNDONE = (Phase.ABORTED, Phase.VOID)
OVER = (*UNDONE, Phase.FINALIZED)  # phases in which nothing can be proven any more
MAY_STAND = (Phase.CLOSED, Phase.POSTED, Phase.FROZEN)  # phases in which a result may be in force, or come
RIGHT = "right_result"  # a round's fact: the hash of its result, where nothing of it was found wrong
RECENT = 8  # rounds back that are concluded again
_log = structlog.get_logger()


class Outcomes:
    """Concludes rounds in the background, so that the next one need not wait. `keep_bytes` of content stay on disk."""

    def __init__(
        self,
        task: TaskId,
        node: Address,
        reader: FinalReader,
        journal: SupernodeJournal,
        store: LayeredStore,
        models: ModelKeeper,
        keep_bytes: int,
        defence: SelfDefence,
    ) -> None:
        self._defence = defence
        self._task, self._node, self._reader = task, node, reader
        self._journal, self._store, self._keep_bytes = journal, store, keep_bytes
        self._models = models
        self._running: dict[RoundId, asyncio.Task[None]] = {}
        self._releasing: set[asyncio.Task[None]] = set()
        self._unpinning = asyncio.Lock()
        # the newest round and its update, which a reorg may ask for again
        self._newest: tuple[RoundId, Cid] | None = None
        self._log = _log.bind(task=task)

    def conclude(self, round_id: RoundId, entry: CommitEntry) -> None:
        """Begin to conclude a posted round."""
        if round_id not in self._running:
            self._running[round_id] = asyncio.create_task(self._conclude(round_id, entry))
            self._running[round_id].add_done_callback(lambda _: self._running.pop(round_id))

    async def keep_concluded(self) -> None:
        """Conclude rounds again whose result was not found right, now and whenever blocks are gone; runs until cancelled.

        So a result stands for no longer than it takes to prove it wrong again where the chain took back what had voided it.
        """
        while True:
            reorgs = self._reader.reorgs
            for note in self._journal.notes(self._task, last=RECENT):
                if note.step is Step.ENDED:
                    await self._conclude_again(note)
            await self._reader.wait_reorg(reorgs)

    def release(self) -> None:
        """Begin to unpin the updates of rounds that have ended."""
        task = asyncio.create_task(self._release())
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)

    async def close(self) -> None:
        """Cancel what is under way; a later run takes it up again."""
        tasks = [*self._running.values(), *self._releasing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _conclude_again(self, note: RoundNote) -> None:
        state = await self._reader.read_state(note.round)
        entry = self._journal.commit_of(self._task, note.round, state.opening)
        is_right = note.facts.get(RIGHT) == hex_of(state.result_hash)
        if entry is not None and state.phase in MAY_STAND and not is_right:
            self._log.warning("concluded again", round=note.round, phase=state.phase.name.lower())
            self.conclude(note.round, entry)

    async def _conclude(self, round_id: RoundId, entry: CommitEntry) -> None:
        try:
            state = await self._reader.wait_leaving(round_id, UNSETTLED)  # where its result was taken back
            if state.phase is Phase.ABORTED:
                raise NotFound(reasons.NO_RESULT)
            result_hash, manifest = await self._get_manifest(round_id)
            row = next((row for row in manifest.nodes if row.node == self._node), None)
            is_in = row is not None and row.commitment == entry.commit.commitment
            if row is not None and is_in:
                said = {"status": str(row.status), "reward": row.reward_wei, "reason": row.reason}
                self._log.info("outcome", round=round_id, **said)
            others = read_receipts(self._journal.note_of(self._task, round_id).facts)
            checked = await self._defence.check(round_id, entry, row.owner if row else None, others)
            right = {RIGHT: hex_of(result_hash) if checked == NOTHING else ""}
            if row is not None and is_in:
                facts = {**_facts(row), **right, "checked": checked}
                self._journal.reach(self._task, round_id, Step.ENDED, row.reason, facts)
                self._log.info("checked", round=round_id, found=checked)
            else:
                is_ours = row is not None and self._defence.is_signed_elsewhere(entry, row)
                reason = TWICE if is_ours else f"{LEFT_OUT}; {checked}"
                self._journal.reach(self._task, round_id, Step.ENDED, reason, right)
            await self._drop_older(round_id, entry.reveal.cid)
            await self._release()
        except UnusableManifest as error:
            await self._give_up(round_id, await self._defence.contest(round_id, str(error)))
        except (DaoError, OSError) as error:
            await self._give_up(round_id, str(error))

    async def _give_up(self, round_id: RoundId, reason: str) -> None:
        """Journal why a round has no outcome; it ends so where the chain has ended it, else a later process asks again.

        Else the updates of rounds whose manifest nobody gives would stay pinned for ever.
        """
        self._log.error("no outcome", round=round_id, error=reason)
        self._journal.reach(self._task, round_id, self._journal.note_of(self._task, round_id).step, reason)
        with suppress(DaoError):  # the chain has no answer
            if (await self._reader.read_state(round_id)).phase in OVER:
                self._journal.reach(self._task, round_id, Step.ENDED, reason)
                await self._release()

    async def _drop_older(self, round_id: RoundId, update: Cid) -> None:
        """Drop the older one of the newest update and this one, unless they are the same."""
        older, newest = (round_id, update), self._newest or (round_id, update)
        if newest[0] < round_id:
            older, newest = newest, older
        self._newest = newest
        if older[1] != newest[1]:
            await self._store.local.drop(older[1])

    async def _release(self) -> None:
        """Unpin what no open round has signed, and prune; a replica without an answer is asked again next time."""
        try:
            for cid in self._journal.idle_pins():  # here first: a replica may take its time
                await self._store.local.unpin(cid)
            await self._store.local.prune(self._keep_bytes)
            if self._unpinning.locked():
                return
            async with self._unpinning:
                while idle := self._journal.idle_pins():  # anew: a round may have signed the same again
                    if not await self._store.unpin(idle[0]):
                        return
                    self._journal.forget_pin(idle[0])
        except (DaoError, OSError) as error:
            self._log.warning("updates not unpinned", error=str(error))

    async def _get_manifest(self, round_id: RoundId) -> tuple[Digest, Manifest]:
        """As `_read_manifest`, for a while: what nobody gives is demanded on chain while that is in time, and still asked for."""
        rules, said, waited = await self._reader.read_rules_of(round_id), "", 0.0
        first = min(PATIENCE, max(DEMAND_PART * rules.challenge_period, LEAST_PATIENCE))
        for patience in (first, PATIENCE - first):
            waited += patience
            try:
                async with asyncio.timeout(patience):
                    return await self._read_manifest(round_id)
            except TimeoutError:
                said = said or await self._defence.demand(round_id)
            if (await self._reader.read_state(round_id)).phase in UNDONE:
                break
        raise NotFound(f"{HIDDEN.format(waited)}; {said}")

    async def _read_manifest(self, round_id: RoundId) -> tuple[Digest, Manifest]:
        """Return the hash of a round's standing result, and its manifest; the model is fetched beside it."""
        ahead: Digest | None = None
        for pause in pauses():
            try:
                result = await self._reader.read_result(round_id)
                if result.model_digest != ahead:  # once: later, it would make newer models give way
                    ahead = result.model_digest
                    self._models.begin(ahead, round_id)
                content = await self._store.get(result.manifest_digest, MAX_MANIFEST)
                manifest = parse_manifest(await asyncio.to_thread(content.read_bytes))
                return compute_result_hash(result), manifest
            except Reorged:
                await self._reader.wait_leaving(round_id, UNSETTLED)
                await asyncio.sleep(pause)
            except DecodeError as error:
                raise UnusableManifest(f"round {round_id}: its manifest is malformed: {error}") from None
            except (ContentError, OSError) as error:  # it may be dropped in the moment that it is read
                self._log.warning("no manifest yet", round=round_id, error=str(error))
                await asyncio.sleep(pause)
        raise AssertionError  # pauses do not end


def _facts(row: Node) -> dict[str, object]:
    return {
        "status": str(row.status),
        "weight": row.weight,
        "unit_weight": row.unit_weight,
        "score": row.score,
        "debt": str(row.debt),
        "reward_wei": str(row.reward_wei),
    }
