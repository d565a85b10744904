import asyncio
import itertools
import os
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest

from dao.chain.signer import Signer, recover
from dao.core.commits import SignedPass
from dao.core.formats.signed_messages import compute_receipt_digest
from dao.core.types import Address, Digest, Domain, PassReason, RoundId
from dao.errors import ConfigError, Refused, Unreachable
from dao.runtime.proxies import spare_loopback
from dao.wire import grpc_options, signed_calls
from dao.wire import superlink_pb2 as pb
from dao.wire.call_limits import CallLimits
from dao.wire.messages import ComputedModel, Inclusion, read_welcome
from dao.wire.superlink_client import SuperlinkClient
from tests.wire.network import COMMIT, COMMITMENT, DOMAIN, OPENING, ROUND, SIGNATURE, TASK, Network

NOW = 1_800_000_000


async def test_commit__by_a_member__receipt_of_the_superlink(network: Network) -> None:
    service = await network.serve()
    signer = Signer.ephemeral()
    client = network.client(service.address, signer=signer)
    receipt = await client.commit(COMMIT)
    signed = compute_receipt_digest(DOMAIN, TASK, ROUND, OPENING, signer.address, COMMITMENT)
    assert recover(signed, receipt) == network.superlink.signer.address


async def test_call__to_this_machine_behind_a_sites_proxy__goes_past_it(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await network.serve()
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    spare_loopback(os.environ)
    await network.client(service.address, signer=Signer.ephemeral()).commit(COMMIT)


@pytest.mark.parametrize("reason", PassReason)
async def test_pass__by_a_member__arrives_as_it_was_signed(network: Network, reason: PassReason) -> None:
    service, signer = await network.serve(), Signer.ephemeral()
    client = network.client(service.address, signer=signer)
    passed = SignedPass(TASK, ROUND, OPENING, signer.address, SIGNATURE, reason)
    await client.sit_out(passed)
    assert network.superlink.passed == [passed]
    with pytest.raises(Refused, match="round 8: not open"):
        await client.sit_out(replace(passed, round=RoundId(8)))


async def test_commit__many_at_once__each_answered(network: Network) -> None:
    service = await network.serve()
    links = [network.client(service.address) for _ in range(20)]
    receipts = await asyncio.gather(*(client.commit(COMMIT) for client in links for _ in range(10)))
    assert len(set(receipts)) == 20
    assert set(network.superlink.calls.values()) == {10}


async def test_commit__handler_refuses__its_words_arrive(network: Network) -> None:
    client = network.client((await network.serve()).address)
    with pytest.raises(Refused, match=r"Superlink 127.0.0.1:\d+: round 8: not open; the open one is 7"):
        await client.commit(replace(COMMIT, round=RoundId(8)))


async def test_commit__handler_fails__its_words_stay(network: Network) -> None:
    async def fail(_: Address) -> None:
        raise OSError("secret of the operator")

    network.superlink.before_commit = fail
    client = network.client((await network.serve()).address)
    with pytest.raises(Refused, match="the Superlink itself failed") as refused:
        await client.commit(COMMIT)
    assert "secret" not in str(refused.value)


async def test_commit__handler_hangs__ended_at_the_limit(network: Network) -> None:
    async def hang(_: Address) -> None:
        await asyncio.Event().wait()

    network.superlink.before_commit = hang
    client = network.client((await network.serve(limits=CallLimits(call_seconds=0.1))).address)
    with pytest.raises(Unreachable, match="took longer than it may"):
        await client.commit(COMMIT)


async def test_commit__no_member__refused(network: Network) -> None:
    client = network.client((await network.serve()).address, member=False)
    with pytest.raises(Refused, match="no Supernode of this Superlink's tasks; register"):
        await client.commit(COMMIT)


async def test_commit__no_key__refused_before_it_leaves(network: Network) -> None:
    with pytest.raises(Refused, match="needs an operator key"):
        await network.stranger((await network.serve()).address).commit(COMMIT)


async def test_commit__other_deployment__both_named(network: Network) -> None:
    service = await network.serve()
    for domain in (Domain(1, DOMAIN.coordinator), Domain(DOMAIN.chain_id, Address(bytes(20)))):
        with pytest.raises(
            Refused, match=r"it serves coordinator 0x1111.* on chain 31337, expected coordinator"
        ):
            await network.client(service.address, domain=domain).commit(COMMIT)


@pytest.mark.parametrize("hours", [-1, 1])
async def test_commit__clock_off_by_an_hour__accepted(network: Network, hours: int) -> None:
    """Expiry is counted on the Superlink's clock, which the node learns with Hello."""
    service = await network.serve(now=lambda: time.time() + hours * 3600)
    assert await network.client(service.address).commit(COMMIT)


@pytest.mark.parametrize("jump", [-3600, 90, 3600])
async def test_link__clock_jumps_after_hello__says_hello_again(
    network: Network, tmp_path: Path, jump: float
) -> None:
    off = 0.0
    service = await network.serve(now=lambda: NOW + off)
    client = network.client(service.address)
    cid = await network.superlink.disk.put_bytes(b"model")
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: client.commit(COMMIT),
        lambda: client.fetch(cid, tmp_path / "model"),
    ]
    await calls[0]()
    for call in calls:
        off += jump
        assert await call()


