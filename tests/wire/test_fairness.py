"""A caller that floods or stalls holds up itself: counted, not timed."""

import asyncio
import contextlib

from dao.chain.signer import Signer
from dao.core.types import Address
from dao.errors import DaoError
from dao.wire.call_limits import CallLimits
from dao.wire.superlink_client import SuperlinkClient
from tests.wire.network import COMMIT, Network


async def flood(client: SuperlinkClient, calls: int) -> None:
    async def one() -> None:
        with contextlib.suppress(DaoError):
            await client.commit(COMMIT)

    await asyncio.gather(*(one() for _ in range(calls)))


async def test_service__one_floods__held_to_its_rate_while_others_pass(network: Network) -> None:
    limits = CallLimits(connection_rate=20, burst=0.5, max_wait=60)
    service = await network.serve(limits=limits)
    noisy, quiet = Signer.ephemeral(), Signer.ephemeral()
    loud = network.client(service.address, signer=noisy, limit=30)
    links = [network.client(service.address, signer=quiet) for _ in range(10)]
    started = asyncio.get_running_loop().time()
    flooding = asyncio.create_task(flood(loud, 500))
    for _ in range(5):
        await asyncio.gather(*(client.commit(COMMIT) for client in links[:4]))
    elapsed = asyncio.get_running_loop().time() - started
    assert network.superlink.calls[quiet.address] == 20
    assert network.superlink.calls[noisy.address] <= 20 * (elapsed + 0.5) + 2
    assert not flooding.done()
    flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)


async def test_service__one_node_on_many_connections__few_in_work_at_once(network: Network) -> None:
    release, working, most = asyncio.Event(), 0, 0
    noisy, quiet = Signer.ephemeral(), Signer.ephemeral()

    async def work(node: Address) -> None:
        nonlocal working, most
        if node == noisy.address:
            working += 1
            most = max(most, working)
            await release.wait()
            working -= 1

    network.superlink.before_commit = work
    service = await network.serve(limits=CallLimits(node_calls=2, node_queue=3, calls=3))
    links = [network.client(service.address, signer=noisy, limit=20) for _ in range(10)]
    flooding = [asyncio.create_task(flood(client, 3)) for client in links]
    other = network.client(service.address, signer=quiet)
    for _ in range(5):
        assert await other.commit(COMMIT)
    release.set()
    await asyncio.gather(*flooding)
    assert most == 2
    assert network.superlink.calls[quiet.address] == 5


async def test_service__calls_without_a_signature__paced_like_others(network: Network) -> None:
    service = await network.serve(limits=CallLimits(connection_rate=20, burst=0.0, max_wait=0.0))
    client = network.client(service.address, limit=5)
    answers = await asyncio.gather(*(client.health() for _ in range(50)), return_exceptions=True)
    assert True in answers
    assert sum("slow down" in str(answer) for answer in answers) > 10
