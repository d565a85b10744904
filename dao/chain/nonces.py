"""Finds out what became of an account's nonces, at blocks that are named.

Behind one address there may be several nodes, of which one lags. "latest" is then another block at each question: one
node has counted a transaction of which the next has no receipt yet. A block by its name is the same at all of them.
"""

from enum import Enum, auto
from typing import Literal

from dao.chain.blocks import BlockRef
from dao.chain.client import At, Chain
from dao.chain.outbox import OutboxEntry
from dao.chain.receipts import find_receipt
from dao.chain.rpc import NodeError
from dao.chain.send_policy import SURE
from dao.core.types import Address, BlockNumber, hex_of

_COUNT = "eth_getTransactionCount"
_PAUSE = 0.5  # seconds between questions for a receipt


class NonceUser(Enum):
    """Who used a nonce, in a final block."""

    NOBODY = auto()  # or it is not known yet
    ENTRY = auto()
    ANOTHER = auto()


async def find_user(chain: Chain, account: Address, entry: OutboxEntry) -> NonceUser:
    """Find out whose transaction with the entry's nonce is in a final block."""
    final = chain.final()
    try:
        # a node that is behind counts too few, never too many; that is asked first, for it needs no state of a block
        counts = await count_sent(chain, account, "latest"), await count_sent(chain, account, final)
    except NodeError:  # it has not got that block, for long
        return NonceUser.NOBODY
    if min(counts) <= entry.nonce:
        return NonceUser.NOBODY
    try:
        number = await _find_block(chain, account, entry.nonce, final)
    except NodeError:  # it keeps no state so old, so that none of the nodes can be behind that block
        return NonceUser.ANOTHER if await _has_no_receipt(chain, entry) else NonceUser.ENTRY
    digest = await _find_transaction(chain, account, entry.nonce, number)
    if digest is None:
        return NonceUser.NOBODY
    is_ours = any(hex_of(attempt.hash) == digest for attempt in entry.attempts)
    return NonceUser.ENTRY if is_ours else NonceUser.ANOTHER


async def count_sent(chain: Chain, account: Address, at: At | Literal["latest", "pending"]) -> int:
    """Return how many transactions an account had sent at the end of a block, or has sent as one of the nodes knows."""
    if isinstance(at, str):
        return int(await chain.request(_COUNT, hex_of(account), at), 16)
    return int(await chain.ask(_COUNT, hex_of(account), at, _COUNT), 16)


async def _find_block(chain: Chain, account: Address, nonce: int, final: BlockRef) -> BlockNumber:
    """Return the block in which an account used a nonce, which it had used by the final one: mostly a recent one."""
    used, free, step = int(final.number), final.number - 1, 1
    while free > 0 and await count_sent(chain, account, BlockNumber(free)) > nonce:
        used, free, step = free, max(0, free - 2 * step), 2 * step
    while used - free > 1:
        middle = (used + free) // 2
        if await count_sent(chain, account, BlockNumber(middle)) > nonce:
            used = middle
        else:
            free = middle
    return BlockNumber(used)


async def _find_transaction(chain: Chain, account: Address, nonce: int, number: BlockNumber) -> str | None:
    """Return the hash of an account's transaction with this nonce in a block, or None where it is not there.

    A count alone accuses nobody: while it mines, Anvil answers for a block with the state of the next one.
    """
    block = await chain.request("eth_getBlockByNumber", hex(number), True)
    for transaction in block["transactions"] if block is not None else ():
        if (transaction["from"], int(transaction["nonce"], 16)) == (hex_of(account), nonce):
            return str(transaction["hash"])
    return None


async def _has_no_receipt(chain: Chain, entry: OutboxEntry) -> bool:
    """Whether there is no receipt of an old entry: asked several times, for a node may be behind."""
    for _ in range(SURE):
        if await find_receipt(chain, entry) is not None:
            return False
        await chain.changed(_PAUSE)
    return True
