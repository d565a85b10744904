"""An app trains on public rows beside its node's own, and on its own alone where it cannot have both."""

import re

import numpy as np
import pytest

from dao.app.worker import open_model_file
from node.trainer import Trainer
from tests.node.test_trainer import APP, Home, home

__all__ = ["home"]

COLUMNS_APP = APP.replace(
    "return float(open(path).read())", "return {'x': np.array([float(open(path).read())])}"
)
JOINING_APP = f"{COLUMNS_APP}\ndef join(data, public):\n    raise KeyError('ward')\n"
OWN = "data if np.isscalar(data) else str(data['x'].tolist())"
LEARN_ALL = "model.state['weight'] += np.float32(data['x'].sum())\nreturn {'rows': len(data['x'])}"


async def test_train__public_rows__are_learned_beside_the_nodes_own(home: Home) -> None:
    trainer = home.trainer()
    lines = "".join(f"    {line}\n" for line in LEARN_ALL.splitlines())
    home.write(f"{COLUMNS_APP}\ndef train(model, data, *, seed, round):\n{lines}")
    shards = [home.folder / name for name in ("first", "second", "third")]
    for number, shard in enumerate(shards):
        shard.write_text(str(10 ** (number + 1)))
    before = open_model_file(home.base).tensors["weight"]
    # more shards, others, fewer and none: own rows stay, and each time these shards alone come to them
    for public, learned in ((shards[:1], 12), (shards, 1112), (shards[1:], 1102), ([], 2)):
        trained = await home.train(trainer, public=public)
        assert (trained.public_shards, trained.public_problem) == (len(public), "")
        assert trained.metrics == {"rows": 1 + len(public)}
        np.testing.assert_array_equal(open_model_file(home.out).tensors["weight"], before + learned)


@pytest.mark.parametrize(
    ("app", "shard", "own", "words"),
    [
        (APP, "5", 2.0, r"data\(\): gave float, which cannot be joined with public rows; give a mapping .*"),
        (COLUMNS_APP, "none", "[2.0]", r"ValueError: could not convert .*: 'none' \(app.py line \d+\)"),
        (JOINING_APP, "5", "[2.0]", r"KeyError: 'ward' \(app.py line \d+\)"),
    ],
)
async def test_train__public_rows_cannot_be_joined__own_rows_alone_and_a_line(
    home: Home, app: str, shard: str, own: object, words: str
) -> None:
    home.write(f"{app}\ndef train(model, data, *, seed, round):\n    return {{'own': {OWN}}}\n")
    (home.folder / "shard").write_text(shard)
    trainer = Trainer.of(home.app, home.data, home.log)
    home.trainers.append(trainer)
    for _ in range(2):
        trained = await home.train(trainer, public=[home.folder / "shard"])
        assert trained.public_shards == 0
        assert re.fullmatch(words, trained.public_problem), trained.public_problem
        assert trained.metrics == {"own": own}
