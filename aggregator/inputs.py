"""Puts together what a round's arithmetic begins with: the base model, and what became of each node's commit."""

import asyncio

from aggregator.collection import Collection
from aggregator.compute import BaseModel
from aggregator.publisher import Publisher
from dao.chain.client import Chain
from dao.chain.rounds import RoundReader
from dao.content import tensor_files
from dao.core import reasons
from dao.core.commits import CommitRecord, Failure, Reveal, SignedCommit
from dao.core.constants import MAX_MANIFEST
from dao.core.errors import ChainError
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Manifest, parse_manifest
from dao.core.round_machine import compute_counted_stake
from dao.core.types import Address, Digest, RoundId, Status


async def base_at(
    chain: Chain, history: RoundReader, publisher: Publisher, base_model: Digest, parent: RoundId
) -> BaseModel:
    """What a round whose parent is `parent` (0: none) starts from, by what the chain says of that one.

    `base_model`: the task's.
    """
    if parent == 0:
        return await _base(publisher, None, base_model)
    posted = (await history.events_of(parent, chain.final())).posted
    if posted is None:
        raise ChainError(f"round {parent}: is a parent, but has no result; use a node with more history")
    path = await publisher.fetch(posted.result.manifest_digest, MAX_MANIFEST)
    manifest = parse_manifest(await asyncio.to_thread(path.read_bytes))
    return await _base(publisher, manifest, posted.result.model_digest)


async def _base(publisher: Publisher, previous: Manifest | None, digest: Digest) -> BaseModel:
    path = await publisher.fetch(digest)
    cid = await publisher.resolve(digest)
    return BaseModel(previous, cid, path, await asyncio.to_thread(tensor_files.open_model, path))


def commits_of(collection: Collection) -> list[CommitRecord]:
    """Every commit of the round with what it revealed."""
    return [_commit(collection, node) for node in sorted(collection.expected)]


def absent_from(collection: Collection) -> dict[Address, Address]:
    """Who could have committed and did not: node to owner."""
    expected, rules = collection.expected, collection.rules
    return {
        node: member.owner
        for node, member in collection.members.items()
        if node not in expected and compute_counted_stake(rules, member.stake)
    }


def _commit(collection: Collection, node: Address) -> CommitRecord:
    in_tree = collection.is_in_tree(node)
    held = (collection.commits if in_tree else collection.forced)[node]
    member, reveal = collection.members[node], collection.reveals.get(node)
    return CommitRecord(
        member=member,
        commit=SignedCommit(collection.task, collection.round, node, held.commitment, held.signature),
        forced=not in_tree,
        reveal=Reveal(Cid.parse(reveal.cid), reveal.body_root, reveal.salt) if reveal else None,
        failure=_failure(collection, node),
    )


def _failure(collection: Collection, node: Address) -> Failure | None:
    reveal, stake = collection.reveals.get(node), collection.members[node].stake
    if reveal is None:
        late = node in collection.late | collection.arriving
        return Failure(Status.LATE if late else Status.WITHHELD, collection.refused.get(node, ""))
    if compute_counted_stake(collection.rules, stake) == 0:
        return Failure(Status.INVALID, reasons.explain_stake(stake, collection.rules.min_stake))
    return reveal.failure
