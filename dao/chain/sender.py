"""Sends one account's transactions, one after the other, until they are in the chain for good."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from dao.chain.account import PLAIN_GAS, NoMoney, SenderAccount
from dao.chain.broadcaster import SEND, Broadcaster
from dao.chain.client import Chain
from dao.chain.contracts import Call
from dao.chain.fees import GWEI
from dao.chain.nonces import NonceUser, count_sent, find_user
from dao.chain.outbox import Outbox, OutboxEntry, TxState
from dao.chain.receipts import TxReceipt, find_receipt, read_receipt
from dao.chain.rpc import NodeError
from dao.chain.send_policy import NodeAnswer, Seen, SendStep, Waited, decide, get_outcome
from dao.chain.signer import Signer
from dao.core.types import BlockNumber, Digest, Wei, hex_of
from dao.errors import DaoError, RpcError
from dao.runtime.backoff import pauses
from dao.runtime.failpoint import failpoint

LIMIT = 300.0  # seconds until `send` gives up waiting
MAX_FEE = Wei(500 * GWEI)
_FIRST_PAUSE, _LAST_PAUSE = 0.005, 0.5  # seconds between questions where nothing is pushed
_REPEAT = 15.0  # seconds without a block until it is broadcast again
_REFUSED_PAUSE = 0.5  # seconds until a refused entry is broadcast again, doubled each time up to _REPEAT
_WATCHED = 64  # newest entries that are looked after when blocks vanish

_log = logging.getLogger(__name__)


class _Watch:
    """Observes the chain since an entry was last broadcast, and waits for more."""

    def __init__(self, chain: Chain, reorgs: int, answer: NodeAnswer) -> None:
        self.answer = answer
        self._chain, self._reorgs = chain, reorgs
        self._sent_at = chain.head().number
        self._waited, self._is_mined = Waited.NOT, False
        self._head, self._quiet_since = chain.head(), asyncio.get_running_loop().time()
        self._pauses = pauses(_FIRST_PAUSE, _LAST_PAUSE, spread=0)
        self._refused_pauses = pauses(_REFUSED_PAUSE, _REPEAT, spread=0)

    def see(self, receipt: dict[str, Any] | None) -> Seen:
        """Return the facts about the entry, whose receipt was just read."""
        before, self._reorgs = self._reorgs, self._chain.reorgs
        self._is_mined = receipt is not None
        passed = self._chain.head().number - self._sent_at
        final = self._chain.final().number
        return Seen(receipt, final, passed, self._reorgs != before, self._waited, self.answer)

    def start_again(self) -> None:
        """Count from now, for the entry is about to be broadcast again."""
        self._sent_at, self._waited = self._chain.head().number, Waited.NOT

    async def wait(self) -> None:
        """Wait for a new head, not for ever."""
        if self._chain.pushes:
            await self._chain.changed(_REPEAT)
        else:
            self._chain.hurry()
            await self._chain.changed(next(self._pauses))
        waited = Waited.LONG if self._was_quiet() else Waited.BLOCK
        self._waited = Waited.NOT if self._is_mined else waited  # for a missing receipt it counts anew

    async def wait_refused(self) -> None:
        """Wait until an entry that the node refused may be broadcast again."""
        await asyncio.sleep(next(self._refused_pauses))
        self._waited = Waited.LONG

    def _was_quiet(self) -> bool:
        """Whether the chain had no new block for _REPEAT seconds; after that it counts from now."""
        head, now = self._chain.head(), asyncio.get_running_loop().time()
        is_quiet = head == self._head and now - self._quiet_since >= _REPEAT
        if is_quiet or head != self._head:
            self._head, self._quiet_since = head, now
        return is_quiet


class Sender:
    """An account's way to the chain: `async with Sender(chain, signer, path) as sender`.

    Every transaction is written down before it is broadcast, and on disk a moment later. One that a crash or a reorg
    undid is sent again with the same content; one that is stuck is replaced at a higher fee, up to `max_fee` wei per
    gas. One without a key that an earlier process left is given up where another program has used its nonce: it may have
    done the same, such as taken stake out. One process per account.
    """

    def __init__(self, chain: Chain, signer: Signer, path: Path, max_fee: Wei = MAX_FEE) -> None:
        self.address = signer.address
        self._chain = chain
        self._account = SenderAccount(chain, signer, max_fee)
        self._path = path
        self._lock = asyncio.Lock()
        self._outbox: Outbox
        self._broadcaster: Broadcaster
        self._disk: asyncio.Future[None]
        self._keeper: asyncio.Task[None] | None = None
        self._reorgs = -1  # of the chain, when mined entries were last checked
        self._left: frozenset[int] = frozenset()  # entries without a key that an earlier process left pending

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Open the file and take up its pending entries."""
        genesis = await self._chain.block(BlockNumber(0))
        if genesis is None:
            raise RpcError(f"{self._chain.url}: does not have the first block; use another node")
        self._outbox = Outbox(self._path, genesis.hash, self.address)
        self._left = frozenset(entry.id for entry in self._outbox.pending() if entry.key is None)
        self._broadcaster = Broadcaster(self._chain, self._account, self._outbox)
        self._disk = asyncio.ensure_future(asyncio.to_thread(self._outbox.sync))
        self._keeper = asyncio.create_task(self._keep(), name="sender")

    async def close(self) -> None:
        """Stop looking after transactions; the next `start` takes up the pending ones."""
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
        on_hash: Callable[[Digest], None] | None = None,
        most_gas: int | None = None,
    ) -> TxReceipt:
        """Send a call and wait until it is in a final block, at most `limit` seconds.

        With a `key`, the same thing is sent once: a second `send`, also after a restart, waits for the first and
        returns its receipt. `on_hash` gets the transaction's hash before it is broadcast; should it be replaced, the
        receipt has another. Raises Reverted, without sending where the node says so beforehand; RuleError, without
        sending, where it needs more than `most_gas`; NodeError when the node refuses it, for good or until time is up,
        and NoMoney when the account has none: then it is not sent; RpcError when time is up otherwise (then the
        transaction is still looked after).
        """
        entry: OutboxEntry | None = None
        try:
            async with asyncio.timeout(limit), self._lock:
                await self._catch_up()
                entry = self._outbox.find(key) if key is not None else None
                fresh = entry is None
                entry = entry or await self._prepare(call, key, most_gas)
                if on_hash is not None:
                    on_hash(entry.attempts[-1].hash)
                entry = await self._drive(entry, fresh=fresh)
                return await read_receipt(self._chain, entry, self._account.call_params(entry.call))
        except TimeoutError:
            refusal = None if entry is None else self._broadcaster.give_up(entry)
            if refusal is not None:
                raise refusal from None
            raise RpcError(f"{call.label}: not final after {limit:.0f} s; it is still looked after") from None

    async def settle(self, limit: float = LIMIT) -> None:
        """Wait until all that an earlier run left is in a final block, or given up, so that what is read then counts it.

        So is what another program has sent for this account, such as a command with another folder. RpcError when it
        takes longer than `limit` seconds.
        """
        try:
            async with asyncio.timeout(limit), self._lock:
                await self._catch_up()
                while await count_sent(self._chain, self.address, "pending") > await count_sent(
                    self._chain, self.address, self._chain.final()
                ):
                    await self._chain.changed(_LAST_PAUSE)
        except TimeoutError:
            labels = ", ".join(entry.call.label for entry in self._outbox.pending())
            labels = labels or f"account {hex_of(self.address)}: a transaction of another program"
            raise RpcError(f"{labels}: sent before, and not final after {limit:.0f} s; try again") from None

    async def _prepare(self, call: Call, key: str | None, most_gas: int | None = None) -> OutboxEntry:
        """Choose gas, fees and nonce, sign, and write it down; the disk has it while the next block is mined."""
        gas, fees, nonce = await asyncio.gather(
            self._account.estimate_gas(call, most_gas), self._account.choose_fees(), self._next_nonce()
        )
        entry = self._outbox.remember(key, call, nonce, gas, self._account.sign(call, nonce, gas, fees))
        self._broadcaster.add(entry)
        failpoint(f"written-{call.label}")
        await asyncio.shield(self._disk)
        self._disk = asyncio.ensure_future(asyncio.to_thread(self._outbox.sync))
        return entry

    async def _next_nonce(self) -> int:
        return await self._account.next_nonce(self._outbox.next_nonce())

    async def _drive(self, entry: OutboxEntry, *, fresh: bool = False) -> OutboxEntry:
        """Bring an entry into a final block, whatever it takes: look, decide, do that."""
        answer = NodeAnswer.TAKEN
        if entry.state is TxState.PENDING:
            answer = await self._broadcaster.broadcast(entry, fresh=fresh)
        watch = _Watch(self._chain, self._reorgs, answer)
        while True:
            receipt = await find_receipt(self._chain, entry)
            match decide(entry, watch.see(receipt)):
                case SendStep.DONE:
                    return entry
                case SendStep.SETTLE:
                    assert receipt is not None  # noqa: S101  (it is settled by its receipt)
                    return self._outbox.settle(entry, get_outcome(receipt), receipt)
                case SendStep.WAIT:
                    await watch.wait()
                case SendStep.PAUSE:
                    await watch.wait_refused()
                case (SendStep.SEND_AGAIN | SendStep.RAISE_FEES) as action:
                    watch.start_again()
                    entry = await self._replace(entry, raise_fees=action is SendStep.RAISE_FEES)
                    if entry.state is TxState.FAILED:  # nothing is left to be sent
                        return entry
                    watch.answer = await self._broadcaster.broadcast(entry)
                case SendStep.LOOK:
                    continue

    async def _replace(self, entry: OutboxEntry, *, raise_fees: bool) -> OutboxEntry:
        """Return an entry that is not mined as it may be: as it is, at a higher fee or with another nonce."""
        account, call, old = self._account, entry.call, entry.attempts[-1].fees
        user = await find_user(self._chain, self.address, entry)
        if user is NonceUser.ENTRY:
            return entry
        if user is NonceUser.ANOTHER:
            if call.to == self.address:  # it was to fill a gap, which another has filled
                return self._outbox.settle(entry, TxState.FAILED, None)
            if (
                entry.id in self._left
            ):  # what it was to do may be done: whoever asked for it looks, and asks again
                _log.warning("%s: given up: nonce %d went to another", call.label, entry.nonce)
                return self._outbox.settle(entry, TxState.FAILED, None)
            account.forget_nonce()
            nonce = await self._next_nonce()
            _log.warning("%s: nonce %d went to another; sent as %d", call.label, entry.nonce, nonce)
            attempt = account.sign(call, nonce, entry.gas, await account.choose_fees())
            return self._outbox.add_attempt(entry, attempt, nonce)
        await self._fill_gap(entry)
        fees = await account.raise_fees(old) if raise_fees else None
        if fees is None:
            return entry
        _log.warning("%s: stuck at %d wei per gas; offers %d", call.label, old.max_fee, fees.max_fee)
        return self._outbox.add_attempt(entry, account.sign(call, entry.nonce, entry.gas, fees))

    async def _fill_gap(self, entry: OutboxEntry) -> None:
        """Send the transactions missing before an entry: one that succeeded with that nonce, else nothing to oneself."""
        for nonce in range(await count_sent(self._chain, self.address, "latest"), entry.nonce):
            earlier = self._outbox.at_nonce(nonce)
            if earlier is None or earlier.state is TxState.FAILED:
                call = Call(self.address, b"", f"nothing, for nonce {nonce}")
                attempt = self._account.sign(call, nonce, PLAIN_GAS, await self._account.choose_fees())
                earlier = self._outbox.remember(None, call, nonce, PLAIN_GAS, attempt)
            with contextlib.suppress(NodeError, NoMoney):  # that of another entry; it is filled again
                await self._broadcaster.broadcast(earlier)

    async def _keep(self) -> None:
        """Take up pending entries, and send again those that a reorg undoes."""
        while True:
            try:
                async with self._lock:
                    await self._catch_up()
            except DaoError as error:
                _log.warning("account %s: %s", hex_of(self.address), error)
            await self._chain.changed(_REPEAT)

    async def _catch_up(self) -> None:
        """Bring every entry to where it belongs, oldest first."""
        if self._reorgs != self._chain.reorgs:
            await self._reopen()
        for entry in self._outbox.pending():
            try:
                settled = await self._drive(entry)
            except (NodeError, NoMoney) as error:
                if isinstance(error, NodeError) and error.method != SEND:
                    raise
                _log.error("%s: given up: %s", entry.call.label, error)
            else:
                _log.info("%s: %s", settled.call.label, settled.state)

    async def _reopen(self) -> None:
        """Make mined entries whose blocks have gone pending again."""
        reorgs = self._chain.reorgs
        entries = self._outbox.mined(_WATCHED)
        receipts = await asyncio.gather(*(find_receipt(self._chain, entry) for entry in entries))
        for entry, receipt in zip(entries, receipts, strict=True):
            if receipt is None:
                _log.warning("%s: its block is gone; sent again", entry.call.label)
                self._outbox.settle(entry, TxState.PENDING, None)
        self._reorgs = reorgs
