"""A task that has trained: rounds whose results a test makes up, with manifests that anyone may read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.core.manifest import Manifest, dump_manifest
from dao.core.settle import result as result_of
from dao.core.types import BlockNumber, RoundId, TaskId
from dao.store.cid import Cid, cid_of_bytes
from dao.store.disk import DiskStore
from tests.index.world import manifest_of, root_of
from tests.support import RULES, Member, Network

SCRIPT = '<img src=x onerror="window.ran = 1"><script>window.ran = 1</script>'


@dataclass(frozen=True)
class Trained:
    """A task, who serves it, and its Supernodes."""

    task: TaskId
    superlink: Member
    members: Sequence[Member]


async def later(network: Network, chain: Chain, seconds: int) -> None:
    """Let block time pass, and see that it did."""
    network.anvil.request("evm_increaseTime", seconds)
    network.anvil.request("evm_mine")
    await chain.reach(BlockNumber(int(network.anvil.request("eth_blockNumber"), 16)), limit=60.0)


async def train(network: Network, folder: Path, rounds: int = 3) -> Trained:
    """Run some rounds, all final but for the last one, which is posted; then open another."""
    task, superlink, members = await network.new_round_ready(2)
    store = DiskStore(folder, sync=False)
    previous: Manifest | None = None
    async with network.chain() as chain, network.sender(chain, superlink.operator) as sender:
        coordinator = Coordinator(chain)
        for number in map(RoundId, range(1, rounds + 1)):
            await sender.send(coordinator.open_round(task))
            closed = await sender.send(
                coordinator.close_commits(task, number, root_of(members), len(members))
            )
            seed = closed.events[0].seed  # type: ignore[attr-defined]
            scores = {members[0]: 3000 * number, members[1]: -500}
            previous = manifest_of(network, task, seed, scores, previous)
            nodes = tuple(replace(node, reason=f"{node.reason} {SCRIPT}") for node in previous.nodes)
            content = dump_manifest(replace(previous, nodes=nodes))
            await store.put_bytes(content)
            result = result_of(previous, (), Cid.parse(previous.model).digest, cid_of_bytes(content).digest)
            await sender.send(coordinator.post_result(task, number, result))
            if number < rounds:
                await later(network, chain, RULES.challenge_period + 1)
                await sender.send(coordinator.finalize(task, number, result))
        await sender.send(coordinator.open_round(task))
    return Trained(task, superlink, members)
