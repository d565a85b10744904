"""Where a model comes from: the rounds that led to it, their shares and disputes, as the chain binds them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dao.audit import statement_checks
from dao.audit.evidence import Evidence, has_result, read_manifest, read_record
from dao.audit.findings import Missing
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.events import Challenged, Convicted, Resolved
from dao.content.cards import fetch_card
from dao.core.formats.card import Metric
from dao.core.formats.json_form import get_form
from dao.core.formats.manifest import Manifest, MeasuredMetric
from dao.core.types import Phase, RoundId, TaskId, hex_of
from dao.errors import ConfigError, ContentError, DecodeError
from dao.store.source import Source

FORMAT = "provenance/1"
BEST = "best"
CHECKS: tuple[Callable[[Evidence, Manifest], str], ...] = (
    statement_checks.check_head,
    statement_checks.check_commits,
    statement_checks.check_forced,
    statement_checks.check_signatures,
    statement_checks.check_members,
    statement_checks.check_reveals,
    statement_checks.check_result,
)
CHECKS_ON_PARENT: tuple[Callable[[Evidence, Manifest, Manifest | None], str], ...] = (
    statement_checks.check_draw,
    statement_checks.check_settlement,
)
_VERDICTS = {True: "the DAO found the result right", False: "the DAO found the result wrong"}


@dataclass(frozen=True)
class TracedRound:
    """A round on the way to a model: its record on chain, its manifest, and what was decided about it."""

    record: Evidence
    manifest: Manifest
    decisions: Sequence[str]


async def trace_rounds(
    chain: Chain,
    source: Source,
    task: TaskId,
    wanted: str | None,
    *,
    verifies: bool,
    on_round: Callable[[RoundId], None] = lambda _: None,
) -> list[TracedRound]:
    """Return the rounds that led to a model, the first one first; the last one made it.

    `wanted`: the number of a round, `best` (of the final rounds the one that `find_best` finds), or None for the newest final
    one. Each manifest is the one whose digest is on chain, each base model the one before. `verifies`: also signatures,
    members, seeds, shares and payouts are computed again from chain and manifest; updates and gradients take an audit.
    ConfigError where there is no such model, AuditError where something differs or cannot be had.
    """
    number = await _find_last(chain, task, wanted)
    traced = [await _read_round(chain, source, task, number, on_round)]
    while parent := traced[-1].record.state.parent:
        traced.append(await _read_round(chain, source, task, parent, on_round))
    traced.reverse()
    if wanted == BEST:
        metric = await _fetch_metric(source, traced[-1].record)
        traced = traced[: find_best([one.manifest for one in traced], metric) + 1]
    previous: Manifest | None = None
    for one in traced:
        statement_checks.check_posted(one.record)
        for check in CHECKS if verifies else (statement_checks.check_head,):
            check(one.record, one.manifest)
        for check_on in CHECKS_ON_PARENT if verifies else ():
            check_on(one.record, one.manifest, previous)
        previous = one.manifest
    return traced


def find_best(manifests: Sequence[Manifest], metric: Metric | None) -> int:
    """Return which of some rounds is the best: by the metric that people read, as Superlinks measured it, then by the loss after it.

    Rounds that state the metric go before those that do not; `metric` is the one that the task's card names, None without.
    """

    def rank(index: int) -> tuple[bool, int, int]:
        stated = manifests[index].metric
        if metric is None or stated is None or stated.name != metric.name:
            return True, 0, manifests[index].loss_after
        return False, -stated.value if metric.higher_is_better else stated.value, manifests[index].loss_after

    return min(range(len(manifests)), key=rank)


async def _fetch_metric(source: Source, record: Evidence) -> Metric | None:
    """Return the metric that a task's card names; Missing where no source has the card."""
    try:
        return (await fetch_card(source, record.rules.card)).metric
    except (ContentError, DecodeError) as error:
        raise Missing(
            f"task {record.task}: {error}; which round is the best goes by the metric that it names"
        ) from None


