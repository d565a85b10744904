"""What is done next for a transaction, over plain data: each case of the sender's table."""

from typing import Any

import pytest

from dao.chain.contracts import Call
from dao.chain.outbox import OutboxEntry, TxState
from dao.chain.rpc import NodeError
from dao.chain.send_policy import (
    CANNOT,
    STUCK,
    SURE,
    NodeAnswer,
    Refusals,
    Seen,
    SendStep,
    Waited,
    decide,
    get_outcome,
    is_hopeless,
    is_passing,
    read_answer,
)
from dao.core.types import BlockNumber

RECEIPT = {"blockNumber": "0xa", "status": "0x1"}
TAKEN, CHEAP, USED, REFUSED = (
    *(NodeAnswer.TAKEN, NodeAnswer.TOO_CHEAP),
    *(NodeAnswer.NONCE_USED, NodeAnswer.REFUSED),
)


def entry(receipt: dict[str, Any] | None = None) -> OutboxEntry:
    state = TxState.PENDING if receipt is None else TxState.MINED
    return OutboxEntry(1, "key", Call(None, b"", "call"), 0, 21_000, state, receipt, ())


def seen(
    answer: NodeAnswer = TAKEN,
    waited: Waited = Waited.NOT,
    passed: int = 0,
    *,
    receipt: dict[str, Any] | None = None,
    final: int = 0,
    is_undone: bool = False,
) -> Seen:
    return Seen(receipt, BlockNumber(final), passed, is_undone, waited, answer)


@pytest.mark.parametrize(
    ("written", "final", "is_undone", "action"),
    [
        (None, 10, False, SendStep.SETTLE),
        (None, 11, True, SendStep.SETTLE),
        (RECEIPT, 10, False, SendStep.DONE),
        (RECEIPT | {"blockHash": "0x2"}, 10, False, SendStep.SETTLE),  # mined again, elsewhere
        (None, 9, False, SendStep.WAIT),
        (None, 9, True, SendStep.LOOK),
    ],
)
@pytest.mark.parametrize("answer", NodeAnswer)
def test_decide__in_a_block__settled_once_that_is_final(
    written: dict[str, Any] | None, final: int, is_undone: bool, action: SendStep, answer: NodeAnswer
) -> None:
    now = seen(answer, receipt=RECEIPT, final=final, is_undone=is_undone, passed=9)
    assert decide(entry(written), now) is action


@pytest.mark.parametrize(
    ("now", "action"),
    [
        # just broadcast: one wait at least, however many blocks came meanwhile
        (seen(TAKEN), SendStep.WAIT),
        (seen(TAKEN, passed=STUCK), SendStep.WAIT),
        (seen(CHEAP, passed=1), SendStep.WAIT),
        (seen(REFUSED, passed=STUCK), SendStep.PAUSE),
        # a node may know of a block that others do not know yet
        (seen(USED), SendStep.PAUSE),
        # but what no wait can mend is mended at once
        (seen(TAKEN, is_undone=True), SendStep.SEND_AGAIN),
        (seen(REFUSED, is_undone=True), SendStep.SEND_AGAIN),
        # a block came without it
        (seen(TAKEN, Waited.BLOCK, 1), SendStep.WAIT),
        (seen(TAKEN, Waited.BLOCK, STUCK - 1), SendStep.WAIT),
        (seen(TAKEN, Waited.BLOCK, STUCK), SendStep.RAISE_FEES),
        (seen(CHEAP, Waited.BLOCK, 0), SendStep.WAIT),
        (seen(CHEAP, Waited.BLOCK, 1), SendStep.RAISE_FEES),
        # nothing came for long, or the pause after a refusal is over
        (seen(TAKEN, Waited.LONG), SendStep.SEND_AGAIN),
        (seen(CHEAP, Waited.LONG), SendStep.SEND_AGAIN),
        (seen(REFUSED, Waited.LONG), SendStep.SEND_AGAIN),
        (seen(REFUSED, Waited.LONG, STUCK), SendStep.RAISE_FEES),
        (seen(TAKEN, Waited.BLOCK, STUCK, is_undone=True), SendStep.RAISE_FEES),
        # a used nonce is no cheaper at a higher fee
        (seen(USED, Waited.LONG, STUCK), SendStep.SEND_AGAIN),
        (seen(USED, is_undone=True), SendStep.SEND_AGAIN),
    ],
)
def test_decide__in_no_block__waits_or_sends_it_again(now: Seen, action: SendStep) -> None:
    assert decide(entry(), now) is action


def test_get_outcome__status_of_a_receipt__mined_or_failed() -> None:
    assert get_outcome(RECEIPT) is TxState.MINED
    assert get_outcome(RECEIPT | {"status": "0x0"}) is TxState.FAILED


def error(message: str, code: int = -32000) -> NodeError:
    return NodeError("eth_sendRawTransaction", {"code": code, "message": message})


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("already known", TAKEN),
        ("Known transaction: 0x12", TAKEN),
        ("transaction already imported", TAKEN),
        ("nonce too low: next nonce 5", USED),
        ("replacement transaction underpriced", CHEAP),
        ("max fee per gas less than block base fee", CHEAP),
        ("txpool is full", REFUSED),
        ("oversized data", REFUSED),
    ],
)
def test_read_answer__words_of_nodes__their_meaning(message: str, answer: NodeAnswer) -> None:
    assert read_answer(error(message)) is answer


def test_is_hopeless__refused_for_good__at_once_when_fresh_and_else_when_said_again() -> None:
    wrong = error("oversized data")
    assert not is_passing(wrong)
    assert is_hopeless(Refusals(1, 0.0, wrong), 0.0, fresh=True)
    assert not is_hopeless(Refusals(SURE - 1, 0.0, wrong), 10 * CANNOT, fresh=False)
    assert is_hopeless(Refusals(SURE, 0.0, wrong), 0.0, fresh=False)


@pytest.mark.parametrize("refusal", [error("txpool is full"), error("Internal error", -32603)])
def test_is_hopeless__cannot_take_it_now__after_a_while(refusal: NodeError) -> None:
    assert is_passing(refusal)
    for fresh in (True, False):
        assert not is_hopeless(Refusals(1000, 5.0, refusal), 5.0 + CANNOT - 1, fresh=fresh)
        assert is_hopeless(Refusals(1, 5.0, refusal), 5.0 + CANNOT, fresh=fresh)


def test_is_hopeless__no_money__at_once_when_fresh_and_else_after_a_while() -> None:
    poor = error("insufficient funds for gas * price + value")
    assert is_hopeless(Refusals(1, 0.0, poor), 0.0, fresh=True)
    assert not is_hopeless(Refusals(1000, 0.0, poor), 1.0, fresh=False)
    assert is_hopeless(Refusals(1, 0.0, poor), CANNOT, fresh=False)
