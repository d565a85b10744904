"""Sends one account's transactions, one after the other, until they are in the chain for good."""

import asyncio
import contextlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dao.chain.client import Chain
from dao.chain.contracts import Call
from dao.chain.events import Event
from dao.chain.fees import GWEI, Fees, first_fees, raised_fees
from dao.chain.outbox import Attempt, Entry, Outbox, State
from dao.chain.reverts import reverted
from dao.chain.rpc import Answered
from dao.chain.signer import Signer, Transaction
from dao.core.errors import ChainError, Reverted, RpcError
from dao.core.keccak import keccak256
from dao.core.types import Address, BlockNumber, Digest, Wei, hex_of

LIMIT = 300.0  # seconds until `send` gives up waiting
MAX_FEE = Wei(500 * GWEI)
_GAS_CAP = 16_000_000  # of one transaction; nodes refuse above 2^24 (EIP-7825)
_STUCK = 3  # blocks without the transaction until it is replaced
_REPEAT = 15.0  # seconds without a block until it is broadcast again
_WATCHED = 64  # newest entries that are looked after when blocks vanish
_TIP_SECONDS = 60.0  # how long the usual tip is believed
_SURE = 3  # times that the chain must say that another took the nonce
_KNOWN = re.compile(r"already (known|imported|exists)|known transaction", re.IGNORECASE)
_NONCE_USED = re.compile(r"nonce (is )?too low|old nonce|nonce has already been used", re.IGNORECASE)
_TOO_CHEAP = re.compile(r"underpriced|fee too low|less than (the )?block base fee|baseFee", re.IGNORECASE)
_NO_MONEY = re.compile(r"insufficient (funds|balance)", re.IGNORECASE)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TxReceipt:
    """A transaction in the chain; `events` are those it caused, `created` the contract it made."""

    hash: Digest
    block: BlockNumber
    gas_used: int
    events: tuple[Event, ...]
    created: Address | None


