"""Pays the gas of what members sign: checked and simulated first, within a budget, one transaction after the other."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from dao.api.http.problems import Problem, arguments_of
from dao.api.relay.relay_jobs import DAY, JobState, RelayJob, RelayJobs, Space
from dao.chain.account import ESTIMATE, NO_MONEY, NoMoney, is_passing
from dao.chain.client import Chain
from dao.chain.contracts import Call
from dao.chain.fees import GWEI
from dao.chain.rpc import Answered
from dao.chain.sender import SEND, Sender, TxReceipt
from dao.core.errors import ChainError, Reverted, RuleError
from dao.core.types import Address, Wei, hex_of
from dao.runtime.backoff import pause_after

WAITING = 200  # jobs that may wait
MAX_DATA = 100 * 1024  # bytes of a call: nodes take transactions of up to 128 KiB
AHEAD = 4  # jobs of one signer that may wait
_USUAL_GAS = 300_000  # of what cannot be simulated before the jobs ahead of it are done
_TOLD_SECONDS = 2.0  # that a caller waits for the transaction's hash
_AGAIN_SECONDS, _AGAIN_MOST = 5.0, 60.0  # between attempts: doubled while the node refuses
_REFUSED_SECONDS = 300.0  # that a job is tried for when the node refuses it

Check = Callable[[], Awaitable[None]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent: wei and jobs of an account in a day (UTC), gas of one transaction."""

    per_day: Wei
    per_account: int
    max_gas: int


