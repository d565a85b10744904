"""The frozen base of an adapter: found beside an app, bound by its digest, fetched by it, and laid beside the app that others unpack."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dao.app.bundle import FROZEN_BASE, bundle, read_bundle, unpack
from dao.app.frozen_base import fetch_frozen_base, find_frozen_base, place_frozen_base
from dao.app.gradient_client import GradientClient
from dao.core.formats.card import Card, FrozenBase, write_card
from dao.core.formats.layout import Model, parse_model
from dao.core.types import TaskId
from dao.errors import AppError, DecodeError, NotFound
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from node.approvals import Approvals
from node.check.site_data import SiteData
from node.evaluators import open_evaluator
from node.readiness import SupernodeReadiness
from node.state_notes import StateNotes
from node.trainer import Trained, Trainer

pytestmark = pytest.mark.usefixtures("forked_apps")

ADAPTER = """
from pathlib import Path
import torch
from safetensors.torch import load_file
from torch import nn

class Adapted(nn.Module):
    def __init__(self):
        super().__init__()
        self.base = nn.Linear(4, 4, bias=False)
        self.base.load_state_dict(load_file(Path(__file__).with_name("base") / "model.safetensors"))
        self.base.requires_grad_(False)
        self.down, self.up = nn.Parameter(torch.ones(1, 4)), nn.Parameter(torch.zeros(4, 1))

    def forward(self, x):
        return self.base(x) + x @ self.down.T @ self.up.T

def model():
    return Adapted()

def data(path):
    torch.manual_seed(1)
    x = torch.randn(64, 4)
    return {{"x": x, "y": 2 * x}}

def loss(model, batch):
    return (model(batch["x"]) - batch["y"]).square().mean()

def train(model, data, *, seed, round):
    {before}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        loss(model, data).backward()
        optimizer.step()
"""


class Site:
    """A folder with an author's app, and with what others unpack of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.author, self.app = folder, folder / "author", folder / "app"
        self.base, self.out, self.rows = folder / "first", folder / "out", folder / "rows"
        self.rows.write_text("1")
        self.open: list[Trainer | GradientClient] = []

    def write(self, scale: float = 1.0, before: str = "pass") -> Path:
        """Write the author's app; return its frozen base."""
        import torch
        from safetensors.torch import save_file

        (self.author / "base").mkdir(parents=True, exist_ok=True)
        (self.author / "app.py").write_text(ADAPTER.format(before=before))
        save_file({"weight": scale * torch.eye(4)}, self.author / FROZEN_BASE)
        return self.author / FROZEN_BASE

    def lay(self, base: Path | None) -> None:
        unpack(bundle(self.author), self.app)
        place_frozen_base(base, self.app)

    async def create(self) -> Model:
        self.open.append(trainer := Trainer.of(self.app, self.rows, self.folder / "app.log", threads=1))
        await trainer.create(self.base)
        return parse_model(self.base.read_bytes())

    async def train(self) -> tuple[Model, Trained]:
        (trainer,) = (one for one in self.open if isinstance(one, Trainer))
        trained = await trainer.train(self.base, self.out, seed=1, round=1, limit=60)
        return parse_model(self.out.read_bytes()), trained

    def client(self) -> GradientClient:
        scratch = self.folder / "evaluator"
        self.open.append(
            client := GradientClient(self.app, Path(sys.executable), scratch, limit=60, threads=1)
        )
        return client


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path)
    yield site
    for one in site.open:
        await one.stop()


async def test_adapter__its_trained_parameters_alone_travel_and_the_base_stays(site: Site) -> None:
    site.lay(site.write())
    first = await site.create()
    assert sorted(first.tensors) == ["down", "up"]
    assert first.layout.carried == ()
    after, trained = await site.train()
    assert abs(after.tensors["up"]).max() > 0
    assert trained.kept_here == ()


async def test_adapter__training_changes_the_base_after_all__is_told(site: Site) -> None:
    site.lay(site.write(before="model.base.weight.data.mul_(2)"))
    await site.create()
    _, trained = await site.train()
    assert trained.kept_here == ("base.weight",)


