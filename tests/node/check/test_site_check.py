"""A site is checked before it stakes: schema first, then the app on the data in the sandbox; counts, never values."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dao.app.bundle import bundle
from dao.app.sandbox import SandboxSettings
from dao.core.formats.card import Card
from dao.core.types import RoundId
from dao.errors import DataError
from node.check.rehearsal import SiteApp
from node.check.site_check import SiteReport, check_site, describe_report
from node.check.site_data import SiteData
from node.check.task_inputs import PublicRows, TaskInputs
from node.trainer import Trainer
from tests.support import RULES

pytestmark = [pytest.mark.slow]
SECRET = "Zanzibar"
APP = """
import csv

import torch


def model():
    torch.manual_seed(0)
    return torch.nn.Linear(3, 2)


def data(path):
    with open(path) as file:
        rows = [row for row in list(csv.reader(file))[1:] if all(row)]
    table = torch.tensor([[float(cell) for cell in row[:3]] for row in rows])
    return {"x": table, "y": torch.tensor([row[3] == "M" for row in rows]).long()}


def loss(model, batch):
    return torch.nn.functional.cross_entropy(model(batch["x"]), batch["y"])


def train(model, data, *, seed, round):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    ballast = bytearray(64 << 20)
    for _ in range(30):
        optimizer.zero_grad()
        value = loss(model, data)
        value.backward()
        optimizer.step()
        yield {"loss": value.item()}
    assert ballast
"""
SCHEMA = {
    "format": "schema/1",
    "least_rows": 10,
    "label": "kind",
    "columns": [
        {"name": "a", "type": "number"},
        {"name": "b", "type": "number", "missing": "skip"},
        {"name": "c", "type": "number"},
        {"name": "kind", "type": "code", "codes": ["B", "M"]},
    ],
}
ROWS = 60


def write_rows(path: Path, seed: int, *, flipped: bool = False) -> Path:
    dice = np.random.Generator(np.random.Philox(seed))
    x = dice.standard_normal((ROWS, 3))
    kinds = ["BM"[int((row.sum() > 0) != flipped)] for row in x]
    lines = [",".join([*(f"{value:.4f}" for value in row), kind]) for row, kind in zip(x, kinds, strict=True)]
    path.write_text("\n".join(["a,b,c,kind", *lines]) + "\n")
    return path


class Task:
    """A task's content, without a chain: app, model, public rows."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.app = folder, folder / "app"
        self.app.mkdir()
        (self.app / "app.py").write_text(APP)

    async def inputs(self, *, schema: bool = True, code: str = APP) -> TaskInputs:
        (self.app / "app.py").write_text(code)
        if schema:
            (self.app / "schema.json").write_text(json.dumps(SCHEMA))
        model = self.folder / "model"
        trainer = Trainer.of(self.app, None, self.folder / "app.log")
        await trainer.create(model)
        await trainer.stop()
        public = PublicRows(RoundId(7), write_rows(self.folder / "shard", 99))
        rules = replace(RULES, commit_period=100, reveal_period=10, body_depth=1)
        return TaskInputs(rules, bundle(self.app), model, public, Card("Cells", purpose="Tells cells apart"))

    async def check(self, inputs: TaskInputs, data: Path, **more: Any) -> SiteReport:
        site = SiteApp(data, Path(sys.executable), SandboxSettings(mode="auto"), 1)
        return await check_site(inputs, site, **more)


@pytest.fixture
def task(forked_apps: None, tmp_path: Path) -> Task:
    return Task(tmp_path)


async def test_check__good_site__is_measured_in_the_sandbox_and_has_a_dry_score(tmp_path: Path) -> None:
    task, data = Task(tmp_path), write_rows(tmp_path / "mine.csv", 1)
    lines = data.read_text().splitlines()
    lines[4] = ",".join([lines[4].split(",")[0], "", *lines[4].split(",")[2:]])
    data.write_text("\n".join(lines) + "\n")
    report = await task.check(await task.inputs(), data, line_rate=125_000.0)
    assert report.faults == []
    assert report.data is not None
    assert (report.data.rows, report.data.skipped, sum(report.data.labels.values())) == (60, 1, 60)
    ran = report.rehearsal
    assert ran is not None
    assert ran.rows == 59
    assert (64 << 20) < ran.memory_bytes < (4 << 30)
    assert ran.update_bytes > 260
    assert 0 < ran.norm < 100
    score = ran.dry_score
    assert score is not None
    assert score.loss_after < score.loss_before
    assert score.cosine > 0.5
    words = "\n".join(describe_report(report))
    assert words.startswith("task's name: Cells\ntask's purpose: Tells cells apart\n")
    assert "60 rows in 1 file; 59 can be used, 1 have no value" in words
    assert "public rows of round 7" in words
    assert "nothing was found that would keep you out" in words
    json.dumps(report.document())