class Sender:
    """An account's way to the chain: `async with Sender(chain, signer, path) as sender`.

    Every transaction is on disk before it is broadcast. What a crash or a reorg undid is sent again with the same
    content; what is stuck is replaced at a higher fee, up to `max_fee` wei per gas. One process per account.
    """

    def __init__(self, chain: Chain, signer: Signer, path: Path, max_fee: Wei = MAX_FEE) -> None:
        self.address = signer.address
        self._chain = chain
        self._signer = signer
        self._path = path
        self._max_fee = max_fee
        self._lock = asyncio.Lock()
        self._outbox: Outbox
        self._keeper: asyncio.Task[None] | None = None
        self._nonce: int | None = None  # the chain's next, where known
        self._tip = Wei(GWEI)
        self._tip_until = 0.0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Open the file and take up what is pending in it."""
        genesis = await self._chain.block(BlockNumber(0))
        if genesis is None:
            raise RpcError(f"{self._chain.url}: does not have the first block; use another node")
        self._outbox = Outbox(self._path, genesis.hash, self.address)
        self._keeper = asyncio.create_task(self._keep(), name="sender")

    async def close(self) -> None:
        """Stop looking after transactions; what is pending is taken up by the next `start`."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._outbox.close()

    async def send(self, call: Call, key: str | None = None, limit: float = LIMIT) -> TxReceipt:
        """Send a call and wait until it is in a final block, at most `limit` seconds.

        With a `key`, the same thing is sent once: a second `send`, also after a restart, waits for the first and
        returns its receipt. Raises Reverted, without sending where the node says so beforehand; RpcError when the
        account has no money, or time is up (then the transaction is still looked after).
        """
        try:
            async with asyncio.timeout(limit), self._lock:
                entry = self._outbox.find(key) if key is not None else None
                if entry is None:
                    await self._drive_pending()
                    entry = await self._prepare(call, key)
                return await self._receipt(await self._drive(entry))
        except TimeoutError:
            raise RpcError(
                f"{call.label}: not in the chain after {limit:.0f} s; it is still being tried"
            ) from None

    # one transaction

    async def _prepare(self, call: Call, key: str | None) -> Entry:
        """Choose gas, fees and nonce, sign, and write it down."""
        gas, nonce, tip = await asyncio.gather(self._gas(call), self._next_nonce(), self._usual_tip())
        fees = first_fees(self._chain.head().base_fee, tip, self._max_fee)
        return self._outbox.remember(key, call, nonce, gas, self._sign(call, nonce, gas, fees))

    async def _drive(self, entry: Entry) -> Entry:
        """Bring an entry into a final block, whatever it takes."""
        if entry.state is not State.PENDING and await self._mined(entry) is not None:
            return entry
        entry = await self._broadcast(entry)
        since, pause, foreign = self._chain.head().number, 0.005, 0
        while True:
            receipt = await self._mined(entry)
            if receipt is not None and await self._is_final(receipt):
                state = State.MINED if int(receipt["status"], 16) else State.FAILED
                return self._outbox.settle(entry, state, receipt)
            moved = await self._wait(pause)
            pause = min(2 * pause, 0.5)
            if receipt is not None:
                continue
            if self._chain.head().number - since >= _STUCK or not moved:
                foreign = foreign + 1 if await self._is_taken(entry) else 0
                entry = await self._unstick(entry, renew=foreign >= _SURE)
                since = self._chain.head().number

    async def _wait(self, pause: float) -> bool:
        """Wait for a new head; False when there was none for long."""
        if self._chain.pushes:
            return await self._chain.changed(_REPEAT)
        self._chain.hurry()
        await self._chain.changed(pause)
        return True

    async def _broadcast(self, entry: Entry) -> Entry:
        """Give the newest attempt to the node; a node that does not answer is asked again with the next block."""
        try:
            await self._chain.request("eth_sendRawTransaction", hex_of(entry.attempts[-1].raw))
        except Answered as error:
            if _KNOWN.search(error.reason) or _NONCE_USED.search(error.reason):
                return entry  # there already, or another has the nonce: the receipts will tell
            if _TOO_CHEAP.search(error.reason):
                _log.warning("%s: %s; the fee is raised with the next blocks", entry.call.label, error.reason)
                return entry
            if len(entry.attempts) > 1 or await self._is_known(entry):
                _log.warning("%s: %s", entry.call.label, error)
                return entry
            self._outbox.forget(entry)
            self._nonce = None
            if _NO_MONEY.search(error.reason):
                raise RpcError(
                    f"{entry.call.label}: account {hex_of(self.address)} cannot pay for gas; send it some"
                ) from None
            raise
        except RpcError as error:
            _log.warning("%s: %s", entry.call.label, error)
        return entry

    async def _unstick(self, entry: Entry, *, renew: bool) -> Entry:
        """Do what may help an entry that blocks pass by."""
        if renew:
            self._nonce = None
            nonce = await self._next_nonce()
            _log.warning(
                "%s: nonce %d went to another; sent again as %d", entry.call.label, entry.nonce, nonce
            )
            fees = first_fees(self._chain.head().base_fee, await self._usual_tip(), self._max_fee)
            entry = self._outbox.add_attempt(entry, self._sign(entry.call, nonce, entry.gas, fees), nonce)
        else:
            await self._fill_gap(entry)
            raised = raised_fees(
                entry.attempts[-1].fees, self._chain.head().base_fee, await self._usual_tip(), self._max_fee
            )
            if raised is not None:
                attempt = self._sign(entry.call, entry.nonce, entry.gas, raised)
                entry = self._outbox.add_attempt(entry, attempt)
        return await self._broadcast(entry)

    async def _fill_gap(self, entry: Entry) -> None:
        """Send what is missing before an entry: what was sent with that nonce, or nothing to oneself."""
        for nonce in range(await self._count("latest"), entry.nonce):
            earlier = self._outbox.at_nonce(nonce)
            if earlier is None:
                call = Call(self.address, b"", f"nothing, for nonce {nonce}")
                fees = first_fees(self._chain.head().base_fee, await self._usual_tip(), self._max_fee)
                attempt = self._sign(call, nonce, 21_000, fees)
                earlier = self._outbox.remember(None, call, nonce, 21_000, attempt)
            await self._broadcast(earlier)

    # what the chain says

    async def _mined(self, entry: Entry) -> dict[str, Any] | None:
        """The receipt of whichever attempt was mined, in a block that has been seen."""
        for attempt in reversed(entry.attempts):
            receipt = await self._chain.request("eth_getTransactionReceipt", hex_of(attempt.hash))
            if receipt is None or receipt.get("blockNumber") is None:
                continue
            number = int(receipt["blockNumber"], 16)
            seen = self._chain.block_seen(number)
            if seen is not None and hex_of(seen.hash) != receipt["blockHash"]:
                continue
            if seen is not None or number < self._chain.head().number:
                found: dict[str, Any] = receipt
                return found
        return None

    async def _is_final(self, receipt: dict[str, Any]) -> bool:
        return self._chain.final().number >= int(receipt["blockNumber"], 16)

    async def _is_known(self, entry: Entry) -> bool:
        """Whether the node has the transaction, mined or not."""
        digest = hex_of(entry.attempts[-1].hash)
        return await self._chain.request("eth_getTransactionByHash", digest) is not None

    async def _is_taken(self, entry: Entry) -> bool:
        """Whether the nonce is used and none of our attempts is in the chain."""
        return await self._count("latest") > entry.nonce and await self._mined(entry) is None

    async def _receipt(self, entry: Entry) -> TxReceipt:
        receipt = entry.receipt
        assert receipt is not None  # noqa: S101  (a settled entry has one)
        block = BlockNumber(int(receipt["blockNumber"], 16))
        if entry.state is State.FAILED:
            raise await self._why(entry, block)
        created = receipt.get("contractAddress")
        return TxReceipt(
            Digest(bytes.fromhex(receipt["transactionHash"][2:])),
            block,
            int(receipt["gasUsed"], 16),
            tuple(await self._chain.decode(receipt["logs"])),
            Address(bytes.fromhex(created[2:])) if created else None,
        )

    async def _why(self, entry: Entry, block: BlockNumber) -> Reverted:
        """Ask why a mined transaction was refused, by repeating it on the state before its block."""
        try:
            await self._chain.request("eth_call", self._request(entry.call, entry.gas), hex(block - 1))
        except Answered as error:
            if error.revert is not None:
                return reverted(entry.call.label, error.revert, error.reason)
        return reverted(entry.call.label, b"", f"in block {block}, of {entry.gas} gas")

    # gas, nonce, fees, signature

    async def _gas(self, call: Call) -> int:
        """Gas with a margin; Reverted when the call would be refused."""
        try:
            estimate = int(await self._chain.request("eth_estimateGas", self._request(call)), 16)
        except Answered as error:
            if _NO_MONEY.search(error.reason):
                raise RpcError(
                    f"{call.label}: account {hex_of(self.address)} cannot pay for gas; send it some"
                ) from None
            if error.revert is not None:
                raise reverted(call.label, error.revert, error.reason) from None
            raise
        return max(estimate, min(estimate * 5 // 4 + 10_000, _GAS_CAP))

    def _request(self, call: Call, gas: int | None = None) -> dict[str, str]:
        request = {"from": hex_of(self.address), "data": hex_of(call.data)}
        if call.to is not None:
            request["to"] = hex_of(call.to)
        return request if gas is None else {**request, "gas": hex(gas)}

    async def _next_nonce(self) -> int:
        if self._nonce is None:
            self._nonce = await self._count("pending")
        self._nonce = max(self._nonce, self._outbox.next_nonce())
        return self._nonce

    async def _count(self, when: str) -> int:
        return int(await self._chain.request("eth_getTransactionCount", hex_of(self.address), when), 16)

    async def _usual_tip(self) -> Wei:
        now = asyncio.get_running_loop().time()
        if now >= self._tip_until:
            with contextlib.suppress(Answered):  # not every chain has tips
                self._tip = Wei(int(await self._chain.request("eth_maxPriorityFeePerGas"), 16))
            self._tip_until = now + _TIP_SECONDS
        return self._tip

    def _sign(self, call: Call, nonce: int, gas: int, fees: Fees) -> Attempt:
        raw = self._signer.sign_transaction(
            Transaction(self._chain.chain_id, nonce, call.to, call.data, gas, fees.max_fee, fees.tip)
        )
        return Attempt(keccak256(raw), raw, fees)

    # over time

    async def _keep(self) -> None:
        """Take up what is pending, then send again what a reorg undoes."""
        while True:
            try:
                async with self._lock:
                    await self._drive_pending()
                    await self._restore()
            except ChainError as error:
                _log.warning("account %s: %s", hex_of(self.address), error)
            await self._chain.changed(_REPEAT)

    async def _drive_pending(self) -> None:
        for entry in self._outbox.pending():
            driven = await self._drive(entry)
            _log.info("%s: %s", entry.call.label, driven.state)

    async def _restore(self) -> None:
        """Look after mined entries whose block is gone: mined again elsewhere, or to be sent again."""
        for entry in self._outbox.settled(_WATCHED):
            if self._is_undone(entry):
                _log.warning("%s: its block is gone; sent again", entry.call.label)
                await self._drive(self._outbox.settle(entry, State.PENDING, None))

    def _is_undone(self, entry: Entry) -> bool:
        receipt = entry.receipt
        if receipt is None:
            return True
        number = int(receipt["blockNumber"], 16)
        seen = self._chain.block_seen(number)
        return number > self._chain.head().number or (
            seen is not None and hex_of(seen.hash) != receipt["blockHash"]
        )
