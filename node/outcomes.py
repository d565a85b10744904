"""Concludes rounds: reads what came of each for this node from the result's manifest, and journals it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import structlog

from dao.chain.final_reader import FinalReader
from dao.core.constants import MAX_MANIFEST
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Manifest, Node, parse_manifest
from dao.core.types import Address, Digest, Phase, RoundId, TaskId, hex_of
from dao.errors import ContentError, DaoError, DecodeError, NotFound, Reorged
from dao.runtime.backoff import pauses
from dao.store.layered import LayeredStore
from dao.store.source import MAX_CONTENT
from node.journal import CommitEntry, Step, SupernodeJournal
from node.self_defence import SelfDefence

PATIENCE = 600.0  # seconds to get a manifest
MODELS = 2  # kept: the newest two, for the last result may yet be void
LEFT_OUT = "the result lacks your commit, which the Superlink had signed for"
HIDDEN = f"the round's manifest could not be had within {PATIENCE:.0f} s"
UNSETTLED = (Phase.OPEN, Phase.CLOSED)
_log = structlog.get_logger()


class Outcomes:
    """Concludes rounds in the background, so that the next one need not wait, and fetches its model ahead.

    `keep_bytes` of content stay on disk. What is older than the last round is dropped as the next comes: its memory is
    then free for the next, and fresh memory for 100 MB costs a virtual machine ten times what it costs to write them.
    """

    def __init__(
        self,
        task: TaskId,
        node: Address,
        reader: FinalReader,
        journal: SupernodeJournal,
        store: LayeredStore,
        keep_bytes: int,
        defence: SelfDefence,
    ) -> None:
        self._defence = defence
        self._task, self._node, self._reader = task, node, reader
        self._journal, self._store, self._keep_bytes = journal, store, keep_bytes
        self._models: dict[Digest, asyncio.Task[Path]] = {}
        self._waiters: Counter[Digest] = Counter()  # by model; a model without waiters makes room for others
        self._running: dict[RoundId, asyncio.Task[None]] = {}
        self._releasing: set[asyncio.Task[None]] = set()
        self._unpinning = asyncio.Lock()
        self._concluded: Cid | None = None  # the update of the last round, which a reorg may ask for again
        self._log = _log.bind(task=task)

    async def get_model(self, digest: Digest) -> Path:
        """Return a model's file, checked since this process started; ContentError when no source has it."""
        self._waiters[digest] += 1
        try:
            return await asyncio.shield(self._fetch(digest))
        finally:
            self._waiters[digest] -= 1

    def look_ahead(self, digest: Digest) -> None:
        """Begin to fetch what may become the new model, at most of its base's size; the chain names it later."""
        models = [
            model.result()
            for model in self._models.values()
            if model.done() and not (model.cancelled() or model.exception())
        ]
        sizes = [model.stat().st_size for model in models if model.exists()]
        fetching = self._fetch(digest, max(sizes, default=MAX_CONTENT))
        fetching.add_done_callback(lambda task: task.cancelled() or task.exception())

    def conclude(self, round_id: RoundId, entry: CommitEntry) -> None:
        """Begin to conclude a posted round."""
        if round_id not in self._running:
            self._running[round_id] = asyncio.create_task(self._conclude(round_id, entry))
            self._running[round_id].add_done_callback(lambda _: self._running.pop(round_id))

    def release(self) -> None:
        """Begin to unpin the updates of rounds that have ended."""
        task = asyncio.create_task(self._release())
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)

    async def close(self) -> None:
        """Cancel what is under way; a later run takes it up again."""
        tasks = [*self._running.values(), *self._models.values(), *self._releasing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _conclude(self, round_id: RoundId, entry: CommitEntry) -> None:
        try:
            try:
                async with asyncio.timeout(PATIENCE):
                    manifest = await self._read_manifest(round_id)
            except TimeoutError:
                raise NotFound(f"{HIDDEN}; {await self._defence.demand(round_id)}") from None
            row = next((row for row in manifest.nodes if row.node == self._node), None)
            checked = await self._defence.check(round_id, entry, row.owner if row else None)
            if row is not None and row.commitment == entry.commit.commitment:
                facts = {**_facts(row), "checked": checked}
                self._journal.reach(self._task, round_id, Step.ENDED, row.reason, facts)
                self._log.info(
                    "outcome",
                    round=round_id,
                    status=str(row.status),
                    reward=row.reward_wei,
                    reason=row.reason,
                )
            else:
                self._journal.reach(self._task, round_id, Step.ENDED, f"{LEFT_OUT}; {checked}")
            before, self._concluded = self._concluded, entry.reveal.cid
            if before not in (None, entry.reveal.cid):
                await self._store.local.drop(before)
            await self._release()
        except DaoError as error:
            reason = str(error)
            self._log.error("no outcome", round=round_id, error=reason)
            self._journal.reach(
                self._task, round_id, self._journal.note_of(self._task, round_id).step, reason
            )

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

    async def _read_manifest(self, round_id: RoundId) -> Manifest:
        """Return the manifest of a round's standing result; the model is fetched beside it."""
        ahead: Digest | None = None
        for pause in pauses():
            try:
                result = await self._reader.read_result(round_id)
                if result.model_digest != ahead:  # once: later, it would make newer models give way
                    ahead = result.model_digest
                    self._fetch(ahead)
                content = await self._store.get(result.manifest_digest, MAX_MANIFEST)
                manifest = parse_manifest(await asyncio.to_thread(content.read_bytes))
                if (manifest.task, manifest.round) != (self._task, round_id):
                    raise DecodeError(
                        f"manifest of task {self._task} round {round_id}: is that of another round"
                    )
                return manifest
            except Reorged:
                await self._reader.wait_leaving(round_id, UNSETTLED)
            except ContentError as error:
                self._log.warning("no manifest yet", round=round_id, error=str(error))
                await asyncio.sleep(pause)
        raise AssertionError  # pauses do not end

    def _fetch(self, digest: Digest, max_bytes: int = MAX_CONTENT) -> "asyncio.Task[Path]":
        task = self._models.get(digest)
        if task is None or (
            task.done() and (task.cancelled() or task.exception() or not task.result().exists())
        ):
            self._models.pop(digest, None)
            spare = [model for model in self._models if not self._waiters[model]]
            old = spare[: max(0, len(self._models) + 1 - MODELS)]
            for model in old:
                self._models.pop(model).cancel()
            task = self._models[digest] = asyncio.create_task(self._get(digest, old, max_bytes))
        return task

    async def _get(self, digest: Digest, old: Sequence[Digest], max_bytes: int) -> Path:
        begun = monotonic()
        for model in old:
            await self._store.local.drop(model)
        path = await self._store.get(digest, max_bytes)
        self._log.info("model", digest=hex_of(digest), seconds=round(monotonic() - begun, 3))
        return path


def _facts(row: Node) -> dict[str, object]:
    return {
        "status": str(row.status),
        "weight": row.weight,
        "unit_weight": row.unit_weight,
        "score": row.score,
        "debt": str(row.debt),
        "reward_wei": str(row.reward_wei),
    }
