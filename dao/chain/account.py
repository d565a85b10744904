"""What one account's next transaction needs: gas, fees, nonce, signature."""

import asyncio
import contextlib
from typing import Any

from dao.chain.client import Chain, is_away
from dao.chain.contracts import Call
from dao.chain.fees import GWEI, Fees, compute_fees, compute_raised_fees
from dao.chain.nonces import count_sent
from dao.chain.outbox import TxAttempt
from dao.chain.rpc import NodeError
from dao.chain.send_policy import NO_MONEY
from dao.chain.signer import Signer, Transaction
from dao.core.engine.keccak import keccak256
from dao.core.types import BlockNumber, Wei, hex_of
from dao.errors import Reverted, RpcError, RuleError

ESTIMATE = "eth_estimateGas"
PLAIN_GAS = 21_000  # of a transaction that does nothing
_GAS_CAP = 16_000_000  # of one transaction; nodes refuse above 2^24 (EIP-7825)
# The estimate is for the head's second: in the next one, a checkpoint of votes is new and costs its storage.
_GAS_MARGIN = 100_000
_TIP_SECONDS = 60.0  # how long the usual tip is used before it is asked for again


class NoMoney(RpcError):  # noqa: N818  (a leaf of the tree of errors)
    """An account cannot pay for a transaction, which is not sent."""


class SenderAccount:
    """One account on one chain; `max_fee` caps what it offers, in wei per gas."""

    def __init__(self, chain: Chain, signer: Signer, max_fee: Wei) -> None:
        self.address = signer.address
        self._chain = chain
        self._signer = signer
        self._max_fee = max_fee
        self._nonce: int | None = None  # the chain's next, where known
        self._tip = Wei(GWEI)
        self._tip_until = 0.0

    async def estimate_gas(self, call: Call, most: int | None = None) -> int:
        """Return the gas for a call, with a margin where `most` leaves it.

        Reverted when it would be refused, RuleError when it needs more than `most`, NoMoney when there is none for it.
        """
        try:
            answer = await self._ask_estimate(call)
        except NodeError as error:
            if NO_MONEY.search(error.reason):
                raise self.no_money(call) from None
            if not is_away(error):
                raise
            # the node has lost its newest blocks; it may make others only when something is sent
            answer = await self._chain.request(ESTIMATE, self.call_params(call))
        estimate = int(answer, 16)
        if most is not None and estimate > most:
            raise RuleError(f"{call.label}: needs {estimate} gas, more than the {most} that are paid for")
        padded = max(estimate, min(estimate * 3 // 2 + _GAS_MARGIN, _GAS_CAP))
        return padded if most is None else min(padded, most)

    async def _ask_estimate(self, call: Call) -> Any:
        """Ask for a call's gas at the head, and at the newest block where it is refused and that is a later one.

        The newer one may have what the call needs; and Anvil, while it mines a block, estimates at the one before with
        the new state, in which a checkpoint of votes can already be a second ahead.
        """
        params, at = self.call_params(call), self._chain.head().number
        try:
            return await self._chain.ask(ESTIMATE, params, at, call.label)
        except Reverted:
            newest = BlockNumber(int(await self._chain.request("eth_blockNumber"), 16))
            if newest <= at:
                raise
        return await self._chain.ask(ESTIMATE, params, newest, call.label)

    async def choose_fees(self) -> Fees:
        """Return fees that a block should take now."""
        return compute_fees(self._chain.head().base_fee, await self._usual_tip(), self._max_fee)

    async def raise_fees(self, fees: Fees) -> Fees | None:
        """Return fees that replace a transaction with these, or None where the cap does not allow it."""
        return compute_raised_fees(fees, self._chain.head().base_fee, await self._usual_tip(), self._max_fee)

    async def next_nonce(self, used_below: int) -> int:
        """Return the next nonce, when all below `used_below` are known to be used."""
        if self._nonce is None:
            self._nonce = await count_sent(self._chain, self.address, "pending")
        self._nonce = max(self._nonce, used_below)
        return self._nonce

    def forget_nonce(self) -> None:
        """Ask the chain when a nonce is next needed."""
        self._nonce = None

    def sign(self, call: Call, nonce: int, gas: int, fees: Fees) -> TxAttempt:
        """Sign a transaction."""
        raw = self._signer.sign_transaction(
            Transaction(
                self._chain.chain_id, nonce, call.to, call.data, gas, fees.max_fee, fees.tip, call.value
            )
        )
        return TxAttempt(keccak256(raw), raw, fees)

    def call_params(self, call: Call) -> dict[str, str]:
        """Return the call as eth_call and eth_estimateGas take it."""
        to = {} if call.to is None else {"to": hex_of(call.to)}
        value = {"value": hex(call.value)} if call.value else {}
        return {"from": hex_of(self.address), "data": hex_of(call.data), **to, **value}

    def no_money(self, call: Call) -> NoMoney:
        """Return the error that gas cannot be paid."""
        return NoMoney(f"{call.label}: account {hex_of(self.address)} cannot pay for gas; send it some")

    async def _usual_tip(self) -> Wei:
        now = asyncio.get_running_loop().time()
        if now >= self._tip_until:
            with contextlib.suppress(NodeError):  # not every chain has tips
                self._tip = Wei(int(await self._chain.request("eth_maxPriorityFeePerGas"), 16))
            self._tip_until = now + _TIP_SECONDS
        return self._tip