async def test_check__labels_the_wrong_way_round__shows_in_the_dry_score(task: Task, tmp_path: Path) -> None:
    report = await task.check(await task.inputs(), write_rows(tmp_path / "mine.csv", 1, flipped=True))
    assert report.rehearsal is not None
    score = report.rehearsal.dry_score
    assert score is not None
    assert score.loss_after > score.loss_before
    assert not score.passes
    assert "which alone does not pass the gate" in "\n".join(describe_report(report))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            APP.replace(".long()}", '.long(), "n": [0] * len(rows) if "mine" in path else (0,) * len(rows)}'),
            "data(): column 'n': list and tuple cannot be joined; expected torch tensors, numpy arrays or lists",
        ),
        (
            f"{APP}\ndef join(data, public):\n    raise KeyError('{SECRET}')\n",
            f"KeyError (app.py line {len(APP.splitlines()) + 3}); run it by itself on your data to see more",
        ),
    ],
)
async def test_check__public_rows_cannot_be_joined__says_why_without_a_value(
    task: Task, tmp_path: Path, code: str, words: str
) -> None:
    report = await task.check(
        await task.inputs(code=code, schema=False), write_rows(tmp_path / "mine.csv", 1)
    )
    said = "\n".join(describe_report(report))
    assert f"public rows: the app trains on yours alone, for it cannot have both: join: {words}" in said
    assert SECRET not in said + json.dumps(report.document())


async def test_check__schema_finds_a_defect__does_not_run_the_app(task: Task, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "mine.csv", 1)
    data.write_text(data.read_text().replace(",M\n", f",{SECRET}\n", 1))
    report = await task.check(await task.inputs(), data)
    assert report.rehearsal is None
    (fault,) = report.faults
    assert "column 'kind': an unknown code" in fault
    assert SECRET not in "\n".join(describe_report(report)) + json.dumps(report.document())


async def test_check__no_schema__the_apps_own_error_names_its_line_and_quotes_no_value(
    task: Task, tmp_path: Path
) -> None:
    data = write_rows(tmp_path / "mine.csv", 1)
    data.write_text(data.read_text() + f"1,2,{SECRET},B\n")
    report = await task.check(await task.inputs(schema=False), data)
    assert not report.has_schema
    (fault,) = report.faults
    assert fault.startswith("the app fails on your data: load: ValueError (app.py line 15); run it by itself")
    assert SECRET not in "\n".join(describe_report(report)) + json.dumps(report.document())


async def test_check__slow_line_few_rows_and_an_app_that_does_nothing__are_faults(
    task: Task, tmp_path: Path
) -> None:
    idle = APP + "\n\ndef train(model, data, *, seed, round):\n    return {}\n"
    report = await task.check(
        await task.inputs(code=idle), write_rows(tmp_path / "mine.csv", 1), line_rate=10.0, least_rows=61
    )
    few, same, slow = report.faults
    assert few == "60 rows can be used, and your own setting asks for 61"
    assert same == "training left the model as it was"
    assert slow.startswith("your line is too slow: ")


async def test_site_data__in_the_daemon__counts_good_data_and_refuses_others(
    task: Task, tmp_path: Path
) -> None:
    inputs, path = await task.inputs(), write_rows(tmp_path / "mine.csv", 1)
    good = SiteData(path, 1)
    await good.check(inputs.bundle)
    assert (good.counts["rows"], good.counts["skipped"]) == (60, 0)
    with pytest.raises(DataError, match="60 rows can be used, and your own setting asks for 61"):
        await SiteData(path, 1, least_rows=61).check(inputs.bundle)
    good.require_used(60)
    with pytest.raises(DataError, match="9 rows can be used"):
        SiteData(path, 1, least_rows=10).require_used(9)
    path.write_text(path.read_text().replace(",M\n", f",{SECRET}\n", 2))
    with pytest.raises(DataError, match=r"unknown code.*dao node check 1 shows all") as refused:
        await good.check(inputs.bundle)
    assert SECRET not in str(refused.value)
    await SiteData(path, 1, bears_defects=True).check(inputs.bundle)


async def test_check__settings_and_carried_buffers__the_app_gets_them_and_the_score_leaves_them_out(
    task: Task, tmp_path: Path
) -> None:
    code = APP.replace(
        "torch.nn.Linear(3, 2)", "torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2))"
    )
    inputs = await task.inputs(code=code)  # the first model is made without settings
    code = code.replace(
        "def train(model, data, *, seed, round):", "def train(model, data, *, seed, round, settings):"
    )
    (task.app / "app.py").write_text(code.replace("lr=0.5", 'lr=settings["rate"]'))
    inputs = replace(inputs, bundle=bundle(task.app), card=Card("Cells", settings={"rate": 0.5}))
    report = await task.check(inputs, write_rows(tmp_path / "mine.csv", 1))
    assert report.faults == []
    assert report.rehearsal is not None
    assert report.rehearsal.dry_score is not None
    assert report.rehearsal.dry_score.cosine > 0.5


async def test_check__nothing_public_yet__tries_the_join_with_own_rows_that_are_loaded_once(
    task: Task, tmp_path: Path
) -> None:
    once = APP.replace(
        "def data(path):\n", "read = []\n\ndef data(path):\n    assert not read\n    read.append(path)\n"
    )
    inputs = replace(await task.inputs(code=once, schema=False), public=None)
    report = await task.check(inputs, write_rows(tmp_path / "mine.csv", 1))
    assert report.faults == []
    assert report.rehearsal is not None
    assert report.rehearsal.public_problem == ""
