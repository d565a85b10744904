"""Two nodes behind one address, of which one lags: what was mined is never taken for lost, what is lost is sent once."""

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dao.chain import nonces
from dao.chain import sender as sender_module
from dao.chain.contracts import Call
from dao.chain.fees import Fees
from dao.chain.nonces import NonceUser, find_user
from dao.chain.outbox import OutboxEntry, TxAttempt, TxState
from dao.chain.rpc import NodeError
from dao.chain.signer import Signer
from dao.core.types import BlockNumber, Digest, Wei
from tests.chain.proxy import Proxy
from tests.chain.test_faults import SECONDS, connected, proxy
from tests.chain.test_sender import approvals, outbox_of
from tests.support import Network, count_sent

__all__ = ["proxy"]

RECEIPT = "eth_getTransactionReceipt"


@pytest.mark.parametrize("late_by", [1, 3])
async def test_send__one_of_two_nodes_lags__each_call_once(
    network: Network, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late_by: int
) -> None:
    monkeypatch.setattr(sender_module, "_REPEAT", 0.2)
    monkeypatch.setattr(sender_module, "_REFUSED_PAUSE", 0.01)
    signer, path = Signer.ephemeral(), tmp_path / "outbox"
    draw = random.Random(late_by)
    async with await connected(network, proxy.http) as chain:
        calls = approvals(chain)
        async with network.sender(chain, signer, path) as sender:
            await sender.send(next(calls), "first")
            network.anvil.request("anvil_mine", hex(late_by))
            proxy.late_by, proxy.is_for_late = late_by, lambda _: draw.random() < 0.5
            for number in range(8):
                sending = asyncio.create_task(sender.send(next(calls), f"call:{number}", limit=SECONDS))
                while not sending.done():
                    await asyncio.wait([sending], timeout=0.2)
                    network.anvil.request("evm_mine")
                await sending
        async with network.sender(chain, signer, path) as sender:  # which looks after all of them again
            await sender.send(next(calls), "last", limit=SECONDS)
    assert count_sent(network.anvil, signer.address) == 10


async def test_send__receipts_come_from_a_node_far_behind__sent_once(
    network: Network, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "_REFUSED_PAUSE", 0.01)
    signer = Signer.ephemeral()
    async with await connected(network, proxy.http) as chain, network.sender(chain, signer) as sender:
        proxy.late_by, proxy.is_for_late = 30, lambda method: method == RECEIPT
        sending = asyncio.create_task(sender.send(next(approvals(chain))))
        async with asyncio.timeout(SECONDS):
            while not sending.done():
                await asyncio.wait([sending], timeout=0.1)
                network.anvil.request("evm_mine")
        await sending
    assert count_sent(network.anvil, signer.address) == 1


async def test_find_user__receipts_come_from_the_node_that_lags__known_to_be_mined(
    network: Network, proxy: Proxy, tmp_path: Path
) -> None:
    signer, path = Signer.ephemeral(), tmp_path / "outbox"
    async with await connected(network, proxy.http) as chain:
        calls = approvals(chain)
        async with network.sender(chain, signer, path) as sender:
            await sender.send(next(calls), "key")
        outbox = await outbox_of(chain, path, signer)
        entry = outbox.find("key")
        outbox.close()
        assert entry is not None
        proxy.late_by, proxy.is_for_late = 1, lambda method: method == RECEIPT
        assert await find_user(chain, signer.address, entry) is NonceUser.ENTRY
        assert await find_user(chain, signer.address, as_another(entry)) is NonceUser.ANOTHER


@pytest.mark.parametrize("blocks", [0, 1, 2, 3, 7, 40])
async def test_find_user__nonce_used_some_blocks_ago__its_block_is_found(
    network: Network, tmp_path: Path, blocks: int
) -> None:
    signer, path = Signer.ephemeral(), tmp_path / "outbox"
    async with network.chain() as chain:
        calls = approvals(chain)
        async with network.sender(chain, signer, path) as sender:
            for number in range(3):
                await sender.send(next(calls), str(number))
            if blocks:
                network.anvil.request("anvil_mine", hex(blocks))
                await chain.reach(BlockNumber(chain.head().number + 1), limit=SECONDS)
        outbox = await outbox_of(chain, path, signer)
        for number in range(3):
            entry = outbox.find(str(number))
            assert entry is not None
            assert await find_user(chain, signer.address, entry) is NonceUser.ENTRY
            assert await find_user(chain, signer.address, as_another(entry)) is NonceUser.ANOTHER
        outbox.close()