async def test_link__clock_that_never_fits__unreachable_at_the_limit(network: Network) -> None:
    hours = itertools.count(0, 3600)
    client = network.client((await network.serve(now=lambda: NOW + next(hours))).address, limit=1.5)
    with pytest.raises(Unreachable, match="a clock was set; try again"):
        await client.commit(COMMIT)
    assert not network.superlink.calls


async def test_serve__clock_set__goes_on_evenly(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a clock set forward and back would make calls good whose nonces are forgotten."""
    clock = SimpleNamespace(time=lambda: NOW, monotonic=lambda: 50)
    monkeypatch.setattr(signed_calls, "time", clock)
    service = await network.serve()
    clock.time, clock.monotonic = lambda: NOW - 3600, lambda: 52
    async with grpc.aio.insecure_channel(service.address) as channel:
        hello = channel.unary_unary(grpc_options.HELLO, None, None)
        assert read_welcome(await hello(b"", timeout=10)).now == NOW + 2


async def test_call__recorded_and_sent_again__refused(network: Network) -> None:
    service = await network.serve()
    client = network.client(service.address)
    body = pb.CommitRequest(
        task=TASK, round=ROUND, opening=OPENING, commitment=COMMITMENT, signature=SIGNATURE
    ).SerializeToString()
    recorded = await client._signed(grpc_options.COMMIT, body, 10)
    async with grpc.aio.insecure_channel(service.address) as channel:
        send = channel.unary_unary(grpc_options.COMMIT, None, None)
        assert await send(recorded, timeout=10)
        with pytest.raises(grpc.aio.AioRpcError, match="nonce: the call was made before"):
            await send(recorded, timeout=10)
        with pytest.raises(grpc.aio.AioRpcError, match="method"):
            await channel.unary_unary(grpc_options.INCLUSION, None, None)(recorded, timeout=10)
        second = await client._signed(grpc_options.COMMIT, body, 10)
        await service.stop(0)
        again = await network.serve(service.address)
    async with grpc.aio.insecure_channel(again.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="another run of a Superlink"):
            await channel.unary_unary(grpc_options.COMMIT, None, None)(second, timeout=10)
    assert sum(network.superlink.calls.values()) == 1


async def test_call__larger_than_a_message__refused(network: Network) -> None:
    service = await network.serve()
    async with grpc.aio.insecure_channel(
        service.address, options=[("grpc.max_send_message_length", 8 << 20)]
    ) as channel:
        for size, words in ((5 << 20, "larger than max"), (1 << 20, "expected at most")):
            with pytest.raises(grpc.aio.AioRpcError, match=words):
                await channel.unary_unary(grpc_options.COMMIT, None, None)(bytes(size), timeout=10)


async def test_inclusion__commits_close__answered_at_once(network: Network) -> None:
    service = await network.serve(limits=CallLimits(wait_seconds=30))
    client = network.client(service.address)
    asking = asyncio.create_task(client.inclusion(TASK, ROUND, 30))
    await network.superlink.waiting.wait()
    assert not asking.done()
    network.superlink.closed.set()
    assert await asyncio.wait_for(asking, 5) == Inclusion(2, 3, (Digest(b"\x44" * 32),) * 20)


async def test_model__computed__answered_at_once(network: Network) -> None:
    service = await network.serve(limits=CallLimits(wait_seconds=30))
    asking = asyncio.create_task(network.client(service.address).model(TASK, ROUND, 30))
    await network.superlink.waiting.wait()
    assert not asking.done()
    network.superlink.closed.set()
    assert await asyncio.wait_for(asking, 5) == ComputedModel(
        *(Digest(bytes([byte]) * 32) for byte in (0x55, 0x66, 0x77))
    )


async def test_model__never__unreachable_at_the_limit(network: Network) -> None:
    client = network.client((await network.serve()).address)
    with pytest.raises(Unreachable, match=r"no model within 0\.2 s"):
        await client.model(TASK, ROUND, 0.2)


async def test_inclusion__wait_ends_at_the_service__asked_again(network: Network) -> None:
    service = await network.serve(limits=CallLimits(wait_seconds=0.05))
    client = network.client(service.address)
    asking = asyncio.create_task(client.inclusion(TASK, ROUND, 30))
    for _ in range(3):
        await network.superlink.waiting.wait()
        network.superlink.waiting.clear()
    network.superlink.closed.set()
    assert (await asyncio.wait_for(asking, 5)).count == 3


async def test_inclusion__never__unreachable_at_the_limit(network: Network) -> None:
    client = network.client((await network.serve()).address)
    with pytest.raises(Unreachable, match=r"commits not closed within 0.2 s"):
        await client.inclusion(TASK, ROUND, 0.2)


async def test_inclusion__superlink_restarts_meanwhile__answered(network: Network) -> None:
    service = await network.serve()
    client = network.client(service.address)
    asking = asyncio.create_task(client.inclusion(TASK, ROUND, 30))
    await network.superlink.waiting.wait()
    await service.stop(0)
    network.superlink.closed.set()
    await network.serve(service.address)
    assert (await asyncio.wait_for(asking, 20)).index == 2


async def test_link__superlink_restarts__comes_back_by_itself(network: Network) -> None:
    service = await network.serve()
    client = network.client(service.address)
    first = await client.commit(COMMIT)
    await service.stop(0)
    calling = asyncio.create_task(client.commit(COMMIT))
    await asyncio.sleep(0)
    await network.serve(service.address)
    assert await asyncio.wait_for(calling, 20) == first


async def test_link__nobody_there__unreachable_with_what_to_do(network: Network) -> None:
    client = network.client("127.0.0.1:1", limit=0.3)
    for call in (
        client.commit(COMMIT),
        client.health(),
        client.inclusion(TASK, ROUND, 0.2),
    ):
        with pytest.raises(Unreachable, match=r"Superlink 127.0.0.1:1: no answer .*check that it runs"):
            await call


@pytest.mark.parametrize(
    "address", ["", "superlink", "http://superlink:1", "superlink:port", "a:70000", "unix:/x"]
)
async def test_link__no_address__config_error(address: str) -> None:
    with pytest.raises(ConfigError, match="expected host:port"):
        SuperlinkClient(address, None, DOMAIN)


async def test_serve__address_taken__config_error(network: Network) -> None:
    service = await network.serve()
    with pytest.raises(ConfigError, match=re.escape(service.address)):
        await network.serve(service.address)


async def test_health__serving__true_for_anyone(network: Network) -> None:
    service = await network.serve()
    assert await network.stranger(service.address).health()