async def test_adapter__base_is_missing__one_clear_line(site: Site) -> None:
    site.write()
    site.lay(None)
    with pytest.raises(AppError, match=r"FileNotFoundError.*model.safetensors.*app.py line") as raised:
        await site.create()
    assert "\n" not in str(raised.value)


async def test_evaluator__another_base_by_vote__starts_anew_with_it(site: Site) -> None:
    one = site.write()
    site.lay(one)
    await site.create()
    client, losses = site.client(), []
    kept = site.folder / "kept"
    os.link(one, kept)
    one.unlink()
    for base in (kept, kept, site.write(scale=2.0)):  # the last one gives y itself
        await client.configure({}, base)
        losses.append(await client.loss(site.base, site.rows))
    assert losses[0] == losses[1] > 0.5
    assert losses[2] < 1e-12


def test_bundle__frozen_base__is_no_part_of_it_and_stays_beside_what_is_unpacked(site: Site) -> None:
    base = site.write()
    (site.author / "base" / "config.json").write_text("{}")
    assert find_frozen_base(site.author) == base
    content = bundle(site.author)
    assert sorted(read_bundle(content)) == ["app.py", "base/config.json"]
    site.lay(base)
    assert (site.app / FROZEN_BASE).samefile(base)
    assert not place_frozen_base(base, site.app)
    unpack(content, site.app)
    assert find_frozen_base(site.app)
    assert place_frozen_base(None, site.app)  # a later card has none
    assert find_frozen_base(site.app) is None
    assert not place_frozen_base(None, site.app)
    (site.author / "base" / "other.safetensors").write_bytes(b"\xff")
    with pytest.raises(AppError, match=r"base/other.safetensors': is not UTF-8 text"):
        bundle(site.author)


def test_bundle__file_in_the_place_of_the_frozen_base__is_refused() -> None:
    content = f'{{"files":{{"app.py":"","{FROZEN_BASE}":"x"}},"format":"app/1"}}'.encode()
    with pytest.raises(DecodeError, match=f"not {FROZEN_BASE}"):
        read_bundle(content)


async def test_fetch__by_the_cards_cid__and_where_nobody_has_it_says_where_it_can_be_had(site: Site) -> None:
    base, store = site.write(), DiskStore(site.folder / "store")
    card = Card("Any", base=FrozenBase(cid_of_bytes(base.read_bytes()), "of the hub: any/model, revision 7"))
    with pytest.raises(
        NotFound, match=r"frozen base b\w+ cannot be had: .*; the card says of it: of the hub: any/model"
    ):
        await fetch_frozen_base(store, card)
    await store.put_file(base)
    path = await fetch_frozen_base(store, card)
    assert path is not None
    assert path.read_bytes() == base.read_bytes()
    assert await fetch_frozen_base(store, Card("Any")) is None


async def test_node__task_of_an_adapter__trains_and_evaluates_with_the_base_of_its_card(site: Site) -> None:
    store = LayeredStore(DiskStore(site.folder / "store"))
    base = await store.put_file(site.write())
    card = await store.put_bytes(write_card(Card("Any", base=FrozenBase(base, ""))))
    app = await store.put_bytes(bundle(site.author))
    rules: Any = SimpleNamespace(app_hash=app.digest, card=card.digest)
    home, task = site.folder / "home", TaskId(1)
    home.mkdir()
    approvals = Approvals(home)
    approvals.approve(task, app.digest, card.digest)
    readiness = SupernodeReadiness(
        *(task, cast("Any", None), store, cast("Any", None)),
        lambda folder, _: Trainer.of(folder, site.rows, site.folder / "app.log", threads=1),
        *(home / "apps", approvals, SiteData(site.rows, task), StateNotes(home, task)),
    )
    site.open.append(trainer := await readiness.get_trainer(rules))
    await trainer.create(site.base)
    await site.train()
    opening = open_evaluator(
        *(store, approvals, task, rules),
        lambda folder, scratch: GradientClient(folder, Path(sys.executable), scratch, limit=60, threads=1),
        app=home / "evaluated",
        scratch=home / "scratch",
    )
    async with opening as evaluator:
        before, after = [await evaluator.loss(model, site.rows) for model in (site.base, site.out)]
    assert after < before
