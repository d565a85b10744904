"""Reads the receipts of transactions: the block, the events caused, the reason of a refusal."""

from dataclasses import dataclass
from typing import Any, TypeVar

from dao.chain.client import Chain
from dao.chain.event_types import Event
from dao.chain.outbox import OutboxEntry, TxState
from dao.chain.reverts import reverted
from dao.core.types import Address, BlockNumber, Digest, hex_of
from dao.errors import ChainError, Reverted

AnEvent = TypeVar("AnEvent", bound=Event)


@dataclass(frozen=True, slots=True)
class TxReceipt:
    """A transaction in the chain; `events` are those it caused, `created` the contract it made."""

    hash: Digest
    block: BlockNumber
    gas_used: int
    events: tuple[Event, ...]
    created: Address | None

    def get_event(self, kind: type[AnEvent], call: str, address: str) -> AnEvent:
        """Return the event that a call causes; ChainError, naming the `address` to look at, where it caused none."""
        for event in self.events:
            if isinstance(event, kind):
                return event
        raise ChainError(f"{call}: no {kind.__name__} in its receipt; is {address} right?")


async def find_receipt(chain: Chain, entry: OutboxEntry) -> dict[str, Any] | None:
    """Return the receipt (the node's JSON) of the attempt that was mined, in a block that has been seen."""
    for attempt in reversed(entry.attempts):
        receipt: dict[str, Any] | None = await chain.request(
            "eth_getTransactionReceipt", hex_of(attempt.hash)
        )
        if receipt is None or receipt.get("blockNumber") is None:
            continue
        number = int(receipt["blockNumber"], 16)
        seen = chain.block_seen(number)
        is_old = seen is None and number < chain.head().number
        if is_old or (seen is not None and hex_of(seen.hash) == receipt["blockHash"]):
            return receipt
    return None


async def read_receipt(chain: Chain, entry: OutboxEntry, request: dict[str, str]) -> TxReceipt:
    """Return the receipt of a settled entry; Reverted, with the reason, where the contract refused it.

    `request` is the entry's call as eth_call takes it.
    """
    receipt = entry.receipt
    assert receipt is not None  # noqa: S101  (a settled entry has one)
    block = BlockNumber(int(receipt["blockNumber"], 16))
    if entry.state is TxState.FAILED:
        raise await _explain(chain, entry, request, block)
    created = receipt.get("contractAddress")
    return TxReceipt(
        Digest(bytes.fromhex(receipt["transactionHash"][2:])),
        block,
        int(receipt["gasUsed"], 16),
        tuple(await chain.decode(receipt["logs"])),
        Address(bytes.fromhex(created[2:])) if created else None,
    )


async def _explain(chain: Chain, entry: OutboxEntry, request: dict[str, str], block: BlockNumber) -> Reverted:
    """Find out why a mined transaction was refused: repeat it before its block, or at the end of that."""
    repeated = request | {"gas": hex(entry.gas)}
    try:
        for at in (BlockNumber(block - 1), block):
            await chain.ask("eth_call", repeated, at, entry.call.label)
    except Reverted as error:
        return error
    used = int((entry.receipt or {})["gasUsed"], 16)
    return reverted(entry.call.label, b"", f"in block {block}, when it had used {used} of {entry.gas} gas")
