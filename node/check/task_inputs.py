"""Fetches what a task's app is checked with: its bundle, the model of the newest round, and rows that are public by now."""

from dataclasses import dataclass
from pathlib import Path

from dao.app.bundle import MAX_BYTES
from dao.app.frozen_base import fetch_frozen_base
from dao.audit.evidence import read_manifest
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.rounds import RoundReader
from dao.content.cards import fetch_card
from dao.core.formats.card import Card
from dao.core.types import Digest, RoundId, Rules, TaskId
from dao.errors import ContentError
from dao.store.source import MAX_CONTENT, Source


@dataclass(frozen=True)
class PublicRows:
    """The validation shard of a round that is over."""

    round: RoundId
    path: Path


@dataclass(frozen=True)
class TaskInputs:
    """A task as a site checks it; `public` is None where there is no shard yet, or none can be had."""

    rules: Rules
    bundle: bytes
    model: Path
    public: PublicRows | None
    card: Card  # with the settings of the app
    base: Path | None = None  # what the app adapts and does not train


async def fetch_inputs(chain: Chain, source: Source, task: TaskId) -> TaskInputs:
    """Fetch a task's app, model and public rows; Reverted where there is no such task, ContentError without app, card or model."""
    coordinator, at = Coordinator(chain), chain.final()
    rules, head = await coordinator.rules_of(task, at), (await coordinator.task_of(task, at)).head
    bundle = (await source.get(rules.app_hash, MAX_BYTES)).read_bytes()
    digest, public = await _read_head(chain, source, task, head) if head else (rules.base_model, None)
    card = await fetch_card(source, rules.card)
    base = await fetch_frozen_base(source, card)
    return TaskInputs(rules, bundle, await source.get(digest, MAX_CONTENT), public, card, base)


async def _read_head(
    chain: Chain, source: Source, task: TaskId, head: RoundId
) -> tuple[Digest, PublicRows | None]:
    """Return the newest model, and the shard of its round."""
    posted = (await RoundReader(chain, task).events_of(head, chain.final())).posted
    if posted is None:
        raise ContentError(f"task {task} round {head}: its result is not on chain any more; try again")
    result = posted.result
    try:
        manifest = await read_manifest(source, result.manifest_digest)
        shard = await source.get(manifest.shard.cid, MAX_CONTENT)
    except ContentError:  # what is old may have been dropped
        return result.model_digest, None
    return result.model_digest, PublicRows(head, shard)
