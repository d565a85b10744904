"""What came of a round for this node: read from the result's manifest, and kept in the journal."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import structlog

from dao.core.constants import MAX_MANIFEST
from dao.core.errors import ContentError, DaoError, DecodeError, Reorged
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Manifest, Node, parse_manifest
from dao.core.round_machine import compute_force_deadline
from dao.core.types import Address, Digest, Phase, RoundId, TaskId, hex_of
from dao.runtime.backoff import pauses
from dao.store.layered import LayeredStore
from dao.store.source import MAX_CONTENT
from node.journal import SignedCommit, Step, SupernodeJournal
from node.task_view import Clock, TaskView

PATIENCE = 600.0  # seconds to get a manifest
MODELS = 2  # that are kept: the newest two, for the last result may yet be void
UNSETTLED = (Phase.OPEN, Phase.CLOSED)
_log = structlog.get_logger()


class Outcomes:
    """Concludes rounds in the background, so that the next one need not wait, and fetches its model ahead.

    `force` sends a commit to the chain that a result has left out; `keep_bytes` of content stay on disk. What is older
    than the last round is dropped as the next comes: memory that held it is free for that at once, and fresh memory
    for 100 MB costs a virtual machine ten times what it costs to write them.
    """

    def __init__(
        self,
        task: TaskId,
        node: Address,
        view: TaskView,
        clock: Clock,
        journal: SupernodeJournal,
        store: LayeredStore,
        force: Callable[[SignedCommit], Coroutine[Any, Any, None]],
        keep_bytes: int,
    ) -> None:
        self._task, self._node, self._view, self._clock = task, node, view, clock
        self._journal, self._store, self._force, self._keep_bytes = journal, store, force, keep_bytes
        self._models: dict[Digest, asyncio.Task[Path]] = {}
        self._wanted: Counter[Digest] = Counter()  # models that are waited for: others make room
        self._running: dict[RoundId, asyncio.Task[None]] = {}
        self._releasing: set[asyncio.Task[None]] = set()
        self._unpinning = asyncio.Lock()
        self._concluded: Cid | None = None  # the update of the last round, which a reorg may ask for again
        self._log = _log.bind(task=task)

    async def model(self, digest: Digest) -> Path:
        """Return a model's file, checked since this process began; ContentError when it cannot be had."""
        self._wanted[digest] += 1
        try:
            return await asyncio.shield(self._fetch(digest))
        finally:
            self._wanted[digest] -= 1

    def look_ahead(self, digest: Digest) -> None:
        """Begin to fetch what may become the new model, of its base's size: what is used, the chain will name."""
        models = [
            model.result()
            for model in self._models.values()
            if model.done() and not (model.cancelled() or model.exception())
        ]
        sizes = [model.stat().st_size for model in models if model.exists()]
        fetching = self._fetch(digest, max(sizes, default=MAX_CONTENT))
        fetching.add_done_callback(lambda task: task.cancelled() or task.exception())

    def conclude(self, round_: RoundId, commit: SignedCommit) -> None:
        """Begin to find out what came of a posted round."""
        if round_ not in self._running:
            self._running[round_] = asyncio.create_task(self._conclude(round_, commit))
            self._running[round_].add_done_callback(lambda _: self._running.pop(round_))

    def release(self) -> None:
        """Begin to unpin the updates of rounds that have ended."""
        task = asyncio.create_task(self._release())
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)

    async def close(self) -> None:
        """Drop what is under way; a later run takes it up again."""
        tasks = [*self._running.values(), *self._models.values(), *self._releasing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _conclude(self, round_: RoundId, commit: SignedCommit) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                manifest = await self._manifest(round_)
            row = next((row for row in manifest.nodes if row.node == self._node), None)
            if row is not None and row.commitment == commit.commitment:
                self._journal.reach(self._task, round_, Step.ENDED, row.reason, _facts(row))
                self._log.info(
                    "outcome", round=round_, status=str(row.status), reward=row.reward_wei, reason=row.reason
                )
            else:
                self._journal.reach(self._task, round_, Step.ENDED, await self._left_out(round_, commit))
            concluded, self._concluded = self._concluded, commit.cid
            if concluded not in (None, commit.cid):
                await self._store.local.drop(concluded)
            await self._release()
        except (DaoError, TimeoutError) as error:
            reason = str(error) or f"the round's manifest could not be had within {PATIENCE:.0f} s"
            self._log.error("no outcome", round=round_, error=reason)
            self._journal.reach(self._task, round_, self._journal.note_of(self._task, round_).step, reason)

    async def _release(self) -> None:
        """Unpin what no open round has signed, and prune; a replica that does not answer is asked again next time."""
        try:
            for cid in self._journal.idle_pins():  # here at once: a replica may take its time
                await self._store.local.unpin(cid)
            await self._store.local.prune(self._keep_bytes)
            if self._unpinning.locked():
                return
            async with self._unpinning:
                while idle := self._journal.idle_pins():  # anew: a round may have signed the same again
                    if not await self._store.unpin(idle[0]):
                        return
                    self._journal.unpinned(idle[0])
        except (DaoError, OSError) as error:
            self._log.warning("updates not unpinned", error=str(error))

    async def _manifest(self, round_: RoundId) -> Manifest:
        """The manifest of a round's standing result; the model is fetched beside it."""
        ahead: Digest | None = None
        for pause in pauses():
            try:
                result = await self._view.result(round_)
                if result.model_digest != ahead:  # once: later, it would make newer models give way
                    ahead = result.model_digest
                    self._fetch(ahead)
                content = await self._store.get(result.manifest_digest, MAX_MANIFEST)
                manifest = parse_manifest(await asyncio.to_thread(content.read_bytes))
                if (manifest.task, manifest.round) != (self._task, round_):
                    raise DecodeError(
                        f"manifest of task {self._task} round {round_}: is that of another round"
                    )
                return manifest
            except Reorged:
                await self._view.leaves(round_, UNSETTLED)
            except ContentError as error:
                self._log.warning("no manifest yet", round=round_, error=str(error))
                await asyncio.sleep(pause)
        raise AssertionError  # pauses do not end

    async def _left_out(self, round_: RoundId, commit: SignedCommit) -> str:
        """Contest a result that lacks our commit, where there is still time; return what is to be said of it."""
        rules, state = await asyncio.gather(self._view.rules_of(round_), self._view.round(round_))
        if self._clock.now() >= compute_force_deadline(rules, state):
            return "the result lacks your commit, and it is too late to force it; keep the daemon running"
        await self._force(commit)
        return "the result lacks your commit, which is on chain now: unless it is shown to be there, the round is void"

    def _fetch(self, digest: Digest, max_bytes: int = MAX_CONTENT) -> "asyncio.Task[Path]":
        task = self._models.get(digest)
        if task is None or (
            task.done() and (task.cancelled() or task.exception() or not task.result().exists())
        ):
            self._models.pop(digest, None)
            spare = [model for model in self._models if not self._wanted[model]]
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
