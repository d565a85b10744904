"""The figures of rounds in a database that MLflow itself reads, installed beside this project's packages."""

import json
import os
import posixpath
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.cli.mlflow_runs import describe_mlflow, make_name, require_mlflow
from dao.errors import ConfigError

INSTALL_LIMIT, WRITE_LIMIT = 240, 120  # seconds

WRITE = """
import json, sys
from pathlib import Path
from dao.audit.round_metrics import RoundMetrics
from dao.cli.mlflow_runs import require_mlflow, write_mlflow
folder = Path(sys.argv[1])
require_mlflow(folder)
rounds = [RoundMetrics(n, 1000 + n, {"loss/after": 1 / n, "score/0xab": -0.5, "metric/": 1.0, "metric/F1 (macro)@5": 1.0}) for n in (1, 3)]
address = write_mlflow(7, rounds, folder)
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=address)
[experiment] = client.search_experiments(filter_string="name = 'task 7'")
[run] = client.search_runs([experiment.experiment_id])
told = {name: [(m.step, m.timestamp, m.value) for m in client.get_metric_history(run.info.run_id, name)] for name in run.data.metrics}
print(json.dumps([run.info.status, address, told]))
"""


def test_require_mlflow__without_the_package__says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="pip install mlflow-skinny"):
        require_mlflow(tmp_path / "runs")


def test_require_mlflow__a_folder_with_files__is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: "here")
    (tmp_path / "mine").write_text("")
    with pytest.raises(ConfigError, match="is there already; expected a new name, or an empty folder"):
        require_mlflow(tmp_path)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("loss/after", "loss/after"),
        ("metric/F1 (macro)", "metric/F1 _macro_"),
        ("metric/accuracy@5", "metric/accuracy_5"),
        ("metric/", "metric/_"),
        ("metric/val//../f-1.0", "metric/val/_/_/f-1.0"),
        ("", "_"),
    ],
)
def test_make_name__words_of_strangers__are_as_mlflow_takes_them(text: str, name: str) -> None:
    assert make_name(text) == name


@given(st.text())
def test_make_name__any_text__is_short_and_a_path_of_its_own(text: str) -> None:
    name = make_name(f"metric/{text}")
    assert re.fullmatch(r"metric/[\w.\- /]{1,243}", name)
    assert posixpath.normpath(name) == name


def test_describe_mlflow__a_folder_with_a_space__is_quoted() -> None:
    said = describe_mlflow("sqlite:////my runs/mlflow.db")
    assert "pip install mlflow, in an environment of its own" in said
    assert said.endswith("mlflow ui --backend-store-uri 'sqlite:////my runs/mlflow.db'")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_write_mlflow__two_rounds__mlflow_reads_each_figure_at_its_round(tmp_path: Path) -> None:
    """With MLflow itself, where an index of packages can be reached."""
    packages, folder = tmp_path / "packages", tmp_path / "runs"
    uv = (Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--python", sys.executable)
    install = (*uv, "--target", packages, "mlflow-skinny>=3.14,<4")
    if subprocess.run(install, capture_output=True, timeout=INSTALL_LIMIT, check=False).returncode:
        pytest.skip("mlflow-skinny cannot be had here")
    environment = os.environ | {"PYTHONPATH": str(packages)}
    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(folder)],
        capture_output=True,
        text=True,
        timeout=WRITE_LIMIT,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    status, address, told = json.loads(done.stdout.splitlines()[-1])
    assert status == "FINISHED"
    assert address == f"sqlite:///{folder}/mlflow.db"
    assert told == {
        "loss/after": [[1, 1001000, 1.0], [3, 1003000, 1 / 3]],
        "score/0xab": [[1, 1001000, -0.5], [3, 1003000, -0.5]],
        "metric/_": [[1, 1001000, 1.0], [3, 1003000, 1.0]],
        "metric/F1 _macro__5": [[1, 1001000, 1.0], [3, 1003000, 1.0]],
    }
