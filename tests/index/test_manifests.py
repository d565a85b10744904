"""Manifests that are not what was posted: refused with the reason, and asked for again where they are merely missing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dao.chain.contracts import Coordinator
from dao.core.formats.manifest import Manifest, dump_manifest
from dao.core.statement import compute_result as result_of
from dao.core.types import ZERO_DIGEST, MicroScore, RoundId, Wei
from dao.devnet.anvil import Anvil
from dao.index import manifests as module
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from tests.index.world import indexing, manifest_of, root_of, until
from tests.support import Network, deploy_network

Change = Callable[[Manifest], bytes]
BIG = 20_000  # bytes, more than the manifests here have


def _other_amount(manifest: Manifest) -> bytes:
    first, *rest = manifest.accounts
    richer = replace(first, cumulative_wei=Wei(first.cumulative_wei + 1))
    return dump_manifest(replace(manifest, accounts=(richer, *rest)))


CASES: dict[str, tuple[Change, str]] = {
    "no JSON": (lambda _: b"\x00 <script>", "manifest"),
    "cut off": (lambda manifest: dump_manifest(manifest)[:-7], "manifest"),
    "too big": (lambda manifest: dump_manifest(manifest) + b" " * BIG, str(BIG)),
    "another round's": (lambda manifest: dump_manifest(replace(manifest, round=RoundId(9))), "round 9"),
    "another amount": (_other_amount, "other than posted"),
    "another score": (
        lambda manifest: dump_manifest(
            replace(manifest, nodes=(replace(manifest.nodes[0], score=MicroScore(7)), *manifest.nodes[1:]))
        ),
        "rows",
    ),
}


@pytest.fixture(scope="module")
def network(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Network:
    return deploy_network(anvil, tmp_path_factory.mktemp("network"))


async def test_manifest__other_than_posted__refused_with_the_reason(
    network: Network, database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_MANIFEST", BIG)
    store = DiskStore(tmp_path / "store")
    task, superlink, members = await network.new_round_ready(2)
    async with indexing(network, database, store) as indexed:
        chain, reads, coordinator = indexed.chain, indexed.reads, Coordinator(indexed.chain)
        async with network.sender(chain, superlink.operator) as sender:
            good: Manifest | None = None
            for number, (change, reason) in enumerate(CASES.values(), 1):
                round_ = RoundId(number)
                opened = await sender.send(coordinator.open_round(task))
                closed = await sender.send(
                    coordinator.close_commits(
                        task, round_, opened.events[0].block, root_of(members), ZERO_DIGEST, 2, 0
                    )
                )
                seed = closed.events[0].seed  # type: ignore[attr-defined]
                good = manifest_of(network, task, seed, {members[0]: 3000, members[1]: 1000}, good)
                content = change(good)
                await store.put_bytes(content)
                digest = cid_of_bytes(content).digest
                posted = result_of(good, (), good.model.digest, digest)
                await sender.send(coordinator.post_result(task, round_, posted))
                await indexed.caught_up()
                await until(indexed, lambda: reads.list_rounds(task).items[0].refusal is not None)
                shown = reads.find_round(task, round_)
                assert shown is not None
                assert shown.manifest is None
                assert reason in (shown.refusal or ""), shown.refusal
                assert "\n" not in (shown.refusal or "")
                assert {node.status for node in reads.list_round_nodes(task, round_).items} == {None}
        assert [node.last for node in reads.list_task_nodes(task).items] == [None, None]
        assert {node.earned for node in reads.list_task_nodes(task).items} == {0}
