"""Decides the next step for a transaction until it is final, over plain data, without I/O or clock."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from dao.chain.outbox import OutboxEntry, TxState
from dao.chain.rpc import NodeError
from dao.core.types import BlockNumber

STUCK = 3  # blocks without the transaction until it is replaced
SURE = 3  # times that a node must say that it will never take an entry, or has no receipt of an old one
CANNOT = 60.0  # seconds that a node is asked again which cannot take an entry now

NO_MONEY = re.compile(r"insufficient (funds|balance)", re.IGNORECASE)
_KNOWN = re.compile(r"already (known|imported|exists)|known transaction", re.IGNORECASE)
_NONCE_USED = re.compile(r"nonce (is )?too low|old nonce|nonce has already been used", re.IGNORECASE)
_TOO_CHEAP = re.compile(r"underpriced|fee too low|less than (the )?block base fee", re.IGNORECASE)
_FULL = re.compile(r"pool( is)? full|limit reached", re.IGNORECASE)
_INTERNAL = -32603  # JSON-RPC: the node's own trouble
_NO_ENTRY = range(401, 405)  # HTTP: a wall before the node, or its bill


class NodeAnswer(Enum):
    """A node's answer to the broadcast of a transaction."""

    TAKEN = auto()  # it is in the pool or in the chain, or the node did not say
    NONCE_USED = auto()
    TOO_CHEAP = auto()
    REFUSED = auto()  # for another reason; it is asked again


_PAUSED = (NodeAnswer.NONCE_USED, NodeAnswer.REFUSED)


class Waited(Enum):
    """How the last wait since the latest broadcast ended."""

    NOT = auto()  # there was none
    BLOCK = auto()  # with a new block, or a moment where none is pushed
    LONG = auto()  # without a block for long, or with the pause after a refusal over


class SendStep(Enum):
    """The next step for a transaction."""

    DONE = auto()  # it is final, and that is written down
    SETTLE = auto()  # it is final: write that down
    LOOK = auto()  # blocks have gone since the receipt was read: read it again at once
    WAIT = auto()  # for the next block
    PAUSE = auto()  # a growing moment: the node refused it, or knows a block that others do not know yet
    SEND_AGAIN = auto()
    RAISE_FEES = auto()  # and send it again


@dataclass(frozen=True, slots=True)
class Seen:
    """Facts about a transaction at one moment; `receipt` is the node's JSON, None where it is in no block."""

    receipt: Mapping[str, Any] | None
    final: BlockNumber
    passed: int  # blocks since the latest broadcast
    is_undone: bool  # whether blocks that had been seen have gone since the last look
    waited: Waited
    answer: NodeAnswer  # to the latest broadcast


@dataclass(frozen=True, slots=True)
class Refusals:
    """How often in a row a node has refused an entry, since when (of the event loop), and its latest error."""

    times: int
    since: float
    error: NodeError


def decide(entry: OutboxEntry, seen: Seen) -> SendStep:
    """Return the step that brings an entry, which was broadcast, closer to a final block."""
    if seen.receipt is not None:
        if seen.final >= int(seen.receipt["blockNumber"], 16):
            return SendStep.DONE if entry.receipt == seen.receipt else SendStep.SETTLE
        return SendStep.LOOK if seen.is_undone else SendStep.WAIT
    if not seen.is_undone and seen.waited is Waited.NOT:
        return SendStep.PAUSE if seen.answer in _PAUSED else SendStep.WAIT
    is_cheap = seen.passed >= STUCK or (seen.passed > 0 and seen.answer is NodeAnswer.TOO_CHEAP)
    if is_cheap and seen.answer is not NodeAnswer.NONCE_USED:  # which no fee can mend
        return SendStep.RAISE_FEES
    return SendStep.SEND_AGAIN if seen.is_undone or seen.waited is Waited.LONG else SendStep.WAIT


def get_outcome(receipt: Mapping[str, Any]) -> TxState:
    """Return the state of a transaction that has a receipt."""
    return TxState.MINED if int(receipt["status"], 16) else TxState.FAILED


def read_answer(error: NodeError) -> NodeAnswer:
    """Return the meaning of the error with which a node answers a broadcast."""
    if _TOO_CHEAP.search(error.reason):
        return NodeAnswer.TOO_CHEAP
    if _KNOWN.search(error.reason):
        return NodeAnswer.TAKEN
    return NodeAnswer.NONCE_USED if _NONCE_USED.search(error.reason) else NodeAnswer.REFUSED


def is_passing(error: NodeError) -> bool:
    """Whether a node that refused a transaction may take the same one later."""
    code = error.code if isinstance(error.code, int) else 0
    return (
        error.throttled
        or code == _INTERNAL
        or code in _NO_ENTRY
        or 500 <= code < 600
        or any(pattern.search(error.reason) for pattern in (_FULL, NO_MONEY))
    )


def is_hopeless(refusals: Refusals, now: float, *, fresh: bool) -> bool:
    """Whether an entry that no node has taken is given up: it is wrong, or the node could not take it for CANNOT.

    One that is not `fresh` (its broadcast may have got through before) is wrong only when the node says so again.
    """
    if is_passing(refusals.error) and not (fresh and NO_MONEY.search(refusals.error.reason)):
        return now - refusals.since >= CANNOT
    return fresh or refusals.times >= SURE
