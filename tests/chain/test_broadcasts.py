"""A chain's node that refuses broadcasts, for good or for now, or loses its answers: sent once, or given up with a reason."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dao.chain import send_policy
from dao.chain import sender as sender_module
from dao.chain.broadcaster import SEND
from dao.chain.client import Chain
from dao.chain.contracts import Token
from dao.chain.outbox import OutboxEntry
from dao.chain.rpc import NodeError
from dao.chain.send_policy import is_passing
from dao.chain.signer import Signer
from dao.core.types import Wei
from dao.errors import ConfigError, RpcError
from tests.chain.proxy import Proxy
from tests.chain.test_faults import SECONDS, connected, proxy, url
from tests.chain.test_sender import approvals, eventually
from tests.support import Network, count_sent

__all__ = ["proxy", "url"]

WRONG = {"code": -32000, "message": "oversized data"}
FULL = {"code": -32000, "message": "txpool is full"}


class Impatient(Chain):
    """Has so many seconds for a broadcast alone: on a busy machine all else may take longer."""

    seconds: float

    async def request(self, method: str, *params: object, patience: float | None = None) -> Any:
        return await super().request(method, *params, patience=self.seconds if method == SEND else patience)


async def impatient(network: Network, url: str, seconds: float) -> Chain:
    chain = await Impatient.connect(url, network.deployment, poll=0.05)
    chain.seconds = seconds
    return chain


async def test_node__lost_a_broadcast_and_refuses_it_for_good__given_up_with_its_reason(
    network: Network, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "_REPEAT", 0.3)
    monkeypatch.setattr(sender_module, "_REFUSED_PAUSE", 0.01)

    signer = Signer.ephemeral()
    async with (
        await impatient(network, proxy.ws, 0.2) as chain,
        network.sender(chain, signer) as sender,
    ):
        call = Token(chain).approve(network.deployment.token, Wei(1))
        proxy.instead = {SEND: [None, *[WRONG] * 20]}
        with pytest.raises(NodeError, match="oversized data"):
            await sender.send(call, "key", limit=SECONDS)
        assert proxy.asked[SEND] == 1 + 3
        assert sender._outbox.pending() == []
        proxy.instead = {}
        await sender.send(call, "key", limit=SECONDS)
    assert count_sent(network.anvil, signer.address) == 1


async def test_node__lost_a_broadcast_and_cannot_take_it_yet__taken_later(
    network: Network, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "_REPEAT", 0.3)
    monkeypatch.setattr(sender_module, "_REFUSED_PAUSE", 0.01)

    signer = Signer.ephemeral()
    async with (
        await impatient(network, proxy.ws, 0.2) as chain,
        network.sender(chain, signer) as sender,
    ):
        proxy.instead = {SEND: [None, *[FULL] * 5]}
        await sender.send(Token(chain).approve(network.deployment.token, Wei(1)), "key", limit=SECONDS)
    assert count_sent(network.anvil, signer.address) == 1


async def test_node__gives_up_what_nobody_waits_for__the_next_is_sent_and_does_not_fail_by_it(
    network: Network, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "_REPEAT", 0.3)
    monkeypatch.setattr(sender_module, "_REFUSED_PAUSE", 0.01)

    signer = Signer.ephemeral()
    async with (
        await impatient(network, proxy.ws, 0.2) as chain,
        network.sender(chain, signer) as sender,
    ):
        first, second = (Token(chain).approve(network.deployment.token, Wei(number)) for number in (1, 2))
        proxy.instead = {SEND: [None, *[WRONG] * 3]}
        with pytest.raises(RpcError, match="still looked after"):
            await sender.send(first, "first", limit=0.25)
        await sender.send(second, "second", limit=SECONDS)
        assert sender._outbox.find("first") is None
    assert count_sent(network.anvil, signer.address) == 1


async def test_node__lost_a_broadcast_of_a_quiet_chain__sent_again(
    network: Network, proxy: Proxy, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "_REPEAT", 0.3)
    signer = Signer.ephemeral()
    async with await impatient(network, url, 1.0) as chain, network.sender(chain, signer) as sender:
        proxy.instead = {SEND: [None]}
        await sender.send(Token(chain).approve(network.deployment.token, Wei(1)), limit=SECONDS)
    assert count_sent(network.anvil, signer.address) == 1


@pytest.mark.parametrize("error", [WRONG, FULL], ids=["for good", "for now"])
@pytest.mark.parametrize("answered", [True, False])
async def test_node__has_taken_it_and_refuses_it_when_sent_again__is_never_sent_as_another(
    proxy: Proxy, network: Network, monkeypatch: pytest.MonkeyPatch, error: dict[str, object], answered: bool
) -> None:
    monkeypatch.setattr(sender_module, "_REPEAT", 0.2)
    monkeypatch.setattr(sender_module, "_REFUSED_PAUSE", 0.01)
    monkeypatch.setattr(send_policy, "CANNOT", 0.1)
    anvil, signer = network.anvil, Signer.ephemeral()
    async with (
        await impatient(network, proxy.ws, 0.3) as chain,
        network.sender(chain, signer) as sender,
    ):
        anvil.request("evm_setAutomine", False)
        try:
            call = Token(chain).approve(network.deployment.token, Wei(1))
            proxy.lost[SEND] = 0 if answered else 1
            first = asyncio.create_task(sender.send(call, "key", limit=SECONDS))
            async with asyncio.timeout(SECONDS):
                while proxy.asked[SEND] == 0:  # noqa: ASYNC110  (of another process)
                    await asyncio.sleep(0.01)
            proxy.instead = {SEND: [error] * 1000}
            async with asyncio.timeout(SECONDS):
                while len(proxy.instead[SEND]) > 990:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert not first.done()
            proxy.instead = {}
            anvil.request("evm_mine")
            assert await first == await sender.send(call, "key", limit=SECONDS)
        finally:
            anvil.request("evm_setAutomine", True)
    assert count_sent(anvil, signer.address) == 1


@pytest.mark.parametrize("status", [401, 402, 403, 404, 429])
async def test_node__is_behind_a_wall__a_broadcast_is_refused_for_now(
    network: Network, proxy: Proxy, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_policy, "CANNOT", 0.1)
    signer = Signer.ephemeral()
    async with (
        await impatient(network, proxy.http, 0.5) as chain,
        network.sender(chain, signer) as sender,
    ):
        call = Token(chain).approve(network.deployment.token, Wei(1))
        proxy.status = status
        with pytest.raises(NodeError) as refused:
            await sender.send(call, "key", limit=SECONDS)
        assert (refused.value.method, is_passing(refused.value)) == (SEND, True)
        proxy.status = 0
        await sender.send(call, "key", limit=SECONDS)
    assert count_sent(network.anvil, signer.address) == 1


@pytest.mark.parametrize(
    "error", [FULL, {"code": -32603, "message": "Internal error"}, {"code": 429, "message": "slow down"}]
)
async def test_node__cannot_take_a_broadcast_for_a_while__taken_within_the_limit(
    network: Network, proxy: Proxy, url: str, monkeypatch: pytest.MonkeyPatch, error: dict[str, object]
) -> None:
    monkeypatch.setattr(sender_module, "_REPEAT", 0.3)  # where its answer comes too late
    monkeypatch.setattr(sender_module, "_REFUSED_PAUSE", 0.01)
    signer = Signer.ephemeral()
    async with await impatient(network, url, 0.2) as chain, network.sender(chain, signer) as sender:
        proxy.instead = {SEND: [error] * 8}
        await sender.send(Token(chain).approve(network.deployment.token, Wei(1)), limit=SECONDS)
    assert count_sent(network.anvil, signer.address) == 1


async def test_node__cannot_take_a_broadcast_until_time_is_up__its_reason_and_nothing_is_left(
    network: Network, proxy: Proxy, url: str
) -> None:
    signer = Signer.ephemeral()
    async with await connected(network, url) as chain, network.sender(chain, signer) as sender:
        proxy.instead = {SEND: [FULL] * 1000}
        with pytest.raises(NodeError, match="txpool is full"):
            await sender.send(Token(chain).approve(network.deployment.token, Wei(1)), limit=0.2)
        assert sender._outbox.pending() == []


async def test_keeper__its_file_cannot_be_read_for_a_while__looks_after_its_entries_again(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "_REPEAT", 0.05)
    signer = Signer.ephemeral()
    async with network.chain() as chain, network.sender(chain, signer, tmp_path / "outbox") as sender:
        await sender.settle()
        read, failures = sender._outbox.pending, [ConfigError("outbox: disk full")] * 2

        def pending() -> list[OutboxEntry]:
            if failures:
                raise failures.pop()
            return read()

        monkeypatch.setattr(sender._outbox, "pending", pending)
        await sender._prepare(next(approvals(chain)), "key")

        async def is_sent() -> bool:
            return count_sent(network.anvil, signer.address) == 1

        await eventually(is_sent, chain)
    assert not failures
