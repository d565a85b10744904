import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dao.chain import sender as sender_module
from dao.chain.client import Chain
from dao.chain.contracts import Call, Coordinator, Token
from dao.chain.outbox import Outbox, TxState
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.types import BlockNumber, TaskId, Wei, hex_of
from dao.devnet.anvil import Anvil, running_anvil, start_anvil
from dao.errors import Reverted, RpcError, RuleError
from tests.chain.anvil_state import read_saved_nonce
from tests.chain.stakes import stakes
from tests.faults.process import until
from tests.support import GAS_MONEY, Network, count_sent, deploy_network

SECONDS = 30.0


def approvals(chain: Chain) -> "itertools.chain[Call]":
    """Calls that anyone with gas may send, each another."""
    token = Token(chain)
    return itertools.chain(token.approve(token.address, Wei(number)) for number in itertools.count(1))


async def outbox_of(chain: Chain, path: Path, signer: Signer) -> Outbox:
    genesis = await chain.block(BlockNumber(0))
    assert genesis is not None
    return Outbox(path, genesis.hash, signer.address)


async def eventually(is_so: Callable[[], Awaitable[bool]], chain: Chain) -> None:
    async with asyncio.timeout(SECONDS):
        while not await is_so():
            await chain.changed(0.1)


async def test_send__a_call__in_the_chain_with_its_events(network: Network) -> None:
    async with stakes(network) as made:
        receipt = await made.add()
        assert receipt.block == made.chain.head().number
        # staking hands the tokens to the registry, where they go on voting
        names = [type(event).__name__ for event in receipt.events]
        assert sorted(names) == ["DelegateVotesChanged", "StakeAdded", "Transfer"]
        assert {event.block for event in receipt.events} == {receipt.block}
        assert receipt.gas_used > 21_000
        assert await made.total() == 1


async def test_send__same_key__once(network: Network, tmp_path: Path) -> None:
    signer = Signer.ephemeral()
    async with network.chain() as chain:
        calls = approvals(chain)
        async with network.sender(chain, signer, tmp_path / "outbox") as sender:
            first = await sender.send(next(calls), "approve:1")
            again = await sender.send(next(calls), "approve:1")
            assert again == first
            both = await asyncio.gather(*(sender.send(next(calls), "approve:2") for _ in range(5)))
            assert len(set(both)) == 1
        async with network.sender(chain, signer, tmp_path / "outbox") as sender:
            assert await sender.send(next(calls), "approve:1") == first
    assert count_sent(network.anvil, signer.address) == 2


async def test_send__many_at_once__serial_without_gaps(network: Network) -> None:
    signer = Signer.ephemeral()
    async with network.chain() as chain, network.sender(chain, signer) as sender:
        receipts = await asyncio.gather(
            *(sender.send(call) for call, _ in zip(approvals(chain), range(20), strict=False))
        )
    assert len({receipt.hash for receipt in receipts}) == 20
    assert count_sent(network.anvil, signer.address) == 20


async def test_send__would_revert__says_why_and_sends_nothing(network: Network) -> None:
    signer = Signer.ephemeral()
    async with network.chain() as chain, network.sender(chain, signer) as sender:
        with pytest.raises(
            Reverted, match=r"openRound: refused: there is no task 99 \[UnknownTask\]"
        ) as caught:
            await sender.send(Coordinator(chain).open_round(TaskId(99)))
        assert (caught.value.error, caught.value.arguments) == ("UnknownTask", (99,))
        with pytest.raises(Reverted, match="ERC20InsufficientBalance") as short:
            await sender.send(Token(chain).transfer(signer.address, Wei(5)))
        assert short.value.arguments == (signer.address, 0, 5)
    assert count_sent(network.anvil, signer.address) == 0


