"""Pays the gas of what members sign: checks and simulates it first, within a budget, one transaction after the other."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from fractions import Fraction

from dao.api.http.problems import Problem, name_arguments
from dao.api.relay.budget import Budget, Spending, is_affordable
from dao.api.relay.relay_jobs import DAY, Act, Expense, JobState, NonceSpace, RelayJob, RelayJobs
from dao.chain.account import ESTIMATE, NoMoney
from dao.chain.broadcaster import SEND
from dao.chain.client import Chain
from dao.chain.contracts import Call
from dao.chain.fees import GWEI
from dao.chain.receipts import TxReceipt
from dao.chain.rpc import NodeError
from dao.chain.send_policy import NO_MONEY, is_passing
from dao.chain.sender import Sender
from dao.core.types import Address, Wei, hex_of
from dao.errors import ChainError, Reverted, RuleError
from dao.runtime.backoff import pause_after

MAX_PENDING = 200  # jobs
MAX_DATA = 100 * 1024  # bytes of a call: nodes take transactions of up to 128 KiB
MAX_AHEAD = 4  # pending jobs of one signer
_USUAL_GAS = 300_000  # of a job that cannot be simulated before those ahead of it are done
_HASH_SECONDS = 2.0  # that a caller waits for the transaction's hash
_RETRY_SECONDS, _RETRY_MAX = 5.0, 60.0  # between attempts: doubled while the node rejects
_REJECTED_SECONDS = 300.0  # until a job that the node rejects has failed

Check = Callable[
    [], Awaitable[Fraction]
]  # the account's share of all votes; raises where an act would not count

_log = logging.getLogger(__name__)


class Relayer:
    """The queue of jobs: `submit` adds to it, `run` works it off."""

    def __init__(self, chain: Chain, sender: Sender, jobs: RelayJobs, budget: Budget) -> None:
        self.address = sender.address
        self.balance = Wei(0)
        self.gas_used = 0  # since it began
        self.version = 0  # changes with what `network` shows of the relayer
        self._chain = chain
        self._sender = sender
        self._jobs = jobs
        self._budget = budget
        self._added = asyncio.Event()
        self._hash_events: dict[int, asyncio.Event] = {}

    # called by routes

    def get_remaining(self) -> Wei:
        """Get the wei left of today's budget."""
        spent = sum(expense.cost for expense in self._list_expenses())
        return Wei(max(0, self._budget.per_day - spent))

    def list_proposals(self, signer: Address) -> list[RelayJob]:
        """List a signer's newest proposals that were relayed, or wait."""
        return self._jobs.list_proposals(signer)

    def get_next_nonce(self, space: NonceSpace, signer: Address, on_chain: int) -> int:
        """Get the nonce of a signer's next message, after the pending ones."""
        return max([on_chain, *(nonce + 1 for nonce in self._jobs.list_pending_nonces(space, signer))])

    def find(self, name: str) -> RelayJob | None:
        """Find a job by its id or its transaction's hash."""
        return self._jobs.find(name)

    async def refresh(self) -> None:
        """Read the relayer's balance."""
        balance = await self._chain.request("eth_getBalance", hex_of(self.address), "latest", patience=2.0)
        if int(balance, 16) != self.balance:
            self.balance = Wei(int(balance, 16))
            self.version += 1

    async def submit(
        self,
        act: Act,
        space: NonceSpace,
        signer: Address,
        nonce: int,
        on_chain: int,
        call: Call,
        check: Check,
    ) -> RelayJob:
        """Add a signer's call to the queue; the job, with its transaction's hash where that is known soon.

        The same call again is the same job; a new one must pass `check`. Raises what `check` raises, Reverted where
        the contract would refuse, and Problem: 409 for another call with this nonce or a nonce out of turn, 429 for
        an account's daily limit, 503 `relay-dry` where no money is left, today or at all.
        """
        if len(call.data) > MAX_DATA:
            raise Problem(
                422,
                "relay-too-costly",
                f"its call has {len(call.data)} bytes, at most {MAX_DATA} are relayed; send it yourself",
            )
        job = RelayJob.make(act, space, signer, nonce, call)
        if (active := self._find_active(job)) is not None:
            return await self._wait_hash(active)
        pending = self._jobs.list_pending_nonces(space, signer)
        expected = self.get_next_nonce(space, signer, on_chain)
        if not space.is_open and nonce != expected:
            raise Problem(409, "nonce", f"nonce: expected {expected}, got {nonce}")
        self._check_account(signer, len(pending))
        share = await check()
        gas = await self._estimate_gas(call, simulate=nonce == on_chain)
        job = replace(job, gas=gas, cost=Wei(gas * (2 * self._chain.head().base_fee + GWEI)))
        if (active := self._find_active(job)) is None:  # no other request added it meanwhile
            self._check_account(signer, len(pending), gas=gas if act.is_signed else 0)
            self._check_money(job, share)
            active = self._jobs.add(job)
            self.version += 1
            self._hash_events[active.number] = asyncio.Event()
            self._added.set()
        return await self._wait_hash(active)

    def _find_active(self, job: RelayJob) -> RelayJob | None:
        active = self._jobs.find_active(job.space, job.signer, job.nonce)
        if active is not None and active.call.data != job.call.data:
            raise Problem(
                409, "nonce-used", f"nonce {job.nonce}: something else was sent with it; sign again"
            )
        return active

    def _list_expenses(self) -> list[Expense]:
        return self._jobs.list_expenses(_get_midnight())

    def _check_account(self, signer: Address, pending: int, gas: int = 0) -> None:
        """Raise Problem 429 where an account's day is used up; what anyone may do counts as a message, not as gas."""
        if pending >= MAX_AHEAD:
            raise Problem(429, "too-many", f"{pending} of this account's wait already", retry_after=15)
        mine = [expense for expense in self._list_expenses() if expense.signer == signer]
        used = sum(expense.gas for expense in mine if expense.act.is_signed)
        if len(mine) >= self._budget.per_account:
            limit = f"{self._budget.per_account} messages"
        elif used + gas > self._budget.gas_per_account:
            limit = f"{self._budget.gas_per_account} gas, of which {used} are used and this needs {gas},"
        else:
            return
        raise Problem(
            429,
            "too-many",
            f"at most {limit} a day are relayed for an account; send it yourself, or tomorrow",
            retry_after=_get_midnight() + DAY - time.time(),
        )

    async def _estimate_gas(self, call: Call, *, simulate: bool) -> int:
        """Estimate the gas that a call takes at most; Reverted where the contract would refuse it."""
        gas = _USUAL_GAS
        if simulate:
            request = {"from": hex_of(self.address), "to": hex_of(call.to or b""), "data": hex_of(call.data)}
            try:
                estimate = await self._chain.ask(ESTIMATE, request, self._chain.head().number, call.label)
            except NodeError as error:
                raise (_make_dry_problem() if NO_MONEY.search(error.reason) else error) from None
            gas = int(estimate, 16) * 6 // 5
        if gas > self._budget.max_gas:
            raise Problem(
                422,
                "relay-too-costly",
                f"needs {gas} gas, {self._budget.max_gas} at most are relayed; send it yourself",
            )
        return gas

    def _check_money(self, job: RelayJob, share: Fraction) -> None:
        """Raise Problem 503 where the day's money, or what is left of it for this act and account, is used up."""
        pending = self._jobs.list_pending()
        if len(pending) >= MAX_PENDING:
            raise Problem(503, "busy", "too many wait to be relayed; try again soon", retry_after=30)
        spent = Spending.of(self._list_expenses(), job.signer)
        free = max(0, self.balance - sum(other.cost for other in pending))
        money = Wei(min(self._budget.per_day, spent.all + free))
        if not is_affordable(self._budget, money, spent, job.act, job.cost, share):
            raise _make_dry_problem()

    async def _wait_hash(self, job: RelayJob) -> RelayJob:
        """Wait a moment for the hash of a job's transaction; the job, with the hash where it came."""
        event = self._hash_events.get(job.number)
        if event is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_HASH_SECONDS):
                    await event.wait()
        return self._jobs.find(job.id) or job

    # the work

    async def run(self) -> None:
        """Work the queue off until cancelled, first the jobs that an earlier run left."""
        while True:
            self._added.clear()
            for job in self._jobs.list_pending():
                await self._work_off(job)
            with contextlib.suppress(ChainError):
                await self.refresh()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RETRY_SECONDS):
                    await self._added.wait()

    async def _work_off(self, job: RelayJob) -> None:
        done = await self._send_until_settled(job)
        self._jobs.settle(done)
        self.gas_used += done.gas
        self.version += 1
        if (event := self._hash_events.pop(job.number, None)) is not None:
            event.set()

    async def _send(self, job: RelayJob) -> RelayJob:
        """Send a job's transaction; the job with its outcome."""

        def record_hash(tx_hash: bytes) -> None:
            self._jobs.record_hash(job, hex_of(tx_hash))
            if job.number in self._hash_events:
                self._hash_events[job.number].set()

        before = await self._read_balance()
        try:
            receipt = await self._sender.send(
                job.call, f"relay:{job.number}", on_hash=record_hash, most_gas=self._budget.max_gas
            )
        except (RuleError, NodeError) as error:
            if isinstance(error, NodeError) and (error.method != SEND or is_passing(error)):
                raise  # it may yet be sent
            return _fail(job, error)
        except Reverted as error:
            cost = Wei(max(0, before - await self._read_balance()))  # mined and refused: paid all the same
            return replace(
                job,
                state=JobState.FAILED,
                detail=str(error),
                error=error.error,
                args=name_arguments(error),
                cost=cost,
            )
        return replace(
            job,
            state=JobState.MINED,
            mined_hash=hex_of(receipt.hash),
            block=receipt.block,
            cost=await self._read_cost(receipt),
            gas=receipt.gas_used,
        )

    async def _read_cost(self, receipt: TxReceipt) -> Wei:
        fields = await self._chain.request("eth_getTransactionReceipt", hex_of(receipt.hash))
        price = int((fields or {}).get("effectiveGasPrice", "0x0"), 16)
        return Wei(receipt.gas_used * price)

    async def _read_balance(self) -> Wei:
        return Wei(int(await self._chain.request("eth_getBalance", hex_of(self.address), "latest"), 16))

    async def _send_until_settled(self, job: RelayJob) -> RelayJob:
        """Send a job until the chain's node takes it, or has rejected it for _REJECTED_SECONDS."""
        loop, rejected_since, rejections = asyncio.get_running_loop(), None, 0
        while True:
            began = loop.time()
            try:
                return await self._send(job)
            except ChainError as error:
                _log.warning("relayer: %s", error)
                if not _is_unsent(error):
                    rejected_since, rejections = None, 0
                elif rejected_since is None:
                    rejected_since, rejections = began, 1
                elif loop.time() - rejected_since >= _REJECTED_SECONDS:
                    return _fail(job, error)
                else:
                    rejections += 1
            await asyncio.sleep(pause_after(max(1, rejections), _RETRY_SECONDS, _RETRY_MAX))


def _is_unsent(error: ChainError) -> bool:
    """Whether the node rejected a transaction or its estimate, so that nothing of it is under way."""
    return isinstance(error, NoMoney) or (isinstance(error, NodeError) and error.method in (SEND, ESTIMATE))


def _fail(job: RelayJob, error: Exception) -> RelayJob:
    """Mark a job that was never sent as failed."""
    return replace(job, state=JobState.FAILED, detail=str(error), cost=Wei(0), gas=0)


def _get_midnight() -> float:
    """Get the begin of the day (UTC), in Unix seconds."""
    now = time.time()
    return now - now % DAY


def _make_dry_problem() -> Problem:
    return Problem(
        503,
        "relay-dry",
        "the relayer has no gas money left for this, today or at all; send the transaction yourself, or come again tomorrow",
        retry_after=_get_midnight() + DAY - time.time(),
    )
