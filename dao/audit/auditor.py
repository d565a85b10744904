"""Runs all checks of a round in order: the chain's record, then its manifest, then the content."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from dao.app import bundle as apps
from dao.app.gradient_client import GradientClient
from dao.audit import statement_checks
from dao.audit.content_checks import ContentChecks
from dao.audit.evidence import Evidence, read_manifest, read_record
from dao.audit.findings import Check, Differs, Missing, Outcome
from dao.chain.client import Chain
from dao.core.constants import MAX_CARD
from dao.core.formats.card import parse_card
from dao.core.formats.manifest import Manifest
from dao.core.types import RoundId, TaskId
from dao.errors import DaoError, DecodeError, RuleError
from dao.store.source import Source

CHECKS = (
    *(
        "record",
        "result hash",
        "manifest",
        "parent",
        "round",
        "commits",
        "forced commits",
        "signatures",
        "members",
    ),
    *(
        "commitments",
        "shard draw",
        "payouts",
        "result",
        "app",
        "base model",
        "updates",
        "shard",
        "gate gradient",
    ),
    *("weights", "model", "reference gradient", "scores", "losses", "metric"),
)
Step = Callable[[], str | Awaitable[str]]


async def audit(
    chain: Chain,
    source: Source,
    task: TaskId,
    round_id: RoundId,
    python: Path,
    limit: float = 600.0,
    evaluator: GradientClient | None = None,
) -> AsyncIterator[Check]:
    """Yield a round's checks as they are made.

    `source` gives content, `python` is the interpreter of the app's environment, `limit` bounds one gradient, in
    seconds; `evaluator` is a warm one of this app, to use instead of a new one. Nothing is raised, and each of CHECKS
    is yielded, made or not.
    """
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        auditor = _Auditor(chain, source, task, round_id, Path(folder), evaluator)
        try:
            async for check in auditor.run(python, limit):
                yield check
        finally:
            await auditor.close()


class _Auditor:
    def __init__(
        self,
        chain: Chain,
        source: Source,
        task: TaskId,
        round_id: RoundId,
        scratch: Path,
        evaluator: GradientClient | None,
    ) -> None:
        self._chain, self._source, self._task, self._round = chain, source, task, round_id
        self._scratch, self._given = scratch, evaluator
        self._record: Evidence | None = None
        self._manifest: Manifest | None = None
        self._previous: Manifest | None = None
        self._started: GradientClient | None = None

    async def close(self) -> None:
        if self._started is not None:
            await self._started.stop()

    async def run(self, python: Path, limit: float) -> AsyncIterator[Check]:
        made = set()
        async for check in self._made(python, limit):
            made.add(check.name)
            yield check
        for name in CHECKS:
            if name not in made:
                what = "the manifest" if self._record else "the chain's record"
                yield Check(name, Outcome.UNCHECKED, f"needs {what}, which an earlier check did not get")

    async def _made(self, python: Path, limit: float) -> AsyncIterator[Check]:
        yield await _made("record", self._read_record)
        if (record := self._record) is None:
            return
        yield await _made("result hash", lambda: statement_checks.check_posted(record))
        yield await _made("manifest", self._read_manifest)
        yield await _made("parent", self._read_parent)
        if (manifest := self._manifest) is None:
            return
        for name, step in self._statements(record, manifest):
            yield await _made(name, step)
        contents = ContentChecks(record, manifest, self._previous, self._source, self._scratch)

        async def app() -> str:
            contents.evaluator = await self._app(contents, python, limit)
            return f"0x{record.rules.app_hash.hex()}"

        yield await _made("app", app)
        for name, step in self._contents(contents):
            yield await _made(name, step)

    async def _read_record(self) -> str:
        self._record = await read_record(self._chain, self._task, self._round)
        return f"posted in block {self._record.posted.block}"

    async def _read_manifest(self) -> str:
        digest = self._need_record().result.manifest_digest
        self._manifest = await read_manifest(self._source, digest)
        return f"{len(self._manifest.nodes)} nodes"

    async def _read_parent(self) -> str:
        parent = self._need_record().parent
        if parent is None:
            return "none: the task's first model"
        self._previous = await read_manifest(self._source, parent.manifest_digest)
        return f"round {self._previous.round}"

    def _need_record(self) -> Evidence:
        if self._record is None:
            raise Missing("needs the chain's record")
        return self._record

    def _on_parent(self, step: Step) -> Step:
        """The step, or why it cannot be made without the parent's manifest."""

        def without() -> str:
            raise Missing("needs the parent's manifest, which an earlier check did not get")

        return without if self._need_record().parent is not None and self._previous is None else step

    def _statements(self, record: Evidence, manifest: Manifest) -> list[tuple[str, Step]]:
        previous = self._previous
        return [
            ("round", lambda: statement_checks.check_head(record, manifest)),
            ("commits", lambda: statement_checks.check_commits(record, manifest)),
            ("forced commits", lambda: statement_checks.check_forced(record, manifest)),
            ("signatures", lambda: statement_checks.check_signatures(record, manifest)),
            ("members", lambda: statement_checks.check_members(record, manifest)),
            ("commitments", lambda: statement_checks.check_reveals(record, manifest)),
            ("shard draw", self._on_parent(lambda: statement_checks.check_draw(record, manifest, previous))),
            (
                "payouts",
                self._on_parent(lambda: statement_checks.check_settlement(record, manifest, previous)),
            ),
            ("result", lambda: statement_checks.check_result(record, manifest)),
        ]

    def _contents(self, contents: ContentChecks) -> list[tuple[str, Step]]:
        return [
            ("base model", contents.check_base),
            ("updates", contents.check_updates),
            ("shard", contents.check_shard),
            ("gate gradient", contents.check_gate),
            ("weights", self._on_parent(contents.check_weights)),
            ("model", contents.check_model),
            ("reference gradient", contents.check_reference),
            ("scores", self._on_parent(contents.check_scores)),
            ("losses", contents.check_losses),
            ("metric", contents.check_metric),
        ]

    async def _app(self, contents: ContentChecks, python: Path, limit: float) -> GradientClient:
        path = await contents.fetch("app", contents.record.rules.app_hash, apps.MAX_BYTES)
        content = await asyncio.to_thread(path.read_bytes)
        folder = await asyncio.to_thread(apps.unpack, content, self._scratch / "app")
        card = parse_card((await contents.fetch("card", contents.record.rules.card, MAX_CARD)).read_bytes())
        contents.card = card
        base = await contents.fetch("frozen base", card.base.cid) if card.base else None
        client = self._given
        if client is None:
            scratch = self._scratch / "evaluator"
            client = self._started = GradientClient(folder, python, scratch, limit=limit, keeps_log=False)
        await client.configure(card.settings, base)
        return client


async def _made(name: str, step: Step) -> Check:
    """Make one check. What is malformed or against the rules differs from a right round; the rest was not possible.

    That holds for an error of this program too: it proves nothing of the round, and the other checks are still made.
    """
    try:
        detail = step()
        return Check(name, Outcome.OK, detail if isinstance(detail, str) else await detail)
    except (Differs, DecodeError, RuleError) as error:
        return Check(name, Outcome.FAILED, str(error))
    except ArithmeticError as error:  # a field may hold more than its row in a tree
        return Check(name, Outcome.FAILED, f"a number stated is out of range: {error}")
    except DaoError as error:
        return Check(name, Outcome.UNCHECKED, str(error))
    except Exception as error:  # noqa: BLE001  (whatever it is, it is the answer of this check alone)
        unexpected = DaoError(
            f"could not be checked, by an error of the audit itself; report it: {error!r:.200}"
        )
        return Check(name, Outcome.UNCHECKED, str(unexpected))
