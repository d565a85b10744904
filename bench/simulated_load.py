"""Sets what `dao simulate` takes of time and memory against the same trainings in one plain loop, on the digits of the demonstration."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.simulated_run import run_simulation
from dao.errors import DaoError

LIMIT = 3600.0  # seconds for one simulation or loop

# a process of its own, with one thread as those of the simulation have
_LOOP = """
import sys
import time
from pathlib import Path

import numpy as np
import torch

from dao.demo.images import APP, deal
from dao.demo.plan import DemoMember, Role
from dao.demo.split import Split, deal_rows
from node.public_shards import take_newest

sys.path.insert(0, str(APP))
import app

nodes, rounds, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
torch.set_num_threads(1)
dealt = deal([DemoMember(0, "all", Role.GOOD)], folder)
whole, shards = app.data(dealt.members[0]), sorted(dealt.shards.iterdir())
model = app.model()
first = {name: value.clone() for name, value in model.state_dict().items()}
parts = deal_rows(Split(None), whole["y"].numpy(), 10, nodes, 0)
started, used = time.monotonic(), time.process_time()
for number in range(1, rounds + 1):
    public = [app.data(path) for path in take_newest(shards[: number - 1])]
    for index, rows in enumerate(parts):
        own = {name: column[np.sort(rows)] for name, column in whole.items()}
        data = {name: torch.cat([column, *(one[name] for one in public)]) for name, column in own.items()}
        model.load_state_dict(first)
        for _ in app.train(model, data, seed=index, round=number):
            pass
print(time.monotonic() - started, time.process_time() - used)
"""


@dataclass(frozen=True)
class PlayedSimulation:
    """A simulation: seconds of its rounds, seconds of all cores with its starts, peaks in bytes, and what its rounds led to."""

    seconds: float
    core_seconds: float
    main_bytes: int
    largest_bytes: int  # of another process
    names: list[tuple[str, str]]  # model and manifest of each round


def measure(nodes: int, rounds: int, *, ray: bool) -> dict[str, Any]:
    """Play rounds and the same trainings in one loop, and return both in one row; `ray`: also by a Ray cluster on this machine."""
    with tempfile.TemporaryDirectory(prefix="commonweight-bench-") as scratch:
        folder = Path(scratch)
        loop, loop_core = _run_loop(nodes, rounds, folder)
        played = asyncio.run(_simulate(nodes, rounds, folder, ()))
        row = {
            "nodes": nodes,
            "rounds": rounds,
            "loop_seconds": round(loop, 1),
            "seconds": round(played.seconds, 1),
            "seconds_over_loop": round(played.seconds / loop, 2),
            "core_seconds_over_loop": round(played.core_seconds / loop_core, 2),
            "main_mb": played.main_bytes // 10**6,
            "largest_trainer_mb": played.largest_bytes // 10**6,
        }
        if ray:
            clustered = asyncio.run(_simulate(nodes, rounds, folder, ("--ray", "local")))
            row["ray_seconds"] = round(clustered.seconds, 1)
            row["ray_same_bytes"] = clustered.names == played.names
    return row


def _run_loop(nodes: int, rounds: int, folder: Path) -> tuple[float, float]:
    command = [sys.executable, "-c", _LOOP, str(nodes), str(rounds), str(folder / "loop")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode:
        raise DaoError(f"the loop: {done.stderr.strip().rpartition(chr(10))[2]}")
    seconds, core = map(float, done.stdout.split())
    return seconds, core


async def _simulate(nodes: int, rounds: int, folder: Path, more: Sequence[str]) -> PlayedSimulation:
    """Run the command, watching it and all that it starts."""
    options = ("--split", "iid", "--nodes", nodes, "--rounds", rounds, *more)
    run = await run_simulation(f"{nodes} nodes", folder / "out.json", *options, limit=LIMIT)
    peaks = run.sampler.peaks
    return PlayedSimulation(
        sum(one["seconds"] for one in run.rounds),
        sum(run.sampler.core_seconds.values()),
        peaks[run.pid],
        max(peak for pid, peak in peaks.items() if pid != run.pid),
        [(one["model"], one["manifest"]) for one in run.rounds],
    )
