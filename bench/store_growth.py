"""Measures what rounds leave in the homes of a Superlink and a node: random content by publisher and sweeps, and journals."""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aggregator.daemon import JOURNALLED
from aggregator.journal import StoredReveal, SuperlinkJournal
from aggregator.publisher import Publisher
from aggregator.retention import Retention, measure_kept
from aggregator.round_contents import RoundContents
from dao.chain.signer import Signer
from dao.core.commits import Reveal, SignedCommit
from dao.core.formats.cid import Cid, ContentCodec
from dao.core.types import Address, Digest, Domain, Phase, RoundId, Signature, TaskId
from dao.devnet.kubo_daemon import start_kubo
from dao.store.disk import DiskStore
from dao.store.kubo import KuboStore
from dao.store.layered import LayeredStore
from node.journal import Step, SupernodeJournal

_TASK, _MEMBERS = TaskId(1), 4
_MANIFEST = 8 << 10  # bytes
_FACTS = {"seconds": 1.5, "upload": {"bytes": 250_000, "seconds": 0.1}, "status": "ok", "words": "w" * 500}


async def measure(
    folder: Path, rounds: int, mb: float, shard_mb: float, keep: int, with_ipfs: bool
) -> dict[str, Any]:
    """Play `rounds` that become final at once, of a model and a shard of so many 10^6 bytes.

    Returns sizes in 10^6 bytes, and seconds.
    """
    disk = DiskStore(folder / "store", sync=False)
    kubo = await start_kubo(folder / "kubo") if with_ipfs else None
    node = KuboStore(kubo.api, disk, owner="bench") if kubo else None
    contents = RoundContents(folder / "contents.db")
    store = LayeredStore(disk, replicas=[node] if node else [])
    retention = Retention(_TASK, contents, store, keep, lambda *_, **__: None)
    publisher, begun, sweeping = Publisher(store, retention), time.monotonic(), 0.0
    models, journals = list[Cid](), _Journals(folder)

    async def read(numbers: Sequence[RoundId]) -> dict[RoundId, Phase]:
        return dict.fromkeys(numbers, Phase.FINALIZED)

    try:
        for round_id in map(RoundId, range(1, rounds + 1)):
            publisher.begin(round_id, *models[-2:])
            sizes = [round(mb * 1e6), round(shard_mb * 1e6)]
            models.append(await _play(publisher, folder / "made", *sizes))
            await journals.record(round_id)
            swept = time.monotonic()
            await retention.sweep(round_id, read)
            sweeping += time.monotonic() - swept
        kept = await asyncio.to_thread(measure_kept, _TASK, contents, disk.path_of)
        return {
            "rounds": rounds,
            "model_mb": mb,
            "shard_mb": shard_mb,
            "keep_rounds": keep,
            "kept_mb": kept.round_bytes / 1e6,
            "shards_mb": kept.shard_bytes / 1e6,
            "manifests_mb": kept.good_bytes / 1e6,
            "store_mb": _measure(folder / "store"),
            "ipfs_mb": _measure(folder / "kubo") if kubo else None,
            "journal_mb": _measure(folder / "superlink"),
            "node_journal_mb": _measure(folder / "node"),
            "seconds": time.monotonic() - begun,
            "sweep_seconds": sweeping,
        }
    finally:
        await journals.close()
        contents.close()
        if node and kubo:
            node.close()
            await kubo.stop()


class _Journals:
    """A Superlink's and a member's, of the same rounds."""

    def __init__(self, folder: Path) -> None:
        self._signer = Signer.ephemeral()
        self._superlink = SuperlinkJournal(folder / "superlink" / "journal.db")
        (folder / "node").mkdir()
        domain = Domain(1, Address(bytes(20)))
        self._node = SupernodeJournal(folder / "node" / "journal.db", domain, self._signer.address)

    async def record(self, round_id: RoundId) -> None:
        """Record a round from its opening to its end, and forget what a sweep has forgotten."""
        opening = Digest(os.urandom(32))
        nodes = [Address(os.urandom(20)) for _ in range(_MEMBERS)]
        for node in nodes:
            signature = Signature(os.urandom(65))
            commit = SignedCommit(_TASK, round_id, opening, node, Digest(os.urandom(32)), signature)
            await self._superlink.add_commit(commit)
            await self._superlink.add_reveal(commit, StoredReveal(_make_reveal(), None))
        await self._superlink.set_closing(_TASK, round_id, opening, nodes)
        await self._superlink.forget_before(_TASK, RoundId(round_id - JOURNALLED))
        self._node.see(_TASK, round_id, round_id)
        entry = self._node.sign(_TASK, round_id, opening, _make_reveal(), self._signer.sign)
        self._node.receive(entry.commit, Signature(os.urandom(65)))
        self._node.receive_revealed(entry.commit, Signature(os.urandom(65)))
        self._node.reach(_TASK, round_id, Step.ENDED, "your update was larger than the median", _FACTS)

    async def close(self) -> None:
        await self._superlink.close()
        self._node.close()


def _make_reveal() -> Reveal:
    cid = Cid(ContentCodec.RAW, Digest(os.urandom(32)))
    return Reveal(cid, Digest(os.urandom(32)), Digest(os.urandom(32)))


async def _play(publisher: Publisher, made: Path, size: int, shard: int) -> Cid:
    """Publish a model, two gradients of half its size, a quarter for each member, shard and manifest; return the model."""
    await asyncio.to_thread(made.write_bytes, os.urandom(shard))
    await publisher.put_shard(made)
    cids = []
    for part in (size, size // 2, size // 2, *[size // 4] * _MEMBERS):
        await asyncio.to_thread(made.write_bytes, os.urandom(part))
        cids.append(await publisher.put_file(made))
    await publisher.put_for_good(os.urandom(_MANIFEST))
    await publisher.wait_settled(600)
    return cids[0]


def _measure(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
