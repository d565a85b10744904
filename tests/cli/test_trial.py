"""`dao task create` runs an app before it is proposed, and says what would not work."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dao.chain.signer import Signer
from dao.core.formats.card import FrozenBase, parse_card
from dao.core.formats.cid import Cid
from dao.core.types import hex_of
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from tests.cli.command import Dao

pytestmark = pytest.mark.usefixtures("forked_apps")

APP = """
import time
import torch
from numpy import loadtxt

def model():
    torch.manual_seed(0)
    return torch.nn.Linear(2, 1)

def data(path):
    rows = torch.from_numpy(loadtxt(path, delimiter=",", dtype="f4"))
    return {"x": rows[:, :2], "y": rows[:, 2:]}

def loss(model, batch):
    return torch.nn.functional.mse_loss(model(batch["x"]), batch["y"])

def train(model, data, *, seed, round):
    for weight, slope in zip(model.parameters(), torch.autograd.grad(loss(model, data), model.parameters())):
        weight.data.sub_(slope, alpha=0.1)
"""


@pytest.fixture
def create(tmp_path: Path) -> tuple[object, ...]:
    app, shards = tmp_path / "app", tmp_path / "shards"
    app.mkdir()
    shards.mkdir()
    (app / "app.py").write_text(APP)
    for name in ("a.csv", "b.csv"):
        (shards / name).write_text(f"1,2,{len(name)}\n3,4,{ord(name[0])}\n")
    places = ("--content-folder", tmp_path / "store", "--draft", tmp_path / "draft.json")
    superlink = hex_of(Signer.ephemeral().address)
    return (
        "task",
        "create",
        "--app",
        app,
        "--shards",
        shards,
        "--superlink-operator",
        superlink,
        "--fund-rounds",
        2,
        *places,
    )


def change(create: tuple[object, ...], old: str, new: str) -> None:
    app = Path(str(create[3])) / "app.py"
    assert old in app.read_text()
    app.write_text(app.read_text().replace(old, new))


def test_create__app_works__draft_and_nothing_odd(dao: Dao, create: tuple[object, ...]) -> None:
    done = dao.run(*create)
    assert done.stderr == ""
    fields = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert (fields["values"], fields["shards"], fields["funds"]) == ("3", "2", "2000")


def test_create__app_with_a_frozen_base__is_stored_and_bound_by_the_card(
    dao: Dao, create: tuple[object, ...], tmp_path: Path
) -> None:
    change(
        create,
        "return torch.nn.Linear(2, 1)",
        "made = torch.nn.Linear(2, 1)\n"
        "    made.bias.data = load_file(Path(__file__).with_name('base') / 'model.safetensors')['bias']\n"
        "    made.bias.requires_grad_(False)\n"
        "    return made",
    )
    change(
        create,
        "import torch",
        "import torch\nfrom pathlib import Path\nfrom safetensors.torch import load_file",
    )
    code = Path(str(create[3])) / "app.py"
    code.write_text(code.read_text().replace("model.parameters()", "[model.weight]"))
    other = str(cid_of_bytes(b"another"))
    asked = dao.refused(*create, "--frozen-base", other)
    assert asked.startswith(
        "frozen base: the card names one; expected its file as base/model.safetensors in "
    )
    frozen = code.with_name("base") / "model.safetensors"
    frozen.parent.mkdir()
    save_file({"bias": np.ones(1, np.float32)}, frozen)
    assert f"frozen base: the card names {other}, and base/model" in dao.refused(
        *create, "--frozen-base", other
    )
    done = dao.run(*create, "--frozen-base-note", "of a hub")
    assert done.stderr == ""
    fields = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    store = DiskStore(tmp_path / "store")
    base = parse_card(store.path_of(Cid.parse(fields["card"])).read_bytes()).base
    assert base == FrozenBase(cid_of_bytes(frozen.read_bytes()), "of a hub")
    assert store.path_of(base.cid).read_bytes() == frozen.read_bytes()
    assert fields["values"] == "2"  # the bias stays with the app


def test_create__app_fails_in_training__is_refused_and_nothing_stored(
    dao: Dao, create: tuple[object, ...], tmp_path: Path
) -> None:
    change(create, "alpha=0.1)", "alpha=0.1)\n    raise MemoryError('too many rows')")
    assert dao.refused(*create) == "train: MemoryError: too many rows (app.py line 20)"
    assert not (tmp_path / "store").exists()
    dao.run(*create, "--untried")


@pytest.mark.parametrize(
    ("old", "new", "limit", "said"),
    [
        ("alpha=0.1", "alpha=0.0", 120, "train(), tried on a.csv, left the model as it was"),
        (
            "    for weight",
            "    time.sleep(60)\n    for weight",
            10,
            "had not ended after 10 s, and was not waited for",
        ),
    ],
    ids=["learns nothing", "slow"],
)
def test_create__training_is_odd__said_on_a_line_and_made(
    dao: Dao, create: tuple[object, ...], old: str, new: str, limit: int, said: str
) -> None:
    change(create, old, new)
    done = dao.run(*create, "--trial", limit)
    assert done.stderr.startswith("dao: train(), tried on a.csv, ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_create__model_hangs__is_told_by_its_limit(dao: Dao, create: tuple[object, ...]) -> None:
    change(create, "    torch.manual_seed(0)", "    time.sleep(60)")
    said = dao.refused(*create, "--trial", 2)
    assert said == "model(): the app took longer than 2 s; give it more by --trial"


def test_create__loss_by_chance__is_refused(dao: Dao, create: tuple[object, ...]) -> None:
    change(create, 'model(batch["x"])', 'model(batch["x"] + torch.rand(2))')
    assert "give it a fixed seed" in dao.refused(*create)


def test_create__more_rounds_than_shards__refused_before_the_app_is_run(
    dao: Dao, create: tuple[object, ...]
) -> None:
    change(create, "import time", "import nothing_of_this_name")
    said = dao.refused(*create, "--fund-rounds", 3)
    assert "--fund-rounds 3: expected at most one for each of the 2 shards" in said


def test_create__app_cannot_join_public_rows__said_on_a_line_and_made(
    dao: Dao, create: tuple[object, ...]
) -> None:
    change(create, '"y": rows[:, 2:]', '"y": tuple(rows[:, 2:])')
    change(create, 'batch["y"]', 'torch.stack(tuple(batch["y"]))')
    assert dao.run(*create).stderr == (
        "dao: train(), tried on a.csv, would not use the shards of earlier rounds: data(): column 'y': tuple cannot be joined; "
        "expected torch tensors, numpy arrays or lists\n"
    )


def test_create__loss_is_a_sum__said_on_a_line_and_made(dao: Dao, create: tuple[object, ...]) -> None:
    change(create, 'batch["y"])', 'batch["y"], reduction="sum")')
    change(create, "alpha=0.1", "alpha=0.001")
    said = dao.run(*create).stderr
    assert said.startswith("dao: loss(), tried on a.csv, gave ")
    assert "expected the mean over the batch" in said
    assert said.count("\n") == 1


def test_create__metric_that_the_app_has_not__refused_and_nothing_stored(
    dao: Dao, create: tuple[object, ...], tmp_path: Path
) -> None:
    asked = (*create, "--metric", "f1")
    assert "metrics(): the app has none; expected one that gives 'f1'" in dao.refused(*asked)
    change(
        create, "def train(", "def metrics(model, data):\n    return {'mse': loss(model, data)}\n\ndef train("
    )
    assert "metrics(): gave mse; expected 'f1' among them" in dao.refused(*asked)
    assert not (tmp_path / "store").exists()
    done = dao.run(*create, "--metric", "mse", "--lower-is-better")
    assert done.stderr == ""


def test_create__model_that_no_machine_holds__is_told_before_anything_is_written(
    dao: Dao, create: tuple[object, ...], tmp_path: Path
) -> None:
    """Its app is cheap to start: all its values are one."""
    change(
        create,
        "return torch.nn.Linear(2, 1)",
        "made = torch.nn.Module()\n"
        "    made.w = torch.nn.Parameter(torch.zeros(1).expand(1 << 38))\n"
        "    return made",
    )
    said = dao.refused(*create)
    assert said.startswith(
        "app: a model of 1,099.5 GB in 2 processes of apps takes at least 2,200.2 GB of memory here"
    )
    assert not (tmp_path / "store").exists()
