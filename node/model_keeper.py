"""Keeps the newest models of a task on disk: each made of an earlier one and what was added to it, or fetched whole."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import structlog

from dao.chain.final_reader import FinalReader
from dao.content.tensor_files import map_file, open_update, write_moved_model
from dao.core.constants import CHUNK, MAX_HEADER, MAX_MANIFEST
from dao.core.engine.backend import get_step_codec
from dao.core.formats.layout import Layout, compute_model_size, parse_model
from dao.core.formats.manifest import Manifest, parse_manifest
from dao.core.formats.update import compute_update_size, get_leaf_size
from dao.core.types import NO_ROUND, Codec, Digest, RoundId, Rules, TaskId, hex_of
from dao.errors import DaoError, Mismatch
from dao.runtime.failpoint import failpoint
from dao.store.layered import LayeredStore
from dao.store.source import MAX_CONTENT
from dao.wire.messages import ComputedModel

MODELS = 2  # kept: the newest two, for the last result may yet be void
FAILPOINTS = ("steps-fetched", "model-moved", "model-kept")
MODEL_LEAF = 4 * CHUNK  # bytes of a model's chunk


@dataclass(frozen=True)
class Route:
    """How a model follows from one that is here: by these steps, the first of them first, all of this codec, that of steps."""

    base: Digest
    steps: Sequence[Digest]
    codec: Codec


Find = Callable[[], Awaitable[Route | None]]
ReadLimit = Callable[[], Awaitable[int]]  # the bytes that a model may have


class ModelKeeper:
    """Gets models by their digest on chain, whatever way is shorter, and keeps two.

    What is older is dropped as the next comes: its memory is then free for the next, and fresh memory for 100 MB costs a
    virtual machine ten times what it costs to write them.
    """

    def __init__(self, task: TaskId, reader: FinalReader, store: LayeredStore) -> None:
        self._reader, self._store = reader, store
        self._scratch = store.local.tmp / f"{task}-moved"
        self._models: dict[Digest, asyncio.Task[Path]] = {}  # the one last asked for at the end
        self._waiters: Counter[Digest] = Counter()  # by model; a model without waiters makes room for others
        self._log = structlog.get_logger().bind(task=task)

    async def get(self, digest: Digest, round_id: RoundId) -> Path:
        """Return the file of a round's new model, checked since this process started; NO_ROUND: of the task's first.

        ContentError when no source has it.
        """
        self._waiters[digest] += 1
        try:
            return await asyncio.shield(self.begin(digest, round_id))
        finally:
            self._waiters[digest] -= 1

    def begin(self, digest: Digest, round_id: RoundId) -> "asyncio.Task[Path]":
        """Begin to get a round's new model, which the chain names."""

        async def read_limit() -> int:
            rules = await (self._reader.read_rules_of(round_id) if round_id else self._reader.read_rules())
            return compute_model_limit(rules)

        return self._start(digest, lambda: self._find_route(digest, round_id), read_limit)

    def look_ahead(self, base: Digest, codec: Codec, computed: ComputedModel) -> None:
        """Begin to get what may become a round's new model, at most of its base's size; the chain names it later."""

        async def find() -> Route:
            return Route(base, [computed.step], codec)

        self._waiters[base] += 1

        async def read_limit() -> int:
            path = self._store.local.path_of(base)
            return path.stat().st_size if path.exists() else MAX_CONTENT

        getting = self._start(computed.digest, find, read_limit)
        getting.add_done_callback(lambda task: task.cancelled() or task.exception())
        getting.add_done_callback(lambda _: self._waiters.subtract([base]))

    async def close(self) -> None:
        """Cancel what is under way; a later run takes it up again."""
        for task in self._models.values():
            task.cancel()
        await asyncio.gather(*self._models.values(), return_exceptions=True)

    def _start(self, digest: Digest, find: Find, read_limit: ReadLimit) -> "asyncio.Task[Path]":
        task = self._models.pop(digest, None)
        if task is None or (
            task.done() and (task.cancelled() or task.exception() or not task.result().exists())
        ):
            spare = [model for model in self._models if not self._waiters[model]]
            old = spare[: max(0, len(self._models) + 1 - MODELS)]
            for model in old:
                self._models.pop(model).cancel()
            task = asyncio.create_task(self._get(digest, old, find, read_limit))
        self._models[digest] = task
        return task

    async def _get(self, digest: Digest, old: Sequence[Digest], find: Find, read_limit: ReadLimit) -> Path:
        begun = monotonic()
        for model in old:
            await self._store.local.drop(model)
        is_here = await self._store.local.has(digest)
        route = None if is_here else await find()
        path = route and await self._follow(route, digest)
        steps = len(route.steps) if route and path else 0
        path = path or await self._store.get(digest, MAX_CONTENT if is_here else await read_limit())
        seconds = round(monotonic() - begun, 3)
        self._log.info("model", digest=hex_of(digest), seconds=seconds, steps=steps)
        return path

    async def _find_route(self, digest: Digest, round_id: RoundId) -> Route | None:
        """Return the way to a round's new model from the nearest one that is here; None where there is none or it is longer."""
        steps: list[Digest] = []
        with suppress(DaoError):  # then the model itself is asked for, which says what is wrong
            codec = get_step_codec((await self._reader.read_rules_of(round_id)).codec) if round_id else None
            while codec is not None and len(steps) < count_useful_steps(codec) and round_id != NO_ROUND:
                manifest = await self._read_manifest(round_id)
                steps.insert(0, manifest.step.digest)
                if await self._store.local.has(manifest.base_model):
                    return Route(manifest.base_model.digest, steps, codec)
                round_id = manifest.parent
        self._log.debug("no way by steps", digest=hex_of(digest))
        return None

    async def _read_manifest(self, round_id: RoundId) -> Manifest:
        result = await self._reader.read_result(round_id)
        path = await self._store.get(result.manifest_digest, MAX_MANIFEST)
        return parse_manifest(await asyncio.to_thread(path.read_bytes))

    async def _follow(self, route: Route, digest: Digest) -> Path | None:
        """Fetch the steps of a route and make the model; None, and nothing is kept, where it is another one or cannot be made."""
        try:
            base = self._store.local.path_of(route.base)
            layout = await asyncio.to_thread(_read_layout, base)
            size = compute_update_size(layout, route.codec)
            if len(route.steps) * size >= compute_model_size(layout):
                return None
            paths = await asyncio.gather(*(self._store.get(step, size) for step in route.steps))
            failpoint("steps-fetched")
            scratch = self._scratch.with_name(f"{self._scratch.name}-{digest.hex()}")
            try:
                await asyncio.to_thread(_move, base, paths, route.codec, scratch)
                failpoint("model-moved")
                made = await self._store.local.put_file(scratch, move=True)
            finally:
                scratch.unlink(missing_ok=True)
            failpoint("model-kept")
            if made.digest != digest:
                await self._store.local.drop(made)
                raise Mismatch(f"the steps lead to {made}")
        except (DaoError, OSError) as error:
            self._log.warning("no model by steps", digest=hex_of(digest), error=str(error))
            return None
        for step in route.steps:
            await self._store.local.drop(step)
        return self._store.local.path_of(digest)


def compute_model_limit(rules: Rules) -> int:
    """Return the most bytes that the file of a task's model has, whatever a result names as one."""
    return 8 + MAX_HEADER + MODEL_LEAF * rules.chunks


def count_useful_steps(codec: Codec) -> int:
    """Return how many steps are less to fetch than a model, so that more need not be looked for."""
    return (MODEL_LEAF - 1) // get_leaf_size(codec)


def _read_layout(path: Path) -> Layout:
    return parse_model(map_file(path)).layout


def _move(base: Path, steps: Sequence[Path], codec: Codec, out: Path) -> None:
    """Write the model that follows from `base` by some steps."""
    model = parse_model(map_file(base))
    for path in steps:
        write_moved_model(model, open_update(path, model.layout, codec), out)
        model = parse_model(map_file(out))
