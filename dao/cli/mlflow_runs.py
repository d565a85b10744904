"""Writes the figures of a task's rounds as MLflow has them: a run in a database of its own, which `mlflow ui` shows."""

import importlib.util
import logging
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from dao.audit.round_metrics import RoundMetrics
from dao.cli.output import require_empty
from dao.core.types import TaskId
from dao.errors import ConfigError

DATABASE = "mlflow.db"
_MOST = 1000  # figures that MLflow takes at once
_MOST_CHARACTERS = 250  # that it takes in a name


def require_mlflow(folder: Path) -> None:
    """Raise ConfigError where the package is not here, or the folder has something in it."""
    if importlib.util.find_spec("mlflow") is None:
        raise ConfigError("--mlflow: needs a package that is not here: pip install mlflow-skinny")
    require_empty(folder, "--mlflow")


def make_name(text: str) -> str:
    """Return a figure's name as MLflow takes it: of letters, digits and `_ . - /` and spaces, with no part empty or of dots alone."""
    # what stands for an empty part adds a character for each slash, at most as many as there were
    parts = re.sub(r"[^\w.\- /]", "_", text[: _MOST_CHARACTERS // 2]).split("/")
    return "/".join(part if part.strip(".") else "_" for part in parts)


def describe_mlflow(address: str) -> str:
    """Return how to show a database: by the whole of MLflow, whose packages go with no other's."""
    return (
        "to show it (pip install mlflow, in an environment of its own): "
        f"mlflow ui --backend-store-uri {shlex.quote(address)}"
    )


def write_mlflow(task: TaskId, found: Sequence[RoundMetrics], folder: Path) -> str:
    """Write a run with a step for each round into a folder's database; return the address to show it by."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it would send who uses it to its makers
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    logging.getLogger("mlflow").setLevel(logging.WARNING)  # says that it makes tables
    folder.mkdir(parents=True, exist_ok=True)
    address = f"sqlite:///{(folder / DATABASE).absolute()}"
    client = MlflowClient(tracking_uri=address)
    name = f"task {task}"
    experiment = client.create_experiment(name, artifact_location=(folder / "artifacts").absolute().as_uri())
    times = [1000 * one.posted_at for one in found]
    run = client.create_run(experiment, start_time=min(times, default=0), run_name=name).info.run_id
    figures = [
        Metric(make_name(key), value, at, one.round)
        for one, at in zip(found, times, strict=True)
        for key, value in one.values.items()
    ]
    for first in range(0, len(figures), _MOST):
        client.log_batch(run, metrics=figures[first : first + _MOST])
    client.set_terminated(run, end_time=max(times, default=0))
    return address
