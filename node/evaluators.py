"""Opens what computes an app's gradients at a node: of an app that its owner approved, in a process that ends with the work."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from dao.app.bundle import MAX_BYTES, unpack
from dao.app.frozen_base import fetch_frozen_base
from dao.app.gradient_client import GradientClient
from dao.content.cards import fetch_card
from dao.core.types import Digest, Rules, TaskId
from dao.store.source import Source
from node.approvals import Approvals

KEPT_SECONDS = 60.0  # that a process is kept without work
EvaluatorOf = Callable[[Path, Path], GradientClient]  # of an app's folder, with a folder to write to


@asynccontextmanager
async def open_evaluator(
    source: Source,
    approvals: Approvals,
    task: TaskId,
    rules: Rules,
    evaluator_of: EvaluatorOf,
    *,
    app: Path,
    scratch: Path,
) -> AsyncIterator[GradientClient]:
    """Unpack a round's app into the folder `app`, and yield its evaluator, with the card's settings; NotApproved where the owner has not approved it."""
    approvals.require(task, rules.app_hash)  # whatever its card says: it sees public rows alone
    bundle = await source.get(rules.app_hash, MAX_BYTES)
    await asyncio.to_thread(unpack, await asyncio.to_thread(bundle.read_bytes), app)
    evaluator = evaluator_of(app, scratch)
    try:
        card = await fetch_card(source, rules.card)
        await evaluator.configure(card.settings, await fetch_frozen_base(source, card))
        yield evaluator
    finally:
        await evaluator.stop()


class EvaluatorKeeper:
    """One task's evaluator, kept for a while after its use, for most results have the app and the card of the one before.

    A process of its own for each takes longer to start than to judge a small model.
    """

    def __init__(
        self, source: Source, approvals: Approvals, task: TaskId, evaluator_of: EvaluatorOf, scratch: Path
    ) -> None:
        self._source, self._approvals, self._task = source, approvals, task
        self._evaluator_of, self._scratch = evaluator_of, scratch
        self._turn = asyncio.Lock()
        self._open: tuple[tuple[Digest, Digest], GradientClient] | None = None  # by app and card
        self._stack = AsyncExitStack()
        self._ending: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether somebody has the evaluator."""
        return self._turn.locked()

    @asynccontextmanager
    async def borrow(self, rules: Rules) -> AsyncIterator[GradientClient]:
        """Yield the evaluator of a round, to one at a time; NotApproved where the owner has not approved its app."""
        async with self._turn:
            if self._ending is not None:
                self._ending.cancel()
            self._approvals.require(self._task, rules.app_hash)
            try:
                yield await self._ensure(rules)
            except BaseException:
                await self._end()
                raise
            self._ending = asyncio.create_task(self._end_later())

    async def close(self) -> None:
        """End the evaluator."""
        async with self._turn:
            if self._ending is not None:
                self._ending.cancel()
            await self._end()

    async def _ensure(self, rules: Rules) -> GradientClient:
        key = rules.app_hash, rules.card
        if self._open is None or self._open[0] != key:
            await self._end()
            self._scratch.mkdir(parents=True, exist_ok=True)
            making = tempfile.TemporaryDirectory(prefix="evaluator-", dir=self._scratch)
            folder = Path(self._stack.enter_context(making))
            opening = open_evaluator(
                *(self._source, self._approvals, self._task, rules, self._evaluator_of),
                app=folder / "app",
                scratch=folder / "evaluator",
            )
            self._open = key, await self._stack.enter_async_context(opening)
        return self._open[1]

    async def _end_later(self) -> None:
        await asyncio.sleep(KEPT_SECONDS)
        async with self._turn:
            await self._end()

    async def _end(self) -> None:
        self._open = None
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()
