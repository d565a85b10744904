"""Proves a posted result wrong: announces the proof, and shows it once that is in a block, so that nobody copies it."""

from dao.chain.client import Chain
from dao.chain.contracts import Call
from dao.chain.disputes import Accusation, Disputes, compute_announcement
from dao.chain.events import Convicted
from dao.chain.sender import Sender
from dao.core.types import BlockNumber, Result, Statement, hex_of
from dao.errors import ChainError, RpcError

NEXT_BLOCK = 120.0  # seconds until the block after the announcement
QUIET = (
    30.0  # seconds without it, after which the chain is taken for one that has blocks for transactions alone
)


async def convict_result(
    chain: Chain, sender: Sender, accusation: Accusation, result: Result, statement: Statement
) -> Convicted:
    """Have a result struck by a proof, and return what that cost its Superlink and brought the sender.

    Both transactions have a key of their own: repeated after an interruption, none is sent twice. Reverted where the proof does
    not hold, or the result does not stand any more.
    """
    disputes = Disputes(chain)
    digest = compute_announcement(sender.address, accusation)
    announced = await sender.send(disputes.announce(digest), f"announce:{hex_of(digest)}")
    await _pass_block(chain, sender, announced.block)
    receipt = await sender.send(disputes.convict(accusation, result, statement), f"convict:{hex_of(digest)}")
    for event in receipt.events:
        if isinstance(event, Convicted):
            return event
    raise ChainError("convict: no Convicted in its receipt; is the disputes' address right?")


async def _pass_block(chain: Chain, sender: Sender, block: BlockNumber) -> None:
    """Wait for a block after this one; where none comes, have one made by a transaction that does nothing."""
    following = BlockNumber(block + 1)
    try:
        await chain.reach(following, limit=QUIET)
    except RpcError:
        await sender.send(Call(sender.address, b"", "nothing, for the next block"))
        await chain.reach(following, limit=NEXT_BLOCK)
