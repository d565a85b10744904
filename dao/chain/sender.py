"""Sends one account's transactions, one after the other, until they are in the chain for good."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, Self

from dao.chain.account import (
    KNOWN,
    NO_MONEY,
    NONCE_USED,
    PLAIN_GAS,
    TOO_CHEAP,
    NoMoney,
    SenderAccount,
    is_passing,
)
from dao.chain.client import Chain
from dao.chain.contracts import Call
from dao.chain.event_types import Event
from dao.chain.fees import GWEI
from dao.chain.outbox import Outbox, OutboxEntry, TxState
from dao.chain.reverts import reverted
from dao.chain.rpc import Answered
from dao.chain.signer import Signer
from dao.core.errors import ChainError, Reverted, RpcError
from dao.core.types import Address, BlockNumber, Digest, Wei, hex_of

SEND = "eth_sendRawTransaction"
LIMIT = 300.0  # seconds until `send` gives up waiting
MAX_FEE = Wei(500 * GWEI)
_FIRST_PAUSE, _LAST_PAUSE = 0.005, 0.5  # seconds between questions where nothing is pushed
_STUCK = 3  # blocks without the transaction until it is replaced
_REPEAT = 15.0  # seconds without a block until it is broadcast again
_WATCHED = 64  # newest entries that are looked after when blocks vanish
_SURE = 3  # times that the chain must say that another took the nonce, or that it will never take an entry
_REFUSED_PAUSE = 0.5  # seconds until what was refused is broadcast again, doubled each time up to _REPEAT
_CANNOT = 60.0  # seconds that a node is asked again which cannot take an entry now

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TxReceipt:
    """A transaction in the chain; `events` are those it caused, `created` the contract it made."""

    hash: Digest
    block: BlockNumber
    gas_used: int
    events: tuple[Event, ...]
    created: Address | None


class Told(Enum):
    """What a node says to a transaction."""

    TAKEN = auto()  # it is in the pool or in the chain, or the node did not say
    NONCE_USED = auto()
    TOO_CHEAP = auto()
    REFUSED = auto()  # for another reason; it is asked again


@dataclass(frozen=True, slots=True)
class Refusals:
    """How often in a row a node has refused an entry, since when (of the event loop), and the last time's words."""

    times: int
    since: float
    error: Answered


