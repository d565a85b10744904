"""Reads the gas of rounds, by payer, from the chain's receipts."""

from collections.abc import Collection, Iterable

from dao.chain.client import Chain
from dao.chain.events import CommitsClosed, Finalized, ResultPosted, RoundOpened
from dao.core.types import Address, Digest, RoundId, TaskId, hex_of


async def read_superlink_gas(chain: Chain, task: TaskId) -> dict[RoundId, int]:
    """Return the gas of the transactions that opened, closed, posted and finalized each round.

    One that did several of these counts in equal parts for their rounds.
    """
    served: dict[Digest, list[RoundId]] = {}
    for kind in (RoundOpened, CommitsClosed, ResultPosted, Finalized):
        for event in await chain.past(kind, task=task):
            served.setdefault(event.tx_hash, []).append(event.round)
    gas: dict[RoundId, int] = {}
    for transaction, rounds in served.items():
        receipt = await chain.request("eth_getTransactionReceipt", hex_of(transaction))
        for round_id in rounds:
            gas[round_id] = gas.get(round_id, 0) + int(receipt["gasUsed"], 16) // len(rounds)
    return gas


async def read_participants_gas(
    chain: Chain, task: TaskId, accounts: Collection[Address], rounds: Iterable[RoundId]
) -> dict[RoundId, int]:
    """Return the gas that these accounts paid from a round's opening to its result."""
    opened = {event.round: event.block for event in await chain.past(RoundOpened, task=task)}
    posted = {event.round: event.block for event in await chain.past(ResultPosted, task=task)}
    names = {hex_of(account) for account in accounts}
    gas = {}
    for round_id in rounds:
        paid = 0
        for number in range(opened[round_id], posted[round_id] + 1):
            block = await chain.request("eth_getBlockByNumber", hex(number), True)
            for transaction in block["transactions"]:
                if transaction["from"].lower() in names:
                    receipt = await chain.request("eth_getTransactionReceipt", transaction["hash"])
                    paid += int(receipt["gasUsed"], 16)
        gas[round_id] = paid
    return gas
