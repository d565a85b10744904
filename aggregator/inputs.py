"""Assembles what a round's arithmetic begins with: the base model, the updates, and what became of each commit."""

import asyncio
from dataclasses import replace

from aggregator.collection import Collection
from aggregator.compute import RoundBase, RoundJob
from aggregator.journal import StoredReveal, SuperlinkJournal
from aggregator.publisher import Publisher
from dao.app.shards import Shards
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.events import RoundOpened
from dao.chain.rounds import RoundReader
from dao.content import tensor_files
from dao.core.commits import CommitRecord, Failure, PassRecord
from dao.core.formats import reasons
from dao.core.formats.layout import Layout, compute_model_root
from dao.core.formats.manifest import Manifest, Shard
from dao.core.round_machine import compute_counted_stake
from dao.core.transition import PreState, RoundInputs, get_post_state, retire_drawn
from dao.core.types import Address, Digest, RoundId, Rules, Status, hex_of
from dao.errors import ChainError, ConfigError, ContentError

ATTESTED = "and members attested on chain that they have it, whole and valid: no result without it, which would cost the bond"


async def read_base(
    chain: Chain, reader: RoundReader, publisher: Publisher, base_model: Digest, parent: RoundId
) -> RoundBase:
    """What a round whose parent is `parent` (0: none) starts from, by what the chain says of that one.

    `base_model`: the task's.
    """
    if parent == 0:
        return await _open_base(publisher, None, base_model)
    posted = (await reader.events_of(parent, chain.final())).posted
    if posted is None:
        raise ChainError(f"round {parent}: is a parent, but has no result; use a node with more history")
    manifest = await publisher.fetch_manifest(posted.result.manifest_digest)
    return await _open_base(publisher, manifest, posted.result.model_digest)


async def _open_base(publisher: Publisher, previous: Manifest | None, digest: Digest) -> RoundBase:
    path = await publisher.fetch(digest)
    cid = await publisher.resolve(digest)
    model = await asyncio.to_thread(tensor_files.open_model, path)
    before = None
    if previous is not None:
        before_path = await publisher.fetch(previous.base_model.digest)
        before = await asyncio.to_thread(tensor_files.open_model, before_path)
    return RoundBase(previous, cid, path, model, before)


async def check_first_base(base: RoundBase, rules: Rules) -> None:
    """Raise ConfigError where a task's first model is not of the chunks that its rules bind: no result would be right."""
    if base.previous is not None:
        return
    root = await asyncio.to_thread(compute_model_root, base.model, rules.body_depth, tensor_files.each)
    layout = base.model.layout
    found, stated = (layout.chunks, layout.scored_chunks), (rules.chunks, rules.scored_chunks)
    if (found, root) != (stated, rules.base_model_root):
        raise ConfigError(
            f"base model {base.cid}: chunks, and scored ones, {found} with root {hex_of(root)}, the task states "
            f"{stated} with root {hex_of(rules.base_model_root)}; propose the task again, by dao task propose"
        )


async def read_state(chain: Chain, reader: RoundReader, base: RoundBase, round_id: RoundId) -> PreState:
    """What a round inherits: from its parent, and the shards that rounds between them drew for nothing."""
    state = get_post_state(base.previous)
    return retire_drawn(state, await reader.read_lost_rounds(state.round, round_id, chain.final()))


async def collect_opening(
    chain: Chain,
    reader: RoundReader,
    journal: SuperlinkJournal,
    publisher: Publisher,
    opened: RoundOpened,
    layout: Layout,
) -> Collection:
    """Begin to collect an opening of a round, with what the journal has of it."""
    at, coordinator, place = chain.final(), Coordinator(chain), (opened.task, opened.round)
    state, rules, members = await asyncio.gather(
        coordinator.round_of(*place, at),
        coordinator.rules_of_round(*place, at),
        reader.members_of(opened, at),
    )
    collection = Collection(opened.task, opened, state.opening, rules, layout, members)
    collection.commits.update(journal.read_commits(*place, state.opening))
    collection.passes.update(journal.read_passes(*place, state.opening))
    collection.reveals.update(journal.read_reveals(*place, state.opening))
    await restore_reveals(collection, publisher)
    collection.accepts_commits = not journal.is_closing(*place, state.opening)
    return collection


