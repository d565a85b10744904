"""Gives transactions to the chain's node, and remembers which of them a node may have."""

import asyncio
import logging

from dao.chain.account import SenderAccount
from dao.chain.client import Chain
from dao.chain.outbox import Outbox, OutboxEntry
from dao.chain.rpc import NodeError
from dao.chain.send_policy import NO_MONEY, NodeAnswer, Refusals, is_hopeless, read_answer
from dao.core.types import hex_of
from dao.errors import RpcError
from dao.runtime.failpoint import failpoint

SEND = "eth_sendRawTransaction"

_log = logging.getLogger(__name__)


class Broadcaster:
    """The way of one account's outbox to the node.

    An entry is forgotten only while no node can have it: with one forgotten that a node took, or that is of an earlier
    run, the same thing could be sent with another nonce, and be paid twice.
    """

    def __init__(self, chain: Chain, account: SenderAccount, outbox: Outbox) -> None:
        self._chain, self._account, self._outbox = chain, account, outbox
        self._refused: dict[int, Refusals] = {}  # by entry
        self._unsent: set[int] = set()  # entries of this run that no node has said to have taken
        self._unsure: set[int] = set()  # those of them of which a broadcast got no answer

    def add(self, entry: OutboxEntry) -> None:
        """Note an entry that is in the outbox, and has not been broadcast."""
        self._unsent.add(entry.id)

    async def broadcast(self, entry: OutboxEntry, *, fresh: bool = False) -> NodeAnswer:
        """Give the newest attempt to the node, and return its answer.

        A `fresh` entry that it refuses for good is forgotten, and NodeError (or NoMoney) says why. Any other is tried
        again later: it may be in the chain already, or the node is away, or cannot take it now.
        """
        before = self._refused.pop(entry.id, None)
        try:
            await self._chain.request(SEND, hex_of(entry.attempts[-1].raw))
            failpoint(f"sent-{entry.call.label}")
        except NodeError as error:
            answer = read_answer(error)
            if answer is NodeAnswer.REFUSED:
                await self._note_refusal(entry, before, error, fresh=fresh)
            elif answer is not NodeAnswer.TOO_CHEAP:
                self._unsent.discard(entry.id)
            return answer
        except RpcError as error:
            self._unsure.add(entry.id)
            _log.warning("%s: %s", entry.call.label, error)
            return NodeAnswer.TAKEN
        self._unsent.discard(entry.id)
        return NodeAnswer.TAKEN

    def give_up(self, entry: OutboxEntry) -> NodeError | None:
        """Forget an entry if the node has surely not got it; return why it refused it, or None: it is kept."""
        if entry.id not in self._unsent - self._unsure or entry.id not in self._refused:
            return None
        error = self._refused[entry.id].error
        self._forget(entry)
        return error

    async def _note_refusal(
        self, entry: OutboxEntry, before: Refusals | None, error: NodeError, *, fresh: bool
    ) -> None:
        now = asyncio.get_running_loop().time()
        refusals = Refusals(before.times + 1 if before else 1, before.since if before else now, error)
        self._refused[entry.id] = refusals
        is_over = entry.id in self._unsent and is_hopeless(refusals, now, fresh=fresh)
        if is_over and not await self._is_known(entry):
            self._forget(entry)
            raise self._account.no_money(entry.call) if NO_MONEY.search(error.reason) else error from None
        _log.warning("%s: %s; tried again soon", entry.call.label, error.reason)

    async def _is_known(self, entry: OutboxEntry) -> bool:
        """Whether the node has an entry after all: its answer to a broadcast may have been lost."""
        transactions = [
            await self._chain.request("eth_getTransactionByHash", hex_of(attempt.hash))
            for attempt in entry.attempts
        ]
        is_known = any(transaction is not None for transaction in transactions)
        if is_known:
            self._unsent.discard(entry.id)
        return is_known

    def _forget(self, entry: OutboxEntry) -> None:
        """Remove an entry that no node takes: its nonce is the next one's."""
        self._outbox.forget(entry)
        self._refused.pop(entry.id, None)
        self._unsent.discard(entry.id)
        self._unsure.discard(entry.id)
        self._account.forget_nonce()
