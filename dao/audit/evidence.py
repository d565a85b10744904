"""What an audit reads before it compares: the chain's record of a round, and the manifests of it and its parent."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dao.audit.findings import Missing
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.events import CommitsClosed, ResultPosted
from dao.chain.forced_reveals import ForcedReveals
from dao.chain.rounds import RoundEvents, RoundReader
from dao.core.commits import compute_forced_hash, compute_opening
from dao.core.constants import CHUNK, MAX_MANIFEST
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Manifest, parse_manifest
from dao.core.state import LostRound
from dao.core.statement import compute_result_hash
from dao.core.types import (
    ZERO_DIGEST,
    Address,
    Digest,
    Domain,
    Member,
    Result,
    RoundId,
    RoundState,
    Rules,
    TaskId,
    hex_of,
)
from dao.errors import ContentError, DecodeError
from dao.store.source import MAX_CONTENT, Source

HIDDEN = (
    "the node of the chain does not show {} as the contracts have it; use another, or check deployment.block"
)
TRIES = 3  # to read or hold a content that a store drops
PROVABLE = 1 << 28  # bytes that are read to show that a content has too many


@dataclass(frozen=True)
class Evidence:
    """A posted round as the chain has it."""

    domain: Domain
    task: TaskId
    round: RoundId
    rules: Rules
    state: RoundState
    events: RoundEvents
    closed: CommitsClosed
    posted: ResultPosted
    parent: Result | None
    members: Mapping[Address, Member]
    opened_on_chain: frozenset[tuple[Address, Digest]]  # nodes and their commitments, by forced reveals
    attested: frozenset[Address]  # of these, whose updates most of the members drawn have
    lost: Sequence[LostRound]  # between it and its parent: they came to nothing

    @property
    def result(self) -> Result:
        """What the Superlink stated."""
        return self.posted.result

    @property
    def base_model(self) -> Digest:
        """The digest of the model that the round starts from."""
        return self.parent.model_digest if self.parent else self.rules.base_model


def find_misnamed(
    manifest: Manifest,
    place: tuple[Domain, TaskId, RoundId],
    state: RoundState,
    rules: Rules,
    result: Result,
    base: Digest,
) -> str:
    """Say where a manifest is not that of a round by what no root binds: its names, rules and models; "" where it is."""
    domain, task, round_id = place
    stated = {
        "chain_id": (manifest.chain_id, domain.chain_id),
        "coordinator": (manifest.coordinator, domain.coordinator),
        "task": (manifest.task, task),
        "round": (manifest.round, round_id),
        "parent": (manifest.parent, state.parent),
        "opening": (manifest.opening, state.opening),
        "codec": (manifest.codec, rules.codec),
        "values": (manifest.values, CHUNK * rules.chunks),
        "seed": (manifest.seed, result.seed),
        "budget_wei": (manifest.budget_wei, rules.round_budget),
        "base_model": (manifest.base_model.digest, base),
        "model": (manifest.model.digest, result.model_digest),
    }
    for name, pair in stated.items():
        said, true = (hex_of(value) if isinstance(value, bytes) else value for value in pair)
        if said != true:
            return f"manifest.{name}: stated {said}, the chain says {true}"
    return ""


def has_result(state: RoundState) -> bool:
    """Whether a result was posted, whatever has become of it."""
    return state.posted_at > 0


async def read_record(chain: Chain, task: TaskId, round_id: RoundId) -> Evidence:
    """Read all that the chain says of a round; Missing when it has no result, ChainError when the chain's node fails."""
    at, coordinator, history = chain.final(), Coordinator(chain), RoundReader(chain, task)
    rules, state, events = await asyncio.gather(
        coordinator.rules_of_round(task, round_id, at),
        coordinator.round_of(task, round_id, at),
        history.events_of(round_id, at),
    )
    if not has_result(state) and events.posted is None:
        raise Missing(f"round {round_id}: is {state.phase.name.lower()} and has no result to audit")
    if events.closed is None or events.posted is None:
        raise Missing(f"round {round_id}: {HIDDEN.format('the events of its closing and result')}")
    members, reveals, count, forced, lost = await asyncio.gather(
        history.members_of(events.opened, at),
        history.forced_reveals_of(round_id, state, at),
        ForcedReveals(chain).count_of(task, round_id, at),
        coordinator.forced_hash_of(task, round_id, at),
        history.read_lost_rounds(state.parent, round_id, at),
    )
    if len(members) != state.eligible:
        shown = f"who had joined ({len(members)} of {state.eligible})"
        raise Missing(f"round {round_id}: {HIDDEN.format(shown)}")
    if compute_forced_hash(events.forced) != forced:
        raise Missing(f"round {round_id}: {HIDDEN.format('its forced commits')}")
    if len(reveals) != count:
        raise Missing(f"round {round_id}: {HIDDEN.format('its forced reveals')}")
    parent, parent_hash = None, ZERO_DIGEST
    if state.parent:
        posted = (await history.events_of(state.parent, at)).posted
        if posted is None:
            raise Missing(f"round {state.parent}, the parent: its result is not in this node's history")
        if (
            compute_result_hash(posted.result)
            != (await coordinator.round_of(task, state.parent, at)).result_hash
        ):
            raise Missing(f"round {state.parent}, the parent: {HIDDEN.format('the event of its result')}")
        parent, parent_hash = posted.result, compute_result_hash(posted.result)
    if state.opening != compute_opening(parent_hash, state.open_block):
        raise Missing(f"round {round_id}: {HIDDEN.format('what it opened on')}")
    contract = ForcedReveals(chain)
    attested = frozenset(
        [event.node for event in reveals if await contract.is_attested(task, round_id, event.node, at)]
    )
    return Evidence(
        domain=chain.domain,
        task=task,
        round=round_id,
        rules=rules,
        state=state,
        events=events,
        closed=events.closed,
        posted=events.posted,
        parent=parent,
        members=members,
        opened_on_chain=frozenset((event.node, event.commitment) for event in reveals),
        attested=attested,
        lost=lost,
    )


async def fetch(source: Source, what: str, content: Cid | Digest, limit: int | None = None) -> Path:
    """A content's file; Missing names what it is. DecodeError when it has more bytes than `limit`."""
    try:
        path = await source.get(content, max(limit, PROVABLE) if limit else MAX_CONTENT)
    except ContentError as error:
        raise Missing(f"{what}: {error}") from None
    size = path.stat().st_size
    if limit is not None and size > limit:
        raise DecodeError(f"{what}: it has {size} bytes, expected at most {limit}")
    return path


async def read_manifest(source: Source, digest: Digest) -> Manifest:
    """Fetch and read a manifest by the digest on chain; Missing when it cannot be had, DecodeError when malformed."""
    for _ in range(TRIES):
        with suppress(FileNotFoundError):  # dropped in this very moment
            path = await fetch(source, "manifest", digest, MAX_MANIFEST)
            return parse_manifest(await asyncio.to_thread(path.read_bytes))
    raise Missing("manifest: the store drops it again and again")
