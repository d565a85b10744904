"""Proves a posted result wrong: announces the proof, and shows it once that is in a block, so that nobody copies it."""

from collections.abc import Sequence

from dao.chain.client import Chain
from dao.chain.contracts import Call, Coordinator
from dao.chain.disputes import Accusation, Disputes, compute_announcement
from dao.chain.events import Convicted
from dao.chain.interface import load
from dao.chain.sender import Sender
from dao.core.engine.keccak import keccak256
from dao.core.types import BlockNumber, Result, Statement, hex_of
from dao.errors import ChainError, RpcError

NEXT_BLOCK = 120.0  # seconds until the block after the announcement
QUIET = 30.0  # seconds without it, after which blocks are taken to come with transactions alone


async def convict_result(
    chain: Chain,
    sender: Sender,
    accusation: Accusation,
    result: Result,
    statement: Statement,
    records: Sequence[bytes] = (),
) -> Convicted:
    """Have a result struck by a proof, and return what that cost its Superlink and brought the sender.

    `records` are what SumProver is told of before, each in a transaction. All transactions have a key of their own: repeated after an interruption, none is sent twice. Reverted where the proof does
    not hold, or the result does not stand any more.
    """
    disputes = Disputes(chain)
    if records:
        rules = await Coordinator(chain).rules_of_round(accusation.task, accusation.round, chain.final())
        record = load("SumProver").functions["record"]
        for part in records:
            told = record.encode(statement.inputs_root, rules.body_depth, rules.codec.number, part)
            key = f"record:{hex_of(keccak256(told))}"
            await sender.send(Call(accusation.prover, told, "record"), key)
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
