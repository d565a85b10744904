"""What a node's log says at its start: `ready` is said of a node that is."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from dao.app import bundle as apps
from dao.core.formats.card import Card, write_card
from dao.core.types import Digest, TaskId
from dao.errors import AppError, NotFound
from dao.store.layered import LayeredStore
from node.approvals import Approvals, NotApproved
from node.check.site_data import SiteData
from node.readiness import SupernodeReadiness
from node.state_notes import StateNotes
from node.supernode import Supernode

pytestmark = pytest.mark.asyncio


CARD, CHUNKS = Digest(b"card".ljust(32)), 10_000


class Reader:
    """A task without rounds; `asked` once the node has waited for the first one so many times."""

    reorgs = 0

    def __init__(self, waits: int) -> None:
        self.asked, self._waits = asyncio.Event(), waits

    async def read_last_round(self) -> int:
        return 0

    async def read_rules(self) -> Any:
        return SimpleNamespace(app_hash=bytes(32), card=CARD, chunks=CHUNKS)

    async def wait_next_round(self, *_: int) -> int:
        self._waits -= 1
        if not self._waits:
            self.asked.set()
        return await asyncio.Future()


class Content:
    """A store that has the card, and the app, or not for the first few times."""

    def __init__(self, bundle: Path, misses: int, card: Card = Card("Any")) -> None:  # noqa: B008  (it is frozen)
        self._bundle, self._misses = bundle, misses
        self._folder, self._cards = bundle.parent, {CARD: card}

    def add(self, digest: Digest, card: Card) -> None:
        self._cards[digest] = card

    async def has(self, _: bytes) -> bool:
        return not self._misses

    async def get(self, content: bytes, _: int) -> Path:
        if card := self._cards.get(Digest(content)):
            made = self._folder / "card"
            made.write_bytes(write_card(card))
            return made
        if self._misses:
            self._misses -= 1
            raise NotFound("0x00: cannot be had: nobody answers", "nobody answers")
        return self._bundle


class Unfit:
    """The trainer of an app that cannot read the node's data."""

    async def start(self) -> None:
        raise AppError("load: FileNotFoundError: mine.csv")

    async def stop(self) -> None:
        pass


class Fit(Unfit):
    """The trainer of one that can."""

    async def start(self) -> None:
        pass


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("node.readiness.unpack", lambda *_: None)
    made = tmp_path / "bundle"
    made.write_bytes(b"")
    return made


async def said(
    content: Content, apps: Path, waits: int = 1, *, is_approved: bool = True, trains: Unfit | None = None
) -> list[dict[str, Any]]:
    """What a node logs until it waits for a round, or has done so several times."""
    reader: Any = Reader(waits)
    client: Any = SimpleNamespace(address="superlink.example:8600")
    store, trainer = cast("LayeredStore", content), cast("Any", trains or Unfit())
    approvals = Approvals(apps)
    if is_approved:
        approvals.approve(TaskId(1), Digest(bytes(32)), CARD)
    deps = SimpleNamespace(
        reader=reader,
        journal=SimpleNamespace(notes=lambda _: []),
        readiness=SupernodeReadiness(
            TaskId(1),
            reader,
            store,
            client,
            lambda *_: trainer,
            apps,
            approvals,
            SiteData(apps, 1),
            StateNotes(apps, 1),
        ),
        outcomes=SimpleNamespace(release=lambda: None),
    )
    with capture_logs() as logs:
        running = asyncio.create_task(Supernode(TaskId(1), cast("Any", deps)).run())
        await asyncio.wait_for(reader.asked.wait(), 60)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return cast("list[dict[str, Any]]", logs)


async def test_start__app_cannot_be_had__says_whom_it_asks_and_that_it_is_not_ready(tmp_path: Path) -> None:
    asked, found = await said(Content(tmp_path, misses=1), tmp_path)
    assert (asked["event"], asked["superlink"]) == ("fetching the app", "superlink.example:8600")
    assert (found["event"], found["log_level"]) == ("not ready", "warning")
    assert found["error"] == "the app 0x00000000… cannot be had: nobody answers"


