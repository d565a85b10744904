"""Reads a round to accuse: what the chain has of it, and the manifests that its result and its parent's are of."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dao.audit.evidence import HIDDEN, find_misnamed, read_manifest
from dao.audit.findings import Missing, UnusableManifest
from dao.chain.blocks import BlockRef
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.events import ForcedCommit
from dao.chain.rounds import RoundReader
from dao.core.commits import compute_forced_hash
from dao.core.formats.manifest import Manifest
from dao.core.state import LostRound
from dao.core.statement import compute_result_hash
from dao.core.types import Address, Domain, Result, RoundId, RoundState, Rules, TaskId
from dao.errors import DecodeError
from dao.store.source import Source

Place = tuple[TaskId, RoundId]
DEMAND = (
    "demand what is hidden (dao challenge --demand), have jurors vote (dao challenge --gradients), or have the DAO decide "
    "(dao challenge --reason)"
)


@dataclass(frozen=True, slots=True)
class PostedRound:
    """What the chain has of a round to accuse: its state and rules, its result and its parent's, all forced commits, who took part.

    `before` is the result of the parent's parent. `lost` are the rounds between it and its parent that drew a shard. Who took part,
    and `before`, are read where everyone's claims are asked.
    """

    state: RoundState
    result: Result
    forced: Sequence[ForcedCommit]
    parent: Result | None
    before: Result | None
    lost: Sequence[LostRound]
    members: Collection[Address]
    rules: Rules


async def read_stated(
    chain: Chain, source: Source, place: Place, *, everyone: bool
) -> tuple[PostedRound, Manifest, Manifest | None]:
    """Read what was posted of a round, its manifest and its parent's; Missing where one of these cannot be had.

    UnusableManifest where that of the round is malformed.
    """
    posted = await read_posted(chain, place, chain.final(), everyone=everyone)
    try:
        manifest = await read_manifest(source, posted.result.manifest_digest)
    except DecodeError as error:
        raise UnusableManifest(f"round {place[1]}: its manifest is malformed ({error}); {DEMAND}") from None
    previous = await read_manifest(source, posted.parent.manifest_digest) if posted.parent else None
    return posted, manifest, previous


def require_named(domain: Domain, place: Place, posted: PostedRound, manifest: Manifest) -> None:
    """Raise UnusableManifest where a manifest is of another round, or of other rules or models."""
    base = posted.parent.model_digest if posted.parent else posted.rules.base_model
    whole = domain, *place
    misnamed = find_misnamed(manifest, whole, posted.state, posted.rules, posted.result, base)
    if misnamed:
        raise UnusableManifest(f"round {place[1]}: its manifest is of another one ({misnamed}); {DEMAND}")


async def read_posted(chain: Chain, place: Place, at: BlockRef, *, everyone: bool) -> PostedRound:
    """Read what was posted of a round, for claims of everyone or of some nodes; Missing where the chain's node hides it."""
    history, (task, round_id) = RoundReader(chain, place[0]), place
    state, rules, events = await asyncio.gather(
        Coordinator(chain).round_of(task, round_id, at),
        Coordinator(chain).rules_of_round(task, round_id, at),
        history.events_of(round_id, at),
    )
    if events.posted is None or compute_result_hash(events.posted.result) != state.result_hash:
        raise Missing(f"round {round_id}: {HIDDEN.format('the event of its result')}")
    if compute_forced_hash(events.forced) != events.posted.result.forced_hash:
        raise Missing(f"round {round_id}: {HIDDEN.format('its forced commits')}")
    parent, above = await _read_result(chain, place[0], state.parent, at)
    before = (await _read_result(chain, place[0], above, at))[0] if everyone else None
    lost = await history.read_lost_rounds(state.parent, round_id, at)
    members = await history.members_of(events.opened, at) if everyone else {}
    return PostedRound(state, events.posted.result, events.forced, parent, before, lost, members, rules)


async def _read_result(
    chain: Chain, task: TaskId, round_id: RoundId, at: BlockRef
) -> tuple[Result | None, RoundId]:
    """Return the result of a round that others go on from, and its parent; nothing of no round."""
    if not round_id:
        return None, round_id
    state = await Coordinator(chain).round_of(task, round_id, at)
    result = await RoundReader(chain, task).find_result(round_id, state, at)
    if result is None:
        raise Missing(f"round {round_id}, the parent: {HIDDEN.format('the event of its result')}")
    return result, state.parent