async def _find_last(chain: Chain, task: TaskId, wanted: str | None) -> RoundId:
    at, coordinator = chain.final(), Coordinator(chain)
    last = (await coordinator.task_of(task, at)).last_round
    if wanted not in (None, BEST):
        number = RoundId(int(wanted))
        state = await coordinator.round_of(task, number, at)
        if not has_result(state) or state.phase in (Phase.VOID, Phase.ABORTED):
            raise ConfigError(
                f"task {task} round {number}: is {state.phase.name.lower()} and led to no model; see dao round ls {task}"
            )
        return number
    for value in range(last, 0, -1):
        if (await coordinator.round_of(task, RoundId(value), at)).phase is Phase.FINALIZED:
            return RoundId(value)
    raise ConfigError(f"task {task}: has no final round yet; see dao round ls {task}, or name one by --round")


async def _read_round(
    chain: Chain, source: Source, task: TaskId, number: RoundId, on_round: Callable[[RoundId], None]
) -> TracedRound:
    on_round(number)
    try:
        record = await read_record(chain, task, number)
        manifest = await read_manifest(source, record.result.manifest_digest)
    except Missing as error:
        raise Missing(f"task {task} round {number}: {error}") from None
    start = record.state.open_block
    challenged = await chain.past(Challenged, task=task, round=number, from_block=start)
    resolved = await chain.past(Resolved, task=task, round=number, from_block=start)
    convicted = await chain.past(Convicted, task=task, round=number, from_block=start)
    decisions = [
        *((one.block, f"challenged: {one.reason[:200]}") for one in challenged),
        *((one.block, _VERDICTS[one.valid]) for one in resolved),
        *((one.block, "a result was proved wrong on chain") for one in convicted),
    ]
    return TracedRound(record, manifest, [text for _, text in sorted(decisions)])


def describe(traced: Sequence[TracedRound], *, verified: bool) -> dict[str, Any]:
    """Return provenance as JSON: amounts in wei as decimal strings, losses, metrics and scores as in the manifest, in millionths."""
    last = traced[-1]
    record, manifest = last.record, last.manifest
    total = sum(account.cumulative_wei for account in manifest.accounts)
    return {
        "format": FORMAT,
        "chain_id": record.domain.chain_id,
        "coordinator": hex_of(record.domain.coordinator),
        "task": record.task,
        "round": record.round,
        "phase": record.state.phase.name.lower(),
        "model": str(manifest.model),
        "first_model": str(traced[0].manifest.base_model),
        "app_digest": hex_of(record.rules.app_hash),
        "verified": "statements" if verified else "digests",
        "shares": [
            {
                "owner": hex_of(account.owner),
                "earned_wei": str(account.cumulative_wei),
                "millionths": account.cumulative_wei * 10**6 // total if total else 0,
            }
            for account in manifest.accounts
        ],
        "rounds": [_describe_round(one) for one in traced],
    }


def _describe_round(traced: TracedRound) -> dict[str, Any]:
    record, manifest = traced.record, traced.manifest
    return {
        "round": record.round,
        "phase": record.state.phase.name.lower(),
        "opened_at": record.state.opened_at,
        "posted_at": record.state.posted_at,
        "result_hash": hex_of(record.state.result_hash),
        "transaction": hex_of(record.posted.tx_hash),
        "manifest_digest": hex_of(record.result.manifest_digest),
        "base_model": str(manifest.base_model),
        "model": str(manifest.model),
        "seed": hex_of(manifest.seed),
        "shard": str(manifest.shard.cid),
        "loss_before": manifest.loss_before,
        "loss_after": manifest.loss_after,
        "metric": get_form(MeasuredMetric | None).write(manifest.metric),
        "decisions": list(traced.decisions),
        "nodes": [
            {
                "node": hex_of(node.node),
                "owner": hex_of(node.owner),
                "status": str(node.status),
                "weight": node.weight,
                "score": node.score,
                "reward_wei": str(node.reward_wei),
            }
            for node in manifest.nodes
        ],
    }