class Quiet:
    """How long the chain has had no new block."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._head, self._since = chain.head(), asyncio.get_running_loop().time()

    def is_long(self) -> bool:
        """Whether it was quiet for _REPEAT seconds; after that it counts from now."""
        head, now = self._chain.head(), asyncio.get_running_loop().time()
        is_long = head == self._head and now - self._since >= _REPEAT
        if is_long or head != self._head:
            self._head, self._since = head, now
        return is_long


class Sender:
    """An account's way to the chain: `async with Sender(chain, signer, path) as sender`.

    Every transaction is written down before it is broadcast, and on disk a moment later. What a crash or a reorg undid
    is sent again with the same content; what is stuck is replaced at a higher fee, up to `max_fee` wei per gas. One
    process per account.
    """

    def __init__(self, chain: Chain, signer: Signer, path: Path, max_fee: Wei = MAX_FEE) -> None:
        self.address = signer.address
        self._chain = chain
        self._account = SenderAccount(chain, signer, max_fee)
        self._path = path
        self._lock = asyncio.Lock()
        self._outbox: Outbox
        self._disk: asyncio.Future[None]
        self._keeper: asyncio.Task[None] | None = None
        self._reorgs = -1  # of the chain, when mined entries were last checked
        self._refused: dict[int, Refusals] = {}  # by entry
        self._unsent: set[int] = set()  # entries of this run that no node has said to have taken
        self._unsure: set[int] = set()  # those of them of which a broadcast got no answer

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
        self._disk = asyncio.ensure_future(asyncio.to_thread(self._outbox.sync))
        self._keeper = asyncio.create_task(self._keep(), name="sender")

    async def close(self) -> None:
        """Stop looking after transactions; what is pending is taken up by the next `start`."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            await asyncio.shield(self._disk)
            self._outbox.close()

    async def send(
        self,
        call: Call,
        key: str | None = None,
        limit: float = LIMIT,
        told: Callable[[Digest], None] | None = None,
        most_gas: int | None = None,
    ) -> TxReceipt:
        """Send a call and wait until it is in a final block, at most `limit` seconds.

        With a `key`, the same thing is sent once: a second `send`, also after a restart, waits for the first and
        returns its receipt. `told` is given the transaction's hash before it is broadcast; should it be replaced, the
        receipt has another. Raises Reverted, without sending where the node says so beforehand; RuleError, without
        sending, where it needs more than `most_gas`; Answered when the node refuses it, for good or until time is up, and
        NoMoney when the account has none: then it is not sent; RpcError when time is up otherwise (then the transaction
        is still looked after).
        """
        entry: OutboxEntry | None = None
        try:
            async with asyncio.timeout(limit), self._lock:
                await self._catch_up()
                entry = self._outbox.find(key) if key is not None else None
                fresh = entry is None
                entry = entry or await self._prepare(call, key, most_gas)
                if told is not None:
                    told(entry.attempts[-1].hash)
                return await self._receipt(await self._drive(entry, fresh=fresh))
        except TimeoutError:
            if entry is not None and entry.id in self._unsent - self._unsure and entry.id in self._refused:
                error = self._refused[entry.id].error
                self._forget(entry)
                raise error from None
            raise RpcError(f"{call.label}: not final after {limit:.0f} s; it is still looked after") from None

    async def _prepare(self, call: Call, key: str | None, most_gas: int | None = None) -> OutboxEntry:
        """Choose gas, fees and nonce, sign, and write it down; the disk has it while the next block is mined."""
        gas, fees, nonce = await asyncio.gather(
            self._account.gas(call, most_gas), self._account.fees(), self._next_nonce()
        )
        entry = self._outbox.remember(key, call, nonce, gas, self._account.sign(call, nonce, gas, fees))
        self._unsent.add(entry.id)
        await asyncio.shield(self._disk)
        self._disk = asyncio.ensure_future(asyncio.to_thread(self._outbox.sync))
        return entry

    async def _next_nonce(self) -> int:
        return await self._account.next_nonce(self._outbox.next_nonce())

    async def _drive(self, entry: OutboxEntry, *, fresh: bool = False) -> OutboxEntry:
        """Bring an entry into a final block, whatever it takes."""
        told = await self._broadcast(entry, fresh=fresh) if entry.state is TxState.PENDING else Told.TAKEN
        since, reorgs, quiet = self._chain.head().number, self._reorgs, Quiet(self._chain)
        pause, refused_pause = _FIRST_PAUSE, _REFUSED_PAUSE
        while True:
            receipt = await self._mined(entry)
            if receipt is not None and self._chain.final().number >= int(receipt["blockNumber"], 16):
                if entry.receipt == receipt:
                    return entry
                state = TxState.MINED if int(receipt["status"], 16) else TxState.FAILED
                return self._outbox.settle(entry, state, receipt)
            moved, undone = True, self._chain.reorgs != reorgs
            if told is Told.REFUSED and receipt is None and not undone:
                await asyncio.sleep(refused_pause)
                moved, refused_pause = False, min(2 * refused_pause, _REPEAT)
            elif not undone and (receipt is not None or told is not Told.NONCE_USED):
                await self._wait(pause)
                moved, pause = not quiet.is_long(), min(2 * pause, _LAST_PAUSE)
            passed = self._chain.head().number - since
            is_cheap = passed >= _STUCK or (passed > 0 and told is Told.TOO_CHEAP)
            if receipt is None and (undone or not moved or is_cheap or told is Told.NONCE_USED):
                since = self._chain.head().number
                entry, told = await self._unstick(entry, raise_fees=is_cheap)
            reorgs = self._chain.reorgs if undone else reorgs

    async def _broadcast(self, entry: OutboxEntry, *, fresh: bool = False) -> Told:
        """Give the newest attempt to the node; what it says.

        A `fresh` entry that it refuses for good is forgotten, and Answered says why. Any other is tried again later: it
        may be in the chain already, or the node is away, or cannot take it now. How long: `_is_over`.
        """
        call, before = entry.call, self._refused.pop(entry.id, None)
        try:
            await self._chain.request(SEND, hex_of(entry.attempts[-1].raw))
        except Answered as error:
            if TOO_CHEAP.search(error.reason):
                return Told.TOO_CHEAP
            if NONCE_USED.search(error.reason) or KNOWN.search(error.reason):
                self._unsent.discard(entry.id)
                return Told.TAKEN if KNOWN.search(error.reason) else Told.NONCE_USED
            since = before.since if before else asyncio.get_running_loop().time()
            self._refused[entry.id] = Refusals(before.times + 1 if before else 1, since, error)
            if self._is_over(entry, fresh=fresh) and not await self._is_known(entry):
                self._forget(entry)
                raise self._account.no_money(call) if NO_MONEY.search(error.reason) else error from None
            _log.warning("%s: %s; tried again soon", call.label, error.reason)
            return Told.REFUSED
        except RpcError as error:
            self._unsure.add(entry.id)
            _log.warning("%s: %s", call.label, error)
            return Told.TAKEN
        self._unsent.discard(entry.id)
        return Told.TAKEN

    def _is_over(self, entry: OutboxEntry, *, fresh: bool) -> bool:
        """Whether an entry that was refused is given up: it is wrong, or the node could not take it for _CANNOT.

        Never one that was taken once, or is of an earlier run: with the entry forgotten, the same thing could be sent
        with another nonce, and be paid twice. One that is not fresh was wrong only when the node says so again.
        """
        refusals = self._refused[entry.id]
        if entry.id not in self._unsent:
            return False
        if is_passing(refusals.error) and not (fresh and NO_MONEY.search(refusals.error.reason)):
            return asyncio.get_running_loop().time() - refusals.since >= _CANNOT
        return fresh or refusals.times >= _SURE

    async def _is_known(self, entry: OutboxEntry) -> bool:
        """Whether the node has an entry after all: its answer to a broadcast may have been lost."""
        found = [
            await self._chain.request("eth_getTransactionByHash", hex_of(attempt.hash)) is not None
            for attempt in entry.attempts
        ]
        if any(found):
            self._unsent.discard(entry.id)
        return any(found)

    def _forget(self, entry: OutboxEntry) -> None:
        """Remove an entry that no node takes: its nonce is the next one's."""
        self._outbox.forget(entry)
        self._refused.pop(entry.id, None)
        self._unsent.discard(entry.id)
        self._unsure.discard(entry.id)
        self._account.forget_nonce()

    async def _wait(self, pause: float) -> None:
        """Wait for a new head, not for ever."""
        if self._chain.pushes:
            await self._chain.changed(_REPEAT)
        else:
            self._chain.hurry()
            await self._chain.changed(pause)

    async def _unstick(self, entry: OutboxEntry, *, raise_fees: bool) -> tuple[OutboxEntry, Told]:
        """Do what may help an entry that is not mined: broadcast it again, at a higher fee or with another nonce."""
        account, call, old = self._account, entry.call, entry.attempts[-1].fees
        if await self._mined(entry) is not None:
            return entry, Told.TAKEN
        if await self._is_lost(entry):
            account.forget_nonce()
            nonce = await self._next_nonce()
            _log.warning("%s: nonce %d went to another; sent as %d", call.label, entry.nonce, nonce)
            attempt = account.sign(call, nonce, entry.gas, await account.fees())
            entry = self._outbox.add_attempt(entry, attempt, nonce)
        else:
            await self._fill_gap(entry)
            fees = await account.raised(old) if raise_fees else None
            if fees is not None:
                _log.warning("%s: stuck at %d wei per gas; offers %d", call.label, old.max_fee, fees.max_fee)
                attempt = account.sign(call, entry.nonce, entry.gas, fees)
                entry = self._outbox.add_attempt(entry, attempt)
        return entry, await self._broadcast(entry)

    async def _fill_gap(self, entry: OutboxEntry) -> None:
        """Send what is missing before an entry: what succeeded with that nonce, else nothing to oneself."""
        for nonce in range(await self._account.count("latest"), entry.nonce):
            earlier = self._outbox.at_nonce(nonce)
            if earlier is None or earlier.state is TxState.FAILED:
                call = Call(self.address, b"", f"nothing, for nonce {nonce}")
                attempt = self._account.sign(call, nonce, PLAIN_GAS, await self._account.fees())
                earlier = self._outbox.remember(None, call, nonce, PLAIN_GAS, attempt)
            with contextlib.suppress(Answered, NoMoney):  # that of another entry; it is filled again
                await self._broadcast(earlier)

    async def _is_lost(self, entry: OutboxEntry) -> bool:
        """Whether the nonce is used, and by none of our attempts: asked several times, for a node may be behind."""
        for _ in range(_SURE):
            if await self._account.count("latest") <= entry.nonce or await self._mined(entry) is not None:
                return False
            await self._chain.changed(_LAST_PAUSE)
        return True

    async def _mined(self, entry: OutboxEntry) -> dict[str, Any] | None:
        """The receipt of whichever attempt was mined, in a block that has been seen."""
        for attempt in reversed(entry.attempts):
            receipt = await self._chain.request("eth_getTransactionReceipt", hex_of(attempt.hash))
            if receipt is None or receipt.get("blockNumber") is None:
                continue
            number = int(receipt["blockNumber"], 16)
            seen = self._chain.block_seen(number)
            if (seen is None and number < self._chain.head().number) or (
                seen is not None and hex_of(seen.hash) == receipt["blockHash"]
            ):
                found: dict[str, Any] = receipt
                return found
        return None

    async def _receipt(self, entry: OutboxEntry) -> TxReceipt:
        receipt = entry.receipt
        assert receipt is not None  # noqa: S101  (a settled entry has one)
        block = BlockNumber(int(receipt["blockNumber"], 16))
        if entry.state is TxState.FAILED:
            raise await self._why(entry, block)
        created = receipt.get("contractAddress")
        return TxReceipt(
            Digest(bytes.fromhex(receipt["transactionHash"][2:])),
            block,
            int(receipt["gasUsed"], 16),
            tuple(await self._chain.decode(receipt["logs"])),
            Address(bytes.fromhex(created[2:])) if created else None,
        )

    async def _why(self, entry: OutboxEntry, block: BlockNumber) -> Reverted:
        """Ask why a mined transaction was refused: repeat it before its block, or after what else was in that."""
        request = self._account.request(entry.call) | {"gas": hex(entry.gas)}
        try:
            for at in (BlockNumber(block - 1), block):
                await self._chain.ask("eth_call", request, at, entry.call.label)
        except Reverted as error:
            return error
        used = int((entry.receipt or {})["gasUsed"], 16)
        return reverted(
            entry.call.label, b"", f"in block {block}, when it had used {used} of {entry.gas} gas"
        )

    async def _keep(self) -> None:
        """Take up what is pending, and send again what a reorg undoes."""
        while True:
            try:
                async with self._lock:
                    await self._catch_up()
            except ChainError as error:
                _log.warning("account %s: %s", hex_of(self.address), error)
            await self._chain.changed(_REPEAT)

    async def _catch_up(self) -> None:
        """Bring every entry to where it belongs, oldest first."""
        reorgs = self._chain.reorgs
        if self._reorgs != reorgs:
            entries = self._outbox.mined(_WATCHED)
            receipts = await asyncio.gather(*map(self._mined, entries))
            for entry, receipt in zip(entries, receipts, strict=True):
                if receipt is None:
                    _log.warning("%s: its block is gone; sent again", entry.call.label)
                    self._outbox.settle(entry, TxState.PENDING, None)
            self._reorgs = reorgs
        for entry in self._outbox.pending():
            try:
                driven = await self._drive(entry)
            except (Answered, NoMoney) as error:
                if isinstance(error, Answered) and error.method != SEND:
                    raise
                _log.error("%s: given up: %s", entry.call.label, error)
            else:
                _log.info("%s: %s", driven.call.label, driven.state)
