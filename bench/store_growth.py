"""Measures what a Superlink's store and IPFS node grow to: rounds of random content by its publisher and its sweeps."""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aggregator.publisher import Publisher
from aggregator.retention import Retention, measure_kept
from aggregator.round_contents import RoundContents
from dao.core.formats.cid import Cid
from dao.core.types import Phase, RoundId, TaskId
from dao.devnet.kubo_daemon import start_kubo
from dao.store.disk import DiskStore
from dao.store.kubo import KuboStore
from dao.store.layered import LayeredStore

_TASK, _MEMBERS = TaskId(1), 4
_MANIFEST = 8 << 10  # bytes


async def measure(folder: Path, rounds: int, mb: float, keep: int, with_ipfs: bool) -> dict[str, Any]:
    """Play `rounds` of a model of `mb` 10^6 bytes that become final at once; return sizes in 10^6 bytes, and seconds."""
    disk = DiskStore(folder / "store", sync=False)
    kubo = await start_kubo(folder / "kubo") if with_ipfs else None
    node = KuboStore(kubo.api, disk, owner="bench") if kubo else None
    contents = RoundContents(folder / "contents.db")
    store = LayeredStore(disk, replicas=[node] if node else [])
    retention = Retention(_TASK, contents, store, keep, lambda *_, **__: None)
    publisher, begun, sweeping = Publisher(store, retention), time.monotonic(), 0.0
    models: list[Cid] = []

    async def read(numbers: Sequence[RoundId]) -> tuple[RoundId, dict[RoundId, Phase]]:
        return RoundId(round_id), dict.fromkeys(numbers, Phase.FINALIZED)

    try:
        for round_id in map(RoundId, range(1, rounds + 1)):
            publisher.begin(round_id, *models[-2:])
            models.append(await _play(publisher, folder / "made", round(mb * 1e6)))
            swept = time.monotonic()
            await retention.sweep(read)
            sweeping += time.monotonic() - swept
        kept = await asyncio.to_thread(measure_kept, _TASK, contents, disk.path_of)
        return {
            "rounds": rounds,
            "model_mb": mb,
            "keep_rounds": keep,
            "kept_mb": kept.round_bytes / 1e6,
            "manifests_mb": kept.good_bytes / 1e6,
            "store_mb": _measure(folder / "store"),
            "ipfs_mb": _measure(folder / "kubo") if kubo else None,
            "seconds": time.monotonic() - begun,
            "sweep_seconds": sweeping,
        }
    finally:
        contents.close()
        if node and kubo:
            node.close()
            await kubo.stop()


async def _play(publisher: Publisher, made: Path, size: int) -> Cid:
    """Publish a model, two gradients of half its size, a quarter for each member, and a manifest; return the model."""
    cids = []
    for part in (size, size // 2, size // 2, *[size // 4] * _MEMBERS):
        await asyncio.to_thread(made.write_bytes, os.urandom(part))
        cids.append(await publisher.put_file(made))
    await publisher.put_for_good(os.urandom(_MANIFEST))
    await publisher.wait_settled(600)
    return cids[0]


def _measure(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
