"""Opens what computes an app's gradients at a node: of an app that its owner approved, in a process that ends with the work."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from dao.app.bundle import MAX_BYTES, unpack
from dao.app.frozen_base import fetch_frozen_base
from dao.app.gradient_client import GradientClient
from dao.content.cards import fetch_card
from dao.core.types import Rules, TaskId
from dao.store.source import Source
from node.approvals import Approvals

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