async def test_find_user__counts_are_of_the_next_block__nobody_known(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer, path = Signer.ephemeral(), tmp_path / "outbox"
    honest = nonces.count_sent

    async def count_sent(*where: Any) -> int:
        return await honest(*where) + 1  # as Anvil does while it mines

    async with network.chain() as chain:
        async with network.sender(chain, signer, path) as sender:
            await sender.send(next(approvals(chain)), "key")
        outbox = await outbox_of(chain, path, signer)
        entry = outbox.find("key")
        outbox.close()
        assert entry is not None
        monkeypatch.setattr(nonces, "count_sent", count_sent)
        later = replace(as_another(entry), nonce=entry.nonce + 1)  # which nobody has used
        assert await find_user(chain, signer.address, later) is NonceUser.NOBODY


async def test_find_user__state_is_pruned__by_its_receipt(
    network: Network, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer, path = Signer.ephemeral(), tmp_path / "outbox"
    monkeypatch.setattr(nonces, "_PAUSE", 0.01)
    async with await connected(network, proxy.http) as chain:
        async with network.sender(chain, signer, path) as sender:
            await sender.send(next(approvals(chain)), "key")
        outbox = await outbox_of(chain, path, signer)
        entry = outbox.find("key")
        outbox.close()
        assert entry is not None

        async def count_sent(*where: object) -> int:
            if isinstance(where[-1], int):
                raise NodeError("eth_getTransactionCount", {"code": -32000, "message": "missing trie node"})
            return 1

        monkeypatch.setattr(nonces, "count_sent", count_sent)
        assert await find_user(chain, signer.address, entry) is NonceUser.ENTRY
        assert await find_user(chain, signer.address, as_another(entry)) is NonceUser.ANOTHER


async def test_add_attempt__after_another_nonce__the_fees_can_be_raised(
    network: Network, tmp_path: Path
) -> None:
    async with network.chain() as chain:
        signer = Signer.ephemeral()
        outbox = await outbox_of(chain, tmp_path / "outbox", signer)
        first, second, third, fourth = (
            TxAttempt(Digest(bytes([fee]) * 32), b"", Fees(Wei(fee), Wei(1))) for fee in range(4)
        )
        entry = outbox.remember("key", next(approvals(chain)), 0, 21_000, first)
        entry = outbox.add_attempt(entry, second, 5)
        assert (entry.nonce, entry.attempts) == (5, (second,))
        entry = outbox.add_attempt(entry, third)
        entry = outbox.add_attempt(entry, fourth)
        assert entry.attempts == (second, third, fourth)
        outbox.close()


async def test_fill_gap__another_has_filled_it__nothing_is_sent_in_its_place(
    network: Network, tmp_path: Path
) -> None:
    signer = Signer.ephemeral()
    async with network.chain() as chain, network.sender(chain, signer, tmp_path / "outbox") as sender:
        calls = approvals(chain)
        account = sender._account
        filler = Call(signer.address, b"", "nothing, for nonce 0")
        entry = sender._outbox.remember(
            None, filler, 0, 21_000, account.sign(filler, 0, 21_000, await account.choose_fees())
        )
        async with network.sender(chain, signer, tmp_path / "another") as another:
            await another.send(next(calls))
        await sender.send(next(calls), limit=SECONDS)
        settled = sender._outbox.at_nonce(0)
        assert settled is not None
        assert (settled.id, settled.state) == (entry.id, TxState.FAILED)
    assert count_sent(network.anvil, signer.address) == 2


def as_another(entry: OutboxEntry) -> OutboxEntry:
    """The entry as if another transaction had been mined in its place."""
    attempt = TxAttempt(Digest(bytes(32)), b"", entry.attempts[-1].fees)
    return OutboxEntry(
        entry.id, entry.key, entry.call, entry.nonce, entry.gas, TxState.PENDING, None, (attempt,)
    )
