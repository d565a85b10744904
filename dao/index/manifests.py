"""Reads the manifests of posted results by their digest, and rejects those that differ from what was posted."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select

from dao.chain.deployment import Deployment
from dao.core.constants import MAX_MANIFEST, NO_ROW
from dao.core.formats.canonical import read_json
from dao.core.formats.cid import Cid
from dao.core.formats.commit_leaves import compute_commits_root
from dao.core.formats.json_form import get_form
from dao.core.formats.manifest import Manifest, parse_manifest
from dao.core.formats.round_rows import compute_inputs_root
from dao.core.statement import build_account_tree, build_rows, compute_result
from dao.core.types import Digest, Result, RoundId, TaskId
from dao.errors import DecodeError, RuleError, TooLarge
from dao.index import schema
from dao.index.change_notices import ChangeNotice
from dao.index.content_reader import ContentReader
from dao.index.database import WRITE
from dao.index.training_reducer import strip_nuls
from dao.store.source import Source

_LISTED = 256  # results of one look
_ROWS = 2000  # of one statement


@dataclass(frozen=True, slots=True)
class UnreadResult:
    """A posted result whose manifest has not been read; `result` is its JSON."""

    task: TaskId
    round: RoundId
    result_hash: Digest
    result: str


class ManifestReader(ContentReader[UnreadResult]):
    """Reads the manifests of one index from a source. It calls `on_change` for each round whose manifest is stored."""

    def __init__(
        self,
        network: Deployment,
        chain_id: int,
        engine: Engine,
        source: Source,
        on_change: Callable[[ChangeNotice], None],
    ) -> None:
        super().__init__()
        self._network = network
        self._chain_id = chain_id
        self._engine = engine
        self._source = source
        self._publish = on_change

    def list_unread(self) -> list[UnreadResult]:
        """List the results without a manifest, the newest first."""
        rounds, manifests = schema.rounds.c, schema.manifests.c
        query = (
            select(rounds.task, rounds.round, rounds.result_hash, rounds.result)
            .distinct()
            .outerjoin(
                schema.manifests,
                (manifests.task == rounds.task)
                & (manifests.round == rounds.round)
                & (manifests.result_hash == rounds.result_hash),
            )
            .where(rounds.result_hash.is_not(None), manifests.id.is_(None))
            .order_by(rounds.round.desc())
            .limit(_LISTED)
        )
        with self._engine.connect() as connection:
            return [UnreadResult(*row) for row in connection.execute(query)]

    async def read_item(self, item: UnreadResult) -> None:
        """Read and store a result's manifest, or the reason why it is rejected."""
        posted: Result = get_form(Result).read(read_json(item.result.encode(), "result", 1 << 16), "result")
        manifest, cid, refusal = None, None, ""
        try:
            path = await self._source.get(posted.manifest_digest, MAX_MANIFEST)
            cid = await self._source.resolve(posted.manifest_digest)
            manifest = await asyncio.to_thread(self._parse, path, item, posted)
        except (TooLarge, DecodeError, RuleError) as error:
            refusal = strip_nuls(str(error))[:1000]
        await asyncio.to_thread(self.store, item, manifest, cid, refusal)
        self._publish(ChangeNotice("round", 0, task=item.task, round=item.round))

    def _parse(self, path: Path, item: UnreadResult, posted: Result) -> Manifest:
        """Parse a manifest; DecodeError or RuleError unless it is the round's, states what was posted, and adds up."""
        manifest = parse_manifest(path.read_bytes())
        place = (self._chain_id, self._network.coordinator, item.task, item.round)
        if (manifest.chain_id, manifest.coordinator, manifest.task, manifest.round) != place:
            raise RuleError(f"manifest: of task {manifest.task} round {manifest.round}, expected {place[2:]}")
        faults = [name for name, holds in self._compare(manifest, posted) if not holds]
        if faults:
            raise RuleError(f"manifest: {', '.join(faults)} other than posted")
        return manifest

    def _compare(self, manifest: Manifest, posted: Result) -> Iterator[tuple[str, bool]]:
        """Compare a manifest with the result: each field that binds it, and whether it agrees."""
        stated = compute_result(manifest, (), manifest.model.digest, posted.manifest_digest)
        for field in fields(Result):
            if field.name != "revealed":  # it depends on the forced commits, too
                yield field.name, getattr(stated, field.name) == getattr(posted, field.name)
        commits = (node for node in manifest.nodes if not node.forced)
        yield "commits", compute_commits_root(commits, manifest.passes) == posted.commits_root
        yield "rows", build_rows(manifest.nodes, manifest.accounts).root == manifest.roots.rows
        yield "inputs", compute_inputs_root(manifest.nodes) == manifest.roots.inputs
        accounts = build_account_tree(manifest.nodes, manifest.accounts)
        yield "accounts", accounts.root == posted.accounts_root
        yield "sum of rewards", sum(a.cumulative_wei for a in manifest.accounts) == posted.reward_total

    def store(self, item: UnreadResult, manifest: Manifest | None, cid: Cid | None, refusal: str) -> None:
        """Store a result's manifest, or the reason why it is rejected."""
        key = {"task": item.task, "round": item.round, "result_hash": item.result_hash}
        with self._engine.execution_options(**WRITE).begin() as connection:
            table = schema.manifests
            connection.execute(delete(table).where(*(table.c[name] == value for name, value in key.items())))
            totals = _make_totals(manifest) if manifest is not None else {}
            row = {**key, "refusal": refusal, "cid": str(cid) if cid else None, **totals}
            primary_key = connection.execute(insert(table).values(**row)).inserted_primary_key
            if manifest is not None and primary_key is not None:
                _insert_rows(connection, int(primary_key[0]), manifest)