class Relayer:
    """The queue. `run` works it off; `submit` adds to it."""

    def __init__(self, chain: Chain, sender: Sender, ledger: RelayJobs, budget: Budget) -> None:
        self.address = sender.address
        self.balance = Wei(0)
        self.version = 0  # changes with what `network` tells of the relayer
        self._chain = chain
        self._sender = sender
        self._ledger = ledger
        self._budget = budget
        self._work = asyncio.Event()
        self._told: dict[int, asyncio.Event] = {}

    # asked

    def remaining(self) -> Wei:
        """Wei left of today's budget."""
        return Wei(max(0, self._budget.per_day - self._ledger.spent(_today())))

    def next_nonce(self, space: Space, signer: Address, on_chain: int) -> int:
        """The nonce that a signer's next message is to have, after those that wait here."""
        return max([on_chain, *(nonce + 1 for nonce in self._ledger.waiting(space, signer))])

    def find(self, name: str) -> RelayJob | None:
        """A job by its id or its transaction's hash."""
        return self._ledger.find(name)

    async def refresh(self) -> None:
        """Read the relayer's balance."""
        balance = await self._chain.request("eth_getBalance", hex_of(self.address), "latest", patience=2.0)
        if int(balance, 16) != self.balance:
            self.balance = Wei(int(balance, 16))
            self.version += 1

    async def submit(
        self, space: Space, signer: Address, nonce: int, on_chain: int, call: Call, check: Check
    ) -> RelayJob:
        """Take a signed call of a signer: the job, with its transaction's hash where that is known soon.

        The same call again is the same job; a new one must pass `check`. Raises what `check` raises, Reverted where the contract would refuse, and Problem: 409 for
        another call with this nonce or a nonce out of turn, 429 for an account's daily limit, 503 `relay-dry` when
        there is no money left, today or at all.
        """
        if len(call.data) > MAX_DATA:
            raise Problem(
                422,
                "relay-too-costly",
                f"its call has {len(call.data)} bytes, at most {MAX_DATA} are relayed; send it yourself",
            )
        job = RelayJob.of(space, signer, nonce, call, Wei(0))
        if (known := self._known(job)) is not None:
            return await self._with_hash(known)
        waiting = self._ledger.waiting(space, signer)
        if not space.is_open and nonce != self.next_nonce(space, signer, on_chain):
            raise Problem(
                409, "nonce", f"nonce: expected {max([on_chain, *(n + 1 for n in waiting)])}, got {nonce}"
            )
        self._check_account(signer, len(waiting))
        await check()
        job = replace(job, cost=await self._cost(call, simulate=nonce == on_chain))
        if (known := self._known(job)) is None:  # nothing else was done since this was asked
            self._check_money(job.cost)
            known = self._ledger.add(job)
            self.version += 1
            self._told[known.number] = asyncio.Event()
            self._work.set()
        return await self._with_hash(known)

    def _known(self, job: RelayJob) -> RelayJob | None:
        known = self._ledger.active(job.space, job.signer, job.nonce)
        if known is not None and known.call.data != job.call.data:
            raise Problem(
                409, "nonce-used", f"nonce {job.nonce}: something else was sent with it; sign again"
            )
        return known

    def _check_account(self, signer: Address, waiting: int) -> None:
        if waiting >= AHEAD:
            raise Problem(429, "too-many", f"{waiting} of this account's wait already", retry_after=15)
        if self._ledger.count(signer, _today()) >= self._budget.per_account:
            raise Problem(
                429,
                "too-many",
                f"at most {self._budget.per_account} a day are relayed for an account; send it yourself, or tomorrow",
                retry_after=_today() + DAY - time.time(),
            )

    async def _cost(self, call: Call, *, simulate: bool) -> Wei:
        """Wei that a call costs at most; Reverted where it would be refused."""
        gas = _USUAL_GAS
        if simulate:
            request = {"from": hex_of(self.address), "to": hex_of(call.to or b""), "data": hex_of(call.data)}
            try:
                found = await self._chain.ask(ESTIMATE, request, self._chain.head().number, call.label)
            except Answered as error:
                raise (_dry() if NO_MONEY.search(error.reason) else error) from None
            gas = int(found, 16) * 6 // 5
        if gas > self._budget.max_gas:
            raise Problem(
                422,
                "relay-too-costly",
                f"needs {gas} gas, {self._budget.max_gas} at most are relayed; send it yourself",
            )
        return Wei(gas * (2 * self._chain.head().base_fee + GWEI))

    def _check_money(self, cost: Wei) -> None:
        pending = self._ledger.pending()
        if len(pending) >= WAITING:
            raise Problem(503, "busy", "too many wait to be relayed; try again soon", retry_after=30)
        if cost > self.remaining() or cost + sum(job.cost for job in pending) > self.balance:
            raise _dry()

    async def _with_hash(self, job: RelayJob) -> RelayJob:
        """The job, with the hash of its transaction where that is known soon."""
        event = self._told.get(job.number)
        if event is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TOLD_SECONDS):
                    await event.wait()
        return self._ledger.find(job.id) or job

    # working

    async def run(self) -> None:
        """Work the queue off, until cancelled; what another run left is taken up first."""
        while True:
            self._work.clear()
            for job in self._ledger.pending():
                await self._until_done(job)
            with contextlib.suppress(ChainError):
                await self.refresh()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_AGAIN_SECONDS):
                    await self._work.wait()

    async def _until_done(self, job: RelayJob) -> None:
        done = await self._until(job)
        self._ledger.settle(done)
        self.version += 1
        if (event := self._told.pop(job.number, None)) is not None:
            event.set()

    async def _done(self, job: RelayJob) -> RelayJob:
        """Send a job's transaction, and say what became of it."""

        def told(tx_hash: bytes) -> None:
            self._ledger.tell(job, hex_of(tx_hash))
            if job.number in self._told:
                self._told[job.number].set()

        before = await self._balance()
        try:
            receipt = await self._sender.send(
                job.call, f"relay:{job.number}", told=told, most_gas=self._budget.max_gas
            )
        except (RuleError, Answered) as error:
            if isinstance(error, Answered) and (error.method != SEND or is_passing(error)):
                raise  # it may yet be sent
            return _failed(job, error)
        except Reverted as error:
            cost = Wei(max(0, before - await self._balance()))  # mined and refused: paid all the same
            return replace(
                job,
                state=JobState.FAILED,
                detail=str(error),
                error=error.error,
                args=arguments_of(error),
                cost=cost,
            )
        return replace(
            job,
            state=JobState.MINED,
            mined=hex_of(receipt.hash),
            block=receipt.block,
            cost=await self._paid(receipt),
        )

    async def _paid(self, receipt: TxReceipt) -> Wei:
        found = await self._chain.request("eth_getTransactionReceipt", hex_of(receipt.hash))
        price = int((found or {}).get("effectiveGasPrice", "0x0"), 16)
        return Wei(receipt.gas_used * price)

    async def _balance(self) -> Wei:
        return Wei(int(await self._chain.request("eth_getBalance", hex_of(self.address), "latest"), 16))

    async def _until(self, job: RelayJob) -> RelayJob:
        """Do a job again until the chain's node lets it be done, or has refused it, unsent, for _REFUSED_SECONDS."""
        loop, refused_since, refusals = asyncio.get_running_loop(), None, 0
        while True:
            began = loop.time()
            try:
                return await self._done(job)
            except ChainError as error:
                _log.warning("relayer: %s", error)
                if not _is_unsent(error):
                    refused_since, refusals = None, 0
                elif refused_since is None:
                    refused_since, refusals = began, 1
                elif loop.time() - refused_since >= _REFUSED_SECONDS:
                    return _failed(job, error)
                else:
                    refusals += 1
            await asyncio.sleep(pause_after(max(1, refusals), _AGAIN_SECONDS, _AGAIN_MOST))


def _is_unsent(error: ChainError) -> bool:
    """Whether the node refused a transaction, or its estimate, so that nothing of it is under way."""
    return isinstance(error, NoMoney) or (isinstance(error, Answered) and error.method in (SEND, ESTIMATE))


def _failed(job: RelayJob, error: Exception) -> RelayJob:
    """A job that was never sent."""
    return replace(job, state=JobState.FAILED, detail=str(error), cost=Wei(0))


def _today() -> float:
    now = time.time()
    return now - now % DAY


def _dry() -> Problem:
    return Problem(
        503,
        "relay-dry",
        "the relayer has no gas money left, for today or at all; send the transaction yourself, or come again tomorrow",
        retry_after=_today() + DAY - time.time(),
    )