async def test_send__refused_when_mined__says_why_and_frees_the_key(own_network: Network) -> None:
    """Two transactions that would each succeed alone, in one block: the second is refused there."""
    anvil = own_network.anvil
    task, _, _ = await own_network.new_round_ready()
    async with (
        own_network.chain() as chain,
        own_network.sender(chain, Signer.ephemeral()) as one,
        own_network.sender(chain, Signer.ephemeral()) as other,
    ):
        call = Coordinator(chain).open_round(task)
        anvil.request("evm_setAutomine", False)
        sending = [asyncio.create_task(sender.send(call, "open")) for sender in (one, other)]
        async with asyncio.timeout(SECONDS):
            while int(anvil.request("txpool_status")["pending"], 16) < 2:  # noqa: ASYNC110  (of another process)
                await asyncio.sleep(0.01)
        anvil.request("evm_mine")
        results = await asyncio.gather(*sending, return_exceptions=True)
        (refused,) = [result for result in results if isinstance(result, Reverted)]
        assert (refused.error, refused.arguments) == ("WrongPhase", (task, 1, 1))
        assert str(refused).startswith("openRound: refused: round 1 of task")
        for sender, result in zip((one, other), results, strict=True):
            if isinstance(result, Reverted):
                with pytest.raises(Reverted):
                    await sender.send(call, "open")
            else:
                assert await sender.send(call, "open") == result


async def test_send__no_gas_money__said_plainly_and_recovers(network: Network, tmp_path: Path) -> None:
    signer = Signer.ephemeral()
    async with network.chain() as chain, Sender(chain, signer, tmp_path / "outbox") as sender:
        call = next(approvals(chain))
        with pytest.raises(RpcError, match="cannot pay for gas"):
            await sender.send(call, "key")
        network.anvil.fund(signer.address, GAS_MONEY)
        await sender.send(call, "key")


async def test_send__stuck__replaced_a_tenth_higher_with_its_nonce(tmp_path: Path) -> None:
    with running_anvil(tmp_path / "anvil") as anvil:
        network = await asyncio.to_thread(deploy_network, anvil, tmp_path / "network")
        signer, path = Signer.ephemeral(), tmp_path / "outbox"
        async with network.chain() as chain, network.sender(chain, signer, path) as sender:
            calls = approvals(chain)
            await sender.send(next(calls))
            anvil.request("evm_setAutomine", False)
            sending = asyncio.create_task(sender.send(next(calls), "stuck"))
            outbox = await outbox_of(chain, path, signer)
            fees = []
            for _ in range(12):  # the base fee runs away
                await _pooled(anvil)
                fees = [attempt.fees for entry in outbox.pending() for attempt in entry.attempts]
                if len(fees) >= 3:
                    break
                anvil.request(
                    "anvil_setNextBlockBaseFeePerGas", hex(fees[-1].max_fee + 10**9 if fees else 10**12)
                )
                anvil.request("evm_mine")
                await asyncio.sleep(0.05)
            assert len(fees) >= 3
            for older, newer in itertools.pairwise(fees):
                assert newer.max_fee * 10 >= older.max_fee * 11
                assert newer.tip * 10 >= older.tip * 11
            anvil.request("anvil_setNextBlockBaseFeePerGas", hex(10**9))
            anvil.request("evm_mine")
            receipt = await asyncio.wait_for(sending, SECONDS)
            entry = outbox.find("stuck")
            assert entry is not None
            assert (entry.nonce, entry.state) == (1, TxState.MINED)
            assert receipt.hash == entry.attempts[-1].hash
            assert count_sent(anvil, signer.address) == 2
            outbox.close()


async def _pooled(anvil: Anvil) -> None:
    await asyncio.sleep(0.05)
    anvil.request("txpool_status")


async def test_send__cap_reached__not_exceeded_and_sent_when_fees_fall(
    own_network: Network, tmp_path: Path
) -> None:
    anvil, signer, path = own_network.anvil, Signer.ephemeral(), tmp_path / "outbox"
    cap = Wei(4 * 10**9)
    own_network.anvil.fund(signer.address, GAS_MONEY)
    async with own_network.chain() as chain, Sender(chain, signer, path, max_fee=cap) as sender:
        calls = approvals(chain)
        await sender.send(next(calls))
        anvil.request("evm_setAutomine", False)
        sending = asyncio.create_task(sender.send(next(calls), "capped"))
        for _ in range(16):
            await asyncio.sleep(0.03)
            anvil.request("anvil_setNextBlockBaseFeePerGas", hex(10**11))
            anvil.request("evm_mine")
        assert not sending.done()
        outbox = await outbox_of(chain, path, signer)
        (entry,) = outbox.pending()
        outbox.close()
        assert max(attempt.fees.max_fee for attempt in entry.attempts) <= cap
        anvil.request("anvil_setNextBlockBaseFeePerGas", hex(10**9))
        async with asyncio.timeout(SECONDS):
            while not sending.done():
                anvil.request("evm_mine")
                await asyncio.sleep(0.03)
        await sending


