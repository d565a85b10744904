"""Tells what memory a node's tasks take, by the sizes of their models on chain, before any of their apps starts."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from dao.app.memory_needs import MemoryNeed, compute_model_bytes, find_shortage
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.core.types import TaskId
from dao.errors import Reverted
from node.settings import NodeSettings


async def find_node_shortage(chain: Chain, settings: NodeSettings, tasks: Sequence[TaskId]) -> str:
    """Return in words what memory is missing for these tasks now, "" where none is; ConfigError where it can never be had here.

    Where the node is a juror of gradients, another process of each app may run beside its training, and one more where it audits.
    """
    coordinator, models = Coordinator(chain), dict[TaskId, int]()
    for task in tasks:
        with suppress(Reverted):  # there is no such task; its own run says so
            models[task] = compute_model_bytes((await coordinator.rules_of(task, chain.final())).chunks)
    name = f"task{'s' * (len(models) > 1)} {', '.join(map(str, models))}"
    each = 1 + bool(settings.vote_gas) + bool(settings.audit)
    need = MemoryNeed(name, tuple(size for size in models.values() for _ in range(each)))
    return await asyncio.to_thread(find_shortage, need, settings.sandbox)