def _make_totals(manifest: Manifest) -> dict[str, Any]:
    """Make the columns that describe a manifest as a whole."""
    return {
        "base_model": str(manifest.base_model),
        "model": str(manifest.model),
        "shard": manifest.shard.index,
        "loss_before": manifest.loss_before,
        "loss_after": manifest.loss_after,
        "metric_name": strip_nuls(manifest.metric.name) if manifest.metric else None,
        "metric": manifest.metric.value if manifest.metric else None,
        "budget": manifest.budget_wei,
        "refunded": manifest.refunded_wei,
    }


def _insert_rows(connection: Connection, manifest_id: int, manifest: Manifest) -> None:
    """Insert a row for each node and owner; a node that did not commit is `passed` or `absent`."""
    of = {"manifest": manifest_id, "task": manifest.task, "round": manifest.round}
    nodes = [
        {
            **of,
            "node": node.node,
            "owner": node.owner,
            "status": str(node.status),
            "stake": node.stake,
            "weight": node.weight,
            "score": node.score,
            "debt": node.debt,
            "reward": node.reward_wei,
            "reason": strip_nuls(node.reason),
        }
        for node in manifest.nodes
    ]
    idle = {"stake": 0, "weight": 0, "score": 0, "debt": 0, "reward": 0}
    nodes += [
        {
            **of,
            "node": node.node,
            "owner": node.owner,
            "status": status,
            **idle,
            "reason": strip_nuls(node.reason),
        }
        for status, silent in (("passed", manifest.passes), ("absent", manifest.absent))
        for node in silent
    ]
    rows_of = {node.owner: row for row, node in enumerate(manifest.nodes)}
    accounts = [
        {
            "manifest": manifest_id,
            "owner": account.owner,
            "cumulative": account.cumulative_wei,
            "debt": account.debt,
            "memory": account.memory,
            "place": place,
            "row": rows_of.get(account.owner, NO_ROW),
        }
        for place, account in enumerate(manifest.accounts)
    ]
    for table, rows in ((schema.manifest_nodes, nodes), (schema.manifest_accounts, accounts)):
        for start in range(0, len(rows), _ROWS):
            connection.execute(insert(table), rows[start : start + _ROWS])
