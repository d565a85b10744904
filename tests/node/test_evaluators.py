"""The evaluator that a node keeps: one process for result after result, until it has had no work for a while."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dao.app.bundle import bundle
from dao.core.formats.card import Card, write_card
from dao.core.types import Rules, TaskId
from dao.errors import AppError
from dao.store.disk import DiskStore
from node import evaluators
from node.approvals import Approvals, NotApproved
from node.evaluators import EvaluatorKeeper

TASK = TaskId(1)


class Evaluator:
    """What an evaluator's client does when it is opened and ended."""

    def __init__(self, app: Path) -> None:
        self.app, self.settings, self.is_running = app, dict[str, object](), False
        self.has_ended = asyncio.Event()

    async def configure(self, settings: Mapping[str, object], _base: Path | None) -> None:
        self.settings, self.is_running = dict(settings), True

    async def stop(self) -> None:
        self.is_running = False
        self.has_ended.set()


@dataclass
class Kept:
    """A keeper, and what it made."""

    folder: Path
    made: list[Evaluator] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store, self.approvals = DiskStore(self.folder / "store"), Approvals(self.folder)
        self.keeper = EvaluatorKeeper(self.store, self.approvals, TASK, self._make, self.folder / "scratch")

    def _make(self, app: Path, _scratch: Path) -> Any:
        self.made.append(Evaluator(app))
        return self.made[-1]

    async def rules(self, **settings: float) -> Rules:
        (self.folder / "app").mkdir(exist_ok=True)
        (self.folder / "app" / "app.py").write_text("# an app\n")
        app = await self.store.put_bytes(bundle(self.folder / "app"))
        card = await self.store.put_bytes(write_card(Card("Any", settings=settings)))
        self.approvals.approve(TASK, app.digest, card.digest)
        stated: Any = SimpleNamespace(app_hash=app.digest, card=card.digest)
        return stated  # type: ignore[no-any-return]

    async def use(self, rules: Rules) -> Any:
        async with self.keeper.borrow(rules) as evaluator:
            return evaluator


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


async def test_borrow__the_same_app_and_card__one_evaluator_until_it_is_closed(kept: Kept) -> None:
    rules = await kept.rules(rate=0.5)
    first = await kept.use(rules)
    assert await kept.use(rules) is first
    assert (first.settings, first.is_running, (first.app / "app.py").is_file()) == ({"rate": 0.5}, True, True)
    await kept.keeper.close()
    assert not first.is_running
    assert not first.app.exists()
    assert await kept.use(rules) is not first
    await kept.keeper.close()


async def test_borrow__another_card__another_evaluator_and_the_old_one_has_ended(kept: Kept) -> None:
    first = await kept.use(await kept.rules(rate=0.5))
    second = await kept.use(await kept.rules(rate=0.1))
    assert (first.is_running, second.is_running, second.settings) == (False, True, {"rate": 0.1})
    await kept.keeper.close()


async def test_borrow__the_app_failed__the_next_one_is_fresh(kept: Kept) -> None:
    rules = await kept.rules()
    with pytest.raises(AppError, match="no loss"):
        async with kept.keeper.borrow(rules):
            raise AppError("no loss")
    assert not kept.made[0].is_running
    assert await kept.use(rules) is kept.made[1]
    await kept.keeper.close()


async def test_borrow__the_owner_took_the_approval_back__refused_though_one_is_kept(kept: Kept) -> None:
    rules = await kept.rules()
    await kept.use(rules)
    (kept.folder / "approvals.jsonl").unlink()
    with pytest.raises(NotApproved):
        await kept.use(rules)
    await kept.keeper.close()


async def test_kept__without_work_for_a_while__ends(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluators, "KEPT_SECONDS", 0.05)
    one: Evaluator = await kept.use(await kept.rules())
    async with asyncio.timeout(20):
        await one.has_ended.wait()
    assert await kept.use(await kept.rules()) is kept.made[1]
    await kept.keeper.close()
