"""Proves a posted result wrong: announces the proof, and shows it once that is in a block, so that nobody copies it."""

from collections.abc import Sequence

from dao.chain.client import Chain
from dao.chain.contracts import Call, Coordinator
from dao.chain.disputes import Accusation, Disputes, compute_announcement, compute_node_announcement
from dao.chain.events import Convicted, Equivocated
from dao.chain.interface import load
from dao.chain.receipts import TxReceipt
from dao.chain.sender import Sender
from dao.core.commits import SignedCommit
from dao.core.engine.keccak import keccak256
from dao.core.types import BlockNumber, Digest, Result, Statement, hex_of
from dao.errors import Reverted, RpcError

NEXT_BLOCK = 120.0  # seconds until the block after the announcement
TRIES = 5  # while the chain takes announcements back
QUIET = 30.0  # seconds without it, after which blocks are taken to come with transactions alone


async def convict_result(
    chain: Chain,
    sender: Sender,
    accusation: Accusation,
    result: Result,
    statement: Statement,
    records: Sequence[bytes] = (),
    most_gas: int | None = None,
) -> Convicted:
    """Have a result struck by a proof, and return what that cost its Superlink and brought the sender.

    `records` are what SumProver is told of before, each in a transaction. All transactions have a key of their own: repeated after an interruption, none is sent twice. Reverted where the proof does
    not hold, or the result does not stand any more; RuleError where one takes more than `most_gas`.
    """
    disputes = Disputes(chain)
    if records:
        rules = await Coordinator(chain).rules_of_round(accusation.task, accusation.round, chain.final())
        record = load("SumProver").functions["record"]
        for part in records:
            told = record.encode(statement.inputs_root, rules.body_depth, rules.codec.number, part)
            key = f"record:{hex_of(keccak256(told))}"
            await sender.send(Call(accusation.prover, told, "record"), key, most_gas=most_gas)
    digest = compute_announcement(sender.address, accusation)
    receipt = await _show(chain, sender, digest, disputes.convict(accusation, result, statement), most_gas)
    return receipt.get_event(Convicted, "convict", "the disputes' address")


async def convict_node(
    chain: Chain, sender: Sender, first: SignedCommit, second: SignedCommit, most_gas: int | None = None
) -> Equivocated:
    """Have a node lose stake for two commits to one opening; return what it lost. Repeated, nothing is sent twice.

    Reverted where it lost stake for this round before, or these are not two commits to the round's opening; RuleError where
    it takes more than `most_gas`.
    """
    digest = compute_node_announcement(sender.address, first, second)
    receipt = await _show(chain, sender, digest, Disputes(chain).convict_node(first, second), most_gas)
    return receipt.get_event(Equivocated, "convictNode", "the disputes' address")


async def _show(chain: Chain, sender: Sender, digest: Digest, call: Call, most_gas: int | None) -> TxReceipt:
    """Announce a proof and show it; again where the chain took the announcement back before it was shown."""
    for tries_left in reversed(range(TRIES)):
        await _announce(chain, sender, digest)
        try:
            return await sender.send(call, f"convict:{hex_of(digest)}", most_gas=most_gas)
        except Reverted as error:
            if error.error != "NotAnnounced" or not tries_left:
                raise
    raise AssertionError  # the last try returns or raises


async def _announce(chain: Chain, sender: Sender, digest: Digest) -> None:
    """Announce a proof, and wait until it may be shown."""
    announced = await sender.send(Disputes(chain).announce(digest), f"announce:{hex_of(digest)}")
    await _pass_block(chain, sender, announced.block)


async def _pass_block(chain: Chain, sender: Sender, block: BlockNumber) -> None:
    """Wait for a block after this one; where none comes, have one made by a transaction that does nothing."""
    following = BlockNumber(block + 1)
    try:
        await chain.reach(following, limit=QUIET)
    except RpcError:
        await sender.send(Call(sender.address, b"", "nothing, for the next block"))
        await chain.reach(following, limit=NEXT_BLOCK)