async def test_send__time_is_up__error_and_the_next_finishes_it_first(
    own_network: Network, tmp_path: Path
) -> None:
    anvil, signer = own_network.anvil, Signer.ephemeral()
    async with own_network.chain() as chain, own_network.sender(chain, signer, tmp_path / "outbox") as sender:
        calls = approvals(chain)
        anvil.request("evm_setAutomine", False)
        with pytest.raises(RpcError, match=r"approve: not final after .* still looked after"):
            await sender.send(next(calls), "late", limit=0.5)
        later = asyncio.create_task(sender.send(next(calls), "later"))
        await asyncio.sleep(0.1)
        anvil.request("evm_setAutomine", True)
        anvil.request("evm_mine")
        second = await asyncio.wait_for(later, SECONDS)
        first = await sender.send(next(calls), "late")
        assert first.block <= second.block
        assert count_sent(anvil, signer.address) == 2


@pytest.mark.parametrize("is_broadcast", [False, True])
async def test_restart__after_writing_it_down__sent_once(
    network: Network, tmp_path: Path, is_broadcast: bool
) -> None:
    """As after a kill -9 right before, and right after, the broadcast."""
    signer, path = Signer.ephemeral(), tmp_path / "outbox"
    async with network.chain() as chain:
        calls = approvals(chain)
        call = next(calls)
        async with network.sender(chain, signer, path) as sender:
            entry = await sender._prepare(call, "key")
            if is_broadcast:
                await sender._broadcaster.broadcast(entry)
        async with network.sender(chain, signer, path) as sender:
            receipt = await sender.send(call, "key")
            assert receipt.hash == entry.attempts[0].hash
    assert count_sent(network.anvil, signer.address) == 1


@pytest.mark.parametrize("depth", range(1, 7))
async def test_reorg__drops_transactions__sent_again_with_the_same_content(
    own_network: Network, tmp_path: Path, depth: int
) -> None:
    anvil, signer, path = own_network.anvil, Signer.ephemeral(), tmp_path / "outbox"
    async with own_network.chain() as chain, own_network.sender(chain, signer, path) as sender:
        calls = approvals(chain)
        receipts = [await sender.send(next(calls), f"call:{number}") for number in range(7)]
        before = {receipt.hash: _content(anvil, receipt.hash) for receipt in receipts}
        anvil.request("anvil_reorg", depth, [])

        async def is_restored() -> bool:
            return count_sent(anvil, signer.address) == 7

        await eventually(is_restored, chain)
        assert {digest: _content(anvil, digest) for digest in before} == before
        again = [await sender.send(next(calls), f"call:{number}") for number in range(7)]
        assert [receipt.hash for receipt in again] == [receipt.hash for receipt in receipts]
        assert count_sent(anvil, signer.address) == 7


def _content(anvil: Anvil, digest: bytes) -> dict[str, Any]:
    transaction = anvil.request("eth_getTransactionByHash", hex_of(digest))
    return {name: transaction[name] for name in ("from", "to", "input", "nonce", "value")}


async def test_reorg__while_the_sender_was_down__sent_again_at_its_start(
    own_network: Network, tmp_path: Path
) -> None:
    anvil, signer, path = own_network.anvil, Signer.ephemeral(), tmp_path / "outbox"
    async with own_network.chain() as chain:
        calls = approvals(chain)
        async with own_network.sender(chain, signer, path) as sender:
            for number in range(3):
                await sender.send(next(calls), f"call:{number}")
    anvil.request("anvil_reorg", 2, [])
    assert count_sent(anvil, signer.address) == 1
    async with own_network.chain() as chain, own_network.sender(chain, signer, path):

        async def is_restored() -> bool:
            return count_sent(anvil, signer.address) == 3

        await eventually(is_restored, chain)


async def test_reorg__with_confirmations__waits_until_it_is_deep(
    own_network: Network, tmp_path: Path
) -> None:
    anvil, signer = own_network.anvil, Signer.ephemeral()
    async with own_network.chain(confirmations=3) as chain, own_network.sender(chain, signer) as sender:
        sending = asyncio.create_task(sender.send(next(approvals(chain))))
        await asyncio.sleep(0.2)
        assert not sending.done()
        anvil.request("anvil_reorg", 1, [])  # it is undone, and sent again
        await asyncio.sleep(0.2)
        assert not sending.done()
        anvil.request("anvil_mine", hex(4))
        receipt = await asyncio.wait_for(sending, SECONDS)
        assert receipt.block <= chain.head().number - 3