async def restore_reveals(collection: Collection, publisher: Publisher) -> None:
    """Decode the updates that are not decoded, as after a restart.

    Reveals whose content is here no longer are forgotten, so that they may come again; but those of valid updates, which the
    Superlink signed for, are fetched again, and noted as lost where that fails.
    """
    layout, codec = collection.layout, collection.rules.codec
    for node, stored in list(collection.reveals.items()):
        if stored.update is not None:
            continue
        if not await publisher.is_whole(stored.reveal.cid) and not await _is_back(
            node, stored, collection, publisher
        ):
            del collection.reveals[node]
        elif stored.failure is None:
            path = publisher.path_of(stored.reveal.cid)
            update = await asyncio.to_thread(tensor_files.open_update, path, layout, codec)
            collection.reveals[node] = replace(stored, update=update)


async def _is_back(node: Address, stored: StoredReveal, collection: Collection, publisher: Publisher) -> bool:
    """Fetch the content of a valid update that was here; return whether it is here again."""
    if stored.failure is not None:
        return False
    try:
        await publisher.fetch(stored.reveal.cid)
    except ContentError:
        collection.lost.add(node)
        return False
    return True


def assemble_job(
    chain: Chain,
    shards: Shards,
    publisher: Publisher,
    collection: Collection,
    base: RoundBase,
    state: PreState,
    seed: Digest,
    index: int,
) -> RoundJob:
    """Assemble the inputs of a closed round and their content; `index` is that of the shard which its seed drew."""
    inputs = RoundInputs(
        domain=chain.domain,
        task=collection.task,
        round=collection.round,
        opening=collection.opening,
        rules=collection.rules,
        state=state,
        base_model=base.cid,
        values=base.model.layout.values,
        seed=seed,
        shard=Shard(index, shards.cids[index], shards.proof(index)),
        commits=_build_records(collection),
        passes=[PassRecord(collection.members[one.node], one) for one in collection.closed_passes],
        absent=_find_absent(collection),
        forced=[*collection.forced.values()],
    )
    return RoundJob(inputs, base, collection.updates(), publisher.path_of(shards.cids[index]))


def _build_records(collection: Collection) -> list[CommitRecord]:
    """Return every commit of the round with what it revealed."""
    return [_build_record(collection, node) for node in sorted(collection.expected)]


def _find_absent(collection: Collection) -> dict[Address, Address]:
    """Return the members that could have committed, and neither did nor passed: node to owner."""
    heard = collection.expected | {node_pass.node for node_pass in collection.closed_passes}
    return {
        node: member.owner
        for node, member in collection.members.items()
        if node not in heard and compute_counted_stake(collection.rules, member.stake)
    }


def _build_record(collection: Collection, node: Address) -> CommitRecord:
    in_tree = collection.is_in_tree(node)
    return CommitRecord(
        member=collection.members[node],
        commit=(collection.commits if in_tree else collection.forced)[node],
        forced=not in_tree,
        reveal=collection.reveal_of(node),
        failure=_find_failure(collection, node),
    )


def _find_failure(collection: Collection, node: Address) -> Failure | None:
    stored, stake = collection.reveals.get(node), collection.members[node].stake
    if stored is None:
        if node in collection.lost:
            raise ContentError(
                f"update of node {hex_of(node)}: was here, was signed for, and is lost; bring back the content folder, for a "
                "result without it would cost the bond"
            )
        if node in collection.attested:
            raise ContentError(f"update of node {hex_of(node)}: is not here, {ATTESTED}")
        return Failure(_find_absence(collection, node), collection.rejected.get(node, ""))
    if compute_counted_stake(collection.rules, stake) == 0:
        return Failure(Status.INVALID, reasons.explain_stake(stake, collection.rules.min_stake))
    if node in collection.attested:
        raise ContentError(f"update of node {hex_of(node)}: is not valid here, {ATTESTED}")
    return stored.failure


def _find_absence(collection: Collection, node: Address) -> Status:
    """Return what an update is called that is not here, by how its commit was opened."""
    if node in collection.opened_on_chain:
        return Status.UNAVAILABLE
    return Status.LATE if node in collection.opened_to_us else Status.WITHHELD
