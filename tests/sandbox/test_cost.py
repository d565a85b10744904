"""What the sandbox costs: under 20 ms for a training call with a model of 1 MB."""

import time
from pathlib import Path

import numpy as np

from dao.app.sandbox import SandboxSettings
from dao.app.worker import create_model_file
from node.trainer import Trainer
from tests.sandbox.support import head_of
from tests.sandbox.test_bad_days import APP

VALUES, CALLS, MOST = 1 << 18, 60, 0.020


async def test_sandbox__round_of_a_megabyte__costs_under_20_ms(tmp_path: Path) -> None:
    """The best of many calls with and without, in turns: what other programs take of the machine is in neither."""
    app, data, base = tmp_path / "app", tmp_path / "mine.csv", tmp_path / "base"
    app.mkdir()
    (app / "app.py").write_text(APP.replace("np.zeros(4,", f"np.zeros({VALUES},") + "    pass\n")
    data.write_text("1")
    create_model_file(base, head_of({"weight": [VALUES]})).tensors["weight"][:] = np.arange(VALUES)
    best: dict[str, float] = {}
    trainers = {
        mode: Trainer.of(app, data, tmp_path / f"{mode}.log", threads=1, sandbox=SandboxSettings(mode=mode))
        for mode in ("require", "none")
    }
    try:
        for call in range(CALLS):
            for mode, trainer in trainers.items():
                await trainer.start()
                started = time.perf_counter()
                await trainer.train(base, tmp_path / f"{mode}.out", seed=1, round=call, limit=60)
                best[mode] = min(best.get(mode, np.inf), time.perf_counter() - started)
    finally:
        for trainer in trainers.values():
            await trainer.stop()
    assert (tmp_path / "require.out").read_bytes() == (tmp_path / "none.out").read_bytes()
    assert best["require"] - best["none"] < MOST, best
