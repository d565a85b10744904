"""What one account's next transaction needs: gas, fees, nonce, signature; and how nodes word their refusals."""

import asyncio
import contextlib
import re

from dao.chain.client import Chain, is_away
from dao.chain.contracts import Call
from dao.chain.fees import GWEI, Fees, first_fees, raised_fees
from dao.chain.outbox import TxAttempt
from dao.chain.rpc import Answered
from dao.chain.signer import Signer, Transaction
from dao.core.errors import RpcError, RuleError
from dao.core.keccak import keccak256
from dao.core.types import Wei, hex_of

ESTIMATE = "eth_estimateGas"
PLAIN_GAS = 21_000  # of a transaction that does nothing
_GAS_CAP = 16_000_000  # of one transaction; nodes refuse above 2^24 (EIP-7825)
# The estimate is for the head's second: in the next one, a checkpoint of votes is new and costs its storage.
_GAS_MARGIN = 100_000
_TIP_SECONDS = 60.0  # how long the usual tip is believed

KNOWN = re.compile(r"already (known|imported|exists)|known transaction", re.IGNORECASE)
NONCE_USED = re.compile(r"nonce (is )?too low|old nonce|nonce has already been used", re.IGNORECASE)
TOO_CHEAP = re.compile(r"underpriced|fee too low|less than (the )?block base fee", re.IGNORECASE)
NO_MONEY = re.compile(r"insufficient (funds|balance)", re.IGNORECASE)
_FULL = re.compile(r"pool( is)? full|limit reached", re.IGNORECASE)
_INTERNAL = -32603  # JSON-RPC: the node's own trouble
_NO_ENTRY = range(401, 405)  # HTTP: a wall before the node, or its bill


def is_passing(error: Answered) -> bool:
    """Whether a node that refused a transaction may take the same one later."""
    code = error.code if isinstance(error.code, int) else 0
    return (
        error.throttled
        or code == _INTERNAL
        or code in _NO_ENTRY
        or 500 <= code < 600
        or any(pattern.search(error.reason) for pattern in (_FULL, NO_MONEY))
    )


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

    async def gas(self, call: Call, most: int | None = None) -> int:
        """Gas for a call, with a margin where `most` leaves it.

        Reverted when it would be refused, RuleError when it needs more than `most`, NoMoney when there is none for it.
        """
        request, head = self.request(call), self._chain.head().number
        try:
            answer = await self._chain.ask(ESTIMATE, request, head, call.label)
        except Answered as error:
            if NO_MONEY.search(error.reason):
                raise self.no_money(call) from None
            if not is_away(error):
                raise
            # the node has lost its newest blocks; it may make others only when something is sent
            answer = await self._chain.request(ESTIMATE, request)
        estimate = int(answer, 16)
        if most is not None and estimate > most:
            raise RuleError(f"{call.label}: needs {estimate} gas, more than the {most} that are paid for")
        padded = max(estimate, min(estimate * 3 // 2 + _GAS_MARGIN, _GAS_CAP))
        return padded if most is None else min(padded, most)

    async def fees(self) -> Fees:
        """Fees that should do."""
        return first_fees(self._chain.head().base_fee, await self._usual_tip(), self._max_fee)

    async def raised(self, fees: Fees) -> Fees | None:
        """Fees to replace a transaction with these, or None where the cap does not allow it."""
        return raised_fees(fees, self._chain.head().base_fee, await self._usual_tip(), self._max_fee)

    async def next_nonce(self, used_below: int) -> int:
        """The next nonce, when all below `used_below` are known to be used."""
        if self._nonce is None:
            self._nonce = await self.count("pending")
        self._nonce = max(self._nonce, used_below)
        return self._nonce

    def forget_nonce(self) -> None:
        """Ask the chain for the next nonce."""
        self._nonce = None

    async def count(self, when: str) -> int:
        """How many transactions the account has sent, "latest" or "pending"."""
        return int(await self._chain.request("eth_getTransactionCount", hex_of(self.address), when), 16)

    def sign(self, call: Call, nonce: int, gas: int, fees: Fees) -> TxAttempt:
        """Sign a transaction."""
        raw = self._signer.sign_transaction(
            Transaction(self._chain.chain_id, nonce, call.to, call.data, gas, fees.max_fee, fees.tip)
        )
        return TxAttempt(keccak256(raw), raw, fees)

    def request(self, call: Call) -> dict[str, str]:
        """The call as eth_call and eth_estimateGas take it."""
        to = {} if call.to is None else {"to": hex_of(call.to)}
        return {"from": hex_of(self.address), "data": hex_of(call.data), **to}

    def no_money(self, call: Call) -> NoMoney:
        """Say that gas cannot be paid."""
        return NoMoney(f"{call.label}: account {hex_of(self.address)} cannot pay for gas; send it some")

    async def _usual_tip(self) -> Wei:
        now = asyncio.get_running_loop().time()
        if now >= self._tip_until:
            with contextlib.suppress(Answered):  # not every chain has tips
                self._tip = Wei(int(await self._chain.request("eth_maxPriorityFeePerGas"), 16))
            self._tip_until = now + _TIP_SECONDS
        return self._tip