async def test_start__app_cannot_be_had_and_no_round_opens__asked_for_again_until_it_can(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.readiness.FIRST_PAUSE", 0.01)
    logs = await said(Content(bundle, misses=2), tmp_path, waits=3)
    errors = [line["error"] for line in logs if line["event"] == "not ready"]
    missing = "the app 0x00000000… cannot be had: nobody answers"
    assert errors == [missing, missing, "load: FileNotFoundError: mine.csv"]  # which asking does not change


async def test_start__app_cannot_read_the_data__says_so_before_any_round(
    bundle: Path, tmp_path: Path
) -> None:
    (found,) = await said(Content(bundle, misses=0), tmp_path)
    assert (
        StateNotes(tmp_path, 1).read() == "load: FileNotFoundError: mine.csv"
    )  # as `dao node status` shows it
    assert (found["event"], found["error"]) == ("not ready", "load: FileNotFoundError: mine.csv")


async def test_start__app_and_data_are_there__loads_the_arithmetic_and_is_ready(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[int] = []
    monkeypatch.setattr("node.readiness.get_loops", loaded.append)
    (found,) = await said(Content(bundle, misses=0), tmp_path, trains=Fit())
    assert (found["event"], loaded) == ("ready", [CHUNKS])


async def test_start__app_is_not_approved__says_what_its_owner_does_and_fetches_nothing(
    tmp_path: Path,
) -> None:
    (found,) = await said(Content(tmp_path, misses=1), tmp_path, is_approved=False)
    assert found["event"] == "not ready"
    assert found["error"] == (
        "task 1: the app 0x00000000… waits for its owner's approval; read it and approve: dao node approve 1"
    )


async def test_app__changed_on_the_disk_since_it_was_approved__is_put_right_before_it_runs(
    tmp_path: Path,
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "app.py").write_text("approved = True\n")
    made = tmp_path / "bundle"
    folders: list[Path] = []
    made.write_bytes(apps.bundle(tmp_path / "source"))
    digest = apps.compute_app_digest(made.read_bytes())
    approvals = Approvals(tmp_path)
    approvals.approve(TaskId(1), digest, CARD)
    for _ in range(2):
        nobody, store = cast("Any", None), cast("Any", Content(made, 0))
        run = cast("Any", lambda folder, _: folders.append(folder))
        readiness = SupernodeReadiness(
            TaskId(1),
            nobody,
            store,
            nobody,
            run,
            tmp_path / "apps",
            approvals,
            SiteData(tmp_path, 1),
            StateNotes(tmp_path, 1),
        )
        await readiness.get_trainer(cast("Any", SimpleNamespace(app_hash=digest, card=CARD)))
        app = folders[-1] / "app.py"
        assert app.read_text() == "approved = True\n"
        app.write_text("approved = False\n")
    last = approvals.read_last()
    assert last is not None
    assert (last[0].app, last[1]["app.py"]) == (digest, "approved = True\n")


class Voted:
    """A task whose card changes by a vote, and an owner who approved the first one."""

    def __init__(self, folder: Path, bundle: Path, *, follows_card: bool = False) -> None:
        self.made: list[tuple[Mapping[str, object], list[str]]] = []
        self.approvals, self.other = Approvals(folder), Digest(b"other".ljust(32))
        self.approvals.approve(TaskId(1), Digest(bytes(32)), CARD)
        content = Content(bundle, 0, Card("Any", settings={"rate": 0.5}))
        content.add(self.other, Card("Any", settings={"rate": 2}))
        nobody, store = cast("Any", None), cast("Any", content)
        self.readiness = SupernodeReadiness(
            *(TaskId(1), nobody, store, nobody, self.run, folder / "apps", self.approvals),
            *(SiteData(folder, 1), StateNotes(folder, 1)),
            follows_card=follows_card,
        )

    def run(self, _: Path, settings: Mapping[str, object]) -> Any:
        events: list[str] = []

        async def stop() -> None:
            events.append("stopped")

        self.made.append((settings, events))
        return SimpleNamespace(stop=stop)

    async def get(self, card: Digest) -> Any:
        return await self.readiness.get_trainer(cast("Any", SimpleNamespace(app_hash=bytes(32), card=card)))


async def test_card__changed_by_a_vote__waits_for_the_owner_and_then_the_app_starts_anew(
    tmp_path: Path, bundle: Path
) -> None:
    voted = Voted(tmp_path, bundle)
    first = await voted.get(CARD)
    assert await voted.get(CARD) is first
    assert voted.made == [({"rate": 0.5}, [])]
    with pytest.raises(
        NotApproved, match=r"^task 1: the card changed; read it and approve: dao node approve 1$"
    ):
        await voted.get(voted.other)
    assert voted.made == [({"rate": 0.5}, ["stopped"])]
    voted.approvals.approve(TaskId(1), Digest(bytes(32)), voted.other)
    await voted.get(voted.other)
    assert voted.made == [({"rate": 0.5}, ["stopped"]), ({"rate": 2}, [])]


async def test_card__changed_and_the_owner_follows_it__the_app_starts_anew_at_once(
    tmp_path: Path, bundle: Path
) -> None:
    voted = Voted(tmp_path, bundle, follows_card=True)
    await voted.get(CARD)
    await voted.get(voted.other)
    assert voted.made == [({"rate": 0.5}, ["stopped"]), ({"rate": 2}, [])]


async def test_approval__taken_back_while_the_app_is_warm__ends_with_the_round(
    tmp_path: Path, bundle: Path
) -> None:
    voted = Voted(tmp_path, bundle)
    await voted.get(CARD)
    (tmp_path / "approvals.jsonl").unlink()
    with pytest.raises(NotApproved, match="waits for its owner's approval"):
        await voted.get(CARD)
