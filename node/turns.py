"""Whose turn it is to do for a task what anyone may do: so that those who are there neither wait for one nor pay all at once."""

from collections.abc import Iterable
from hashlib import sha256

from dao.chain.blocks import BlockRef
from dao.chain.rounds import RoundReader
from dao.core.types import Address, Digest, RoundId


def compute_turn(seed: Digest, members: Iterable[Address], node: Address) -> int:
    """Return a node's turn among members that a seed puts in order: first one, then one more, two more, four more, and so on.

    Who is no member has the turn that its hash would have among them. Of 1,000 members the last have turn 10.
    """
    order = sha256(seed + node).digest()
    before = sum(sha256(seed + member).digest() < order for member in members if member != node)
    return before.bit_length()


async def read_turn(reader: RoundReader, round_id: RoundId, seed: Digest, node: Address, at: BlockRef) -> int:
    """Return a node's turn among the members of a round."""
    members = await reader.owners_of((await reader.events_of(round_id, at)).opened)
    return compute_turn(seed, members, node)
