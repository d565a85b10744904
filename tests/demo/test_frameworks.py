"""Apps of several frameworks, as `script/bench apps` plays them: one to the end, the rest by what is told of their code."""

import pytest

from bench.frameworks import APPS, OURS, ROUNDS, FrameworkApp, count_code, describe, format_apps, play_app
from dao.errors import DaoError

CODE = '''"""What it is."""

import numpy as np


def model():  # a comment
    """Some words
    on two lines."""
    text = """as code
    it is"""
    return {"w": np.zeros(3), "t": text}
'''
ROUND = {
    "loss_before": 2.0,
    "loss_after": 1.0,
    "nodes": [{"score": 600_000}, {"score": -100_000}, {"score": 0}],
}


def test_count_code__blank_lines_comments_and_docstrings__are_none() -> None:
    assert count_code(CODE) == 5


def test_describe__a_model_of_the_frameworks_own__is_unchanged() -> None:
    row = describe("any", "numpy", CODE, [ROUND, {**ROUND, "loss_before": 1.1, "loss_after": 0.5}])
    assert row == {
        "app": "any",
        "framework": "numpy",
        "unchanged": True,
        "lines_of_glue": 5,
        "rounds": 2,
        "loss_before": 2.0,
        "loss_after": 0.5,
        "score_sum_over_loss_drop": 0.5,
    }
    assert "| any | 5 | 2 | 2.000 | 0.500 | 0.500 |" in format_apps([row])
    assert not describe("any", "numpy", CODE + "class Net: pass\n", [ROUND])["unchanged"]


@pytest.mark.parametrize("app", OURS, ids=lambda app: app.folder.name)
def test_ours__each__is_unchanged_and_small(app: FrameworkApp) -> None:
    code = (app.folder / "app.py").read_text()
    assert describe("any", app.framework, code, [ROUND])["unchanged"]
    assert count_code(code) <= 40


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_play_app__multilayer_perceptron_without_torch__learns_and_its_scores_add_up() -> None:
    """In an environment of its own, where an index of packages can be reached."""
    try:
        row = play_app(FrameworkApp("mlp", "sklearn", APPS / "mlp"))
    except DaoError as error:
        if "environment cannot be built" not in str(error):
            raise
        pytest.skip(str(error))
    assert row["rounds"] == ROUNDS
    assert row["loss_after"] < row["loss_before"]
    assert 0.9 < row["score_sum_over_loss_drop"] < 1.1
