"""The metric that people read: measured beside the loss, refused in one line where it is none, and never at a round's cost."""

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from aggregator import compute
from aggregator.compute import RoundComputer, RoundJob
from aggregator.publisher import Publisher
from dao.app.gradient_client import GradientClient
from dao.app.shards import read_shards
from dao.core.formats.manifest import Manifest, MeasuredMetric
from dao.core.types import RoundId, Wei
from dao.demo.simulation import Simulation
from dao.errors import AppError
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from tests.aggregator.assignment import APP, Assignment

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("forked_apps")]

ACCURACY = 'return {"rows": len(right), "accuracy": right.float().mean()}'
BODIES = {  # of functions of the model's answers: and how they are refused
    'return {"accuracy": float("nan")}': "gave nan for 'accuracy'; expected a finite number",
    'return {"accuracy": "high"}': "gave 'high' for 'accuracy'; expected a finite number",
    'return {"accuracy": True}': "gave True for 'accuracy'; expected a finite number",
    'return {"accuracy": right}': r"cannot be converted to Scalar \(worker.py|a Tensor with 96 elements",
    'return {f"f{n}": n for n in range(10**6)}': "gave f0, f1, .*…; expected 'accuracy' among them",
    "return {}": "gave nothing; expected 'accuracy' among them",
    "return 0.9": "gave a float; expected figures by name",
    'raise ValueError("no rows")': r"ValueError: no rows \(app.py line \d+\)",
}
ALL_IN_TURN = "return next(BODIES)(right)\n" + "".join(
    f"\ndef body_{place}(right):\n    {body}\n" for place, body in enumerate(BODIES)
)
ALL_IN_TURN += f"\nBODIES = iter([{', '.join(f'body_{place}' for place in range(len(BODIES)))}])"


@dataclass
class Bench:
    """One round without updates, again and again, by an app whose `metrics` ends as a test says."""

    simulation: Simulation
    evaluator: GradientClient
    folder: Path
    shard: Path
    troubles: list[str] = field(default_factory=list)

    def computer(self, metric: str | None) -> RoundComputer:
        publisher = Publisher(LayeredStore(DiskStore(self.folder / "store")))
        return RoundComputer(self.evaluator, publisher, self.folder / "scratch", self._report, metric)

    async def play(self, computer: RoundComputer) -> Manifest:
        inputs, base = self.simulation.build_inputs(RoundId(1), []), self.simulation.base
        gate = await computer.gate(base, self.shard, inputs.rules.body_depth)
        job = RoundJob(inputs, base, {}, self.shard)
        return (await computer.settle(job, gate, announce=lambda _model, _step: None)).manifest

    def _report(self, event: str, **fields: Any) -> None:
        assert event == "trouble"
        self.troubles.append(fields["error"])


@pytest_asyncio.fixture(loop_scope="session")
async def bench(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    assignment = Assignment.make(tmp_path / "task")
    ending = getattr(request, "param", ACCURACY)
    code = APP.replace(ACCURACY, ending) if ending else APP[: APP.index("def metrics")]
    (assignment.app / "app.py").write_text(code)
    evaluator = GradientClient(assignment.app, Path(sys.executable), tmp_path / "out", limit=60, threads=1)
    shards = read_shards(assignment.shards)
    simulation = Simulation(evaluator, shards, tmp_path / "simulated", Wei(100))
    await simulation.begin(assignment.base)
    index = simulation.build_inputs(RoundId(1), []).shard.index
    yield Bench(simulation, evaluator, tmp_path / "computed", shards.paths[index])
    await evaluator.stop()


async def test_settle__card_names_a_metric__the_manifest_states_it_in_millionths(bench: Bench) -> None:
    manifest = await bench.play(bench.computer("accuracy"))
    assert manifest.metric is not None
    rows = manifest.metric.value * 96 / 10**6
    assert manifest.metric.name == "accuracy"
    assert rows == pytest.approx(round(rows), abs=1e-3)  # of the shard's 96
    assert 0 < rows < 96
    assert (await bench.play(bench.computer("rows"))).metric == MeasuredMetric("rows", 96 * 10**6)
    assert (await bench.play(bench.computer(None))).metric is None
    assert bench.troubles == []


@pytest.mark.parametrize("bench", [None], indirect=True)
async def test_settle__app_without_metrics__one_line_and_a_round_without(bench: Bench) -> None:
    assert (await bench.play(bench.computer("accuracy"))).metric is None
    [trouble] = bench.troubles
    assert trouble.startswith("metric: metrics(): the app has none; expected one that gives 'accuracy'")


@pytest.mark.parametrize("bench", [ALL_IN_TURN], indirect=True)
async def test_metric__no_such_number__refused_in_one_line(bench: Bench) -> None:
    for words in BODIES.values():
        with pytest.raises(AppError, match=words) as refused:
            await bench.evaluator.metric("accuracy", bench.simulation.base.path, bench.shard)
        assert len(str(refused.value)) < 600
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("bench", ['return {"accuracy": float("nan")}'], indirect=True)
async def test_settle__metrics_gives_no_such_number__told_each_time_and_a_round_without(bench: Bench) -> None:
    computer = bench.computer("accuracy")
    assert [(await bench.play(computer)).metric for _ in range(2)] == [None, None]
    assert [text.startswith("metric: metrics(): gave nan") for text in bench.troubles] == [True, True]


@pytest.mark.parametrize("bench", ["import time; time.sleep(600)", "import os; os._exit(3)"], indirect=True)
async def test_settle__metrics_hangs_or_ends_the_process__it_costs_one_round_a_moment_and_later_ones_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute, "PATIENCE", 0.5)
    computer = bench.computer("accuracy")
    assert [(await bench.play(computer)).metric for _ in range(2)] == [None, None]
    [trouble] = bench.troubles
    assert trouble.endswith("it is not measured again before the card changes")


@pytest.mark.parametrize(
    "bench",
    ['model.train(); data["x"].zero_(); model[0].weight.zero_(); return {"accuracy": 1}'],
    indirect=True,
)
async def test_metric__app_changes_model_mode_and_rows__later_gradients_are_as_before(bench: Bench) -> None:
    base = bench.simulation.base.path
    before = await bench.evaluator.gate_gradient(base, bench.shard)
    values, loss = np.fromfile(before.path, "<f4"), before.loss
    assert await bench.evaluator.metric("accuracy", base, bench.shard) == 1
    np.testing.assert_array_equal(np.fromfile(before.path, "<f4"), values)
    after = await bench.evaluator.gate_gradient(base, bench.shard)
    np.testing.assert_array_equal(np.fromfile(after.path, "<f4"), values)
    assert after.loss == loss