async def test_nonce__used_by_another_process__sent_with_the_next(
    own_network: Network, tmp_path: Path
) -> None:
    anvil, signer = own_network.anvil, Signer.ephemeral()
    async with own_network.chain() as chain, own_network.sender(chain, signer) as sender:
        calls = approvals(chain)
        await sender.send(next(calls))
        async with own_network.sender(chain, signer, tmp_path / "another") as another:
            await another.send(next(calls))
        await sender.send(next(calls))
        assert count_sent(anvil, signer.address) == 3


async def test_nonce__gap__filled(
    own_network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool held another's transaction, which counted, and then lost it."""
    monkeypatch.setattr(sender_module, "_REPEAT", 0.3)
    anvil, signer = own_network.anvil, Signer.ephemeral()
    async with own_network.chain() as chain, own_network.sender(chain, signer, tmp_path / "outbox") as sender:
        calls = approvals(chain)
        await sender.send(next(calls))
        anvil.request("evm_setAutomine", False)
        stray = sender._account.sign(next(calls), 1, 100_000, await sender._account.choose_fees())
        anvil.request("eth_sendRawTransaction", hex_of(stray.raw))
        sender._account.forget_nonce()
        sending = asyncio.create_task(sender.send(next(calls), "after the gap"))
        await asyncio.sleep(0.1)
        anvil.request("anvil_dropTransaction", hex_of(stray.hash))
        anvil.request("evm_setAutomine", True)
        await asyncio.wait_for(sending, SECONDS)
        outbox = await outbox_of(chain, tmp_path / "outbox", signer)
        filler, own = outbox.at_nonce(1), outbox.find("after the gap")
        outbox.close()
        assert filler is not None
        assert filler.call.label == "nothing, for nonce 1"
        assert own is not None
        assert own.nonce == 2
        assert count_sent(anvil, signer.address) == 3


async def test_chain__killed_and_restarted_from_its_state__sending_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "_REPEAT", 0.3)
    state, saved = tmp_path / "state.json", tmp_path / "saved.json"  # a kill may leave half of the first
    anvil = start_anvil(tmp_path / "anvil", state=state)
    try:
        network = await asyncio.to_thread(deploy_network, anvil, tmp_path / "network")
        signer = Signer.ephemeral()
        async with network.chain() as chain, network.sender(chain, signer) as sender:
            calls = approvals(chain)
            await sender.send(next(calls), "before")
            await until(lambda: read_saved_nonce(state, signer) == 1)  # it is saved every second
            saved.write_bytes(state.read_bytes())
            await sender.send(next(calls), "lost with the state")
            await asyncio.to_thread(anvil.kill)
            sending = asyncio.create_task(sender.send(next(calls), "meanwhile"))
            await asyncio.sleep(0.3)
            anvil = await asyncio.to_thread(start_anvil, tmp_path / "anvil", anvil.port, state=saved)
            anvil.fund(signer.address, GAS_MONEY)
            await asyncio.wait_for(sending, SECONDS)

            async def is_restored() -> bool:
                return count_sent(anvil, signer.address) == 3

            await eventually(is_restored, chain)
    finally:
        anvil.stop()


async def test_outbox__another_chain_of_the_same_id__starts_anew(tmp_path: Path) -> None:
    signer, path = Signer.ephemeral(), tmp_path / "outbox"
    for name in ("first", "second"):
        with running_anvil(tmp_path / name) as anvil:
            network = await asyncio.to_thread(deploy_network, anvil, tmp_path / f"{name}-network")
            async with network.chain() as chain, network.sender(chain, signer, path) as sender:
                await sender.send(next(approvals(chain)), "key")
                assert count_sent(anvil, signer.address) == 1
                await asyncio.sleep(1.1 if name == "first" else 0)  # another second, another first block


async def test_send__gas_that_is_not_paid_for__refused_and_else_within_it(network: Network) -> None:
    async with network.chain() as chain, network.sender(chain, Signer.ephemeral()) as sender:
        calls = approvals(chain)
        with pytest.raises(RuleError, match="gas, more than the 30000 that are paid for"):
            await sender.send(next(calls), most_gas=30_000)
        assert sender._outbox.pending() == sender._outbox.mined(1) == []
        receipt = await sender.send(next(calls), most_gas=60_000)
        assert receipt.gas_used < 60_000
        assert sender._outbox.mined(1)[0].gas == 60_000
