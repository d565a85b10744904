"""The figures of rounds, and the files that TensorBoard reads: a step for each round, by round and by Supernode."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c

from dao.audit.provenance import TracedRound
from dao.audit.round_metrics import list_metrics
from dao.cli.task_metrics import print_rounds, write_tensorboard
from dao.core.formats.manifest import MeasuredMetric
from dao.core.types import hex_of
from dao.errors import ConfigError

ONE, OTHER = bytes([1] * 20), bytes([2] * 20)


def traced(number: int, before: int, after: int, *, name: str | None = None) -> TracedRound:
    nodes = [
        SimpleNamespace(node=ONE, weight=5, score=before - after, reward_wei=3 * 10**18),
        SimpleNamespace(node=OTHER, weight=0, score=0, reward_wei=0),
    ]
    metric = MeasuredMetric(name, 875_000) if name else None
    manifest = SimpleNamespace(
        metric=metric, loss_before=before, loss_after=after, nodes=nodes, passes=[1], absent=[]
    )
    record = SimpleNamespace(round=number, state=SimpleNamespace(posted_at=1000 + number))
    return TracedRound(cast("Any", record), cast("Any", manifest), ())


WITHOUT, WITH = traced(1, 2_000_000, 1_500_000), traced(3, 1_500_000, 1_250_000, name="acc\u202euracy")
ROUNDS = [WITHOUT, WITH]


def read_events(folder: Path) -> list[tuple[str, int, float, float]]:
    """Read the scalars of the one event file, checking each record's sums: (tag, step, value, time)."""
    [file] = folder.iterdir()
    data, found = file.read_bytes(), []
    while data:
        size = int.from_bytes(data[:8], "little")
        assert int.from_bytes(data[8:12], "little") == masked_crc32c(data[:8])
        event = Event.FromString(data[12 : 12 + size])
        assert int.from_bytes(data[12 + size : 16 + size], "little") == masked_crc32c(data[12 : 12 + size])
        found += [(one.tag, event.step, one.simple_value, event.wall_time) for one in event.summary.value]
        data = data[16 + size :]
    return found


def test_list_metrics__each_round__metric_before_losses_who_took_part_and_each_supernode() -> None:
    first, last = list_metrics(ROUNDS)
    assert (first.round, last.round, last.posted_at) == (1, 3, 1003)
    assert [name for name in first.values if name.startswith("metric/")] == []
    assert next(iter(last.values)) == "metric/accuracy"
    assert last.values == {
        "metric/accuracy": 0.875,
        "loss/before": 1.5,
        "loss/after": 1.25,
        "supernodes/committed": 2,
        "supernodes/counted": 1,
        "supernodes/passed": 1,
        "supernodes/absent": 0,
        "paid": 3.0,
        f"score/{hex_of(cast('Any', ONE))}": 0.25,
        f"reward/{hex_of(cast('Any', ONE))}": 3.0,
        f"score/{hex_of(cast('Any', OTHER))}": 0.0,
        f"reward/{hex_of(cast('Any', OTHER))}": 0.0,
    }


def test_write_tensorboard__two_rounds__each_figure_at_its_round(tmp_path: Path) -> None:
    found = list_metrics(ROUNDS)
    write_tensorboard(found, tmp_path / "runs")
    events = read_events(tmp_path / "runs")
    assert len(events) == sum(len(one.values) for one in found)
    assert ("metric/accuracy", 3, 0.875, 1003.0) in events
    assert ("loss/after", 3, 1.25, 1003.0) in events
    assert (f"score/{hex_of(cast('Any', ONE))}", 1, 0.5, 1001.0) in events


def test_write_tensorboard__without_its_package__says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ConfigError, match="pip install tensorboardX"):
        write_tensorboard(list_metrics(ROUNDS), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("rounds", "cells"),
    [
        ([WITHOUT, WITH], {"metric/accuracy": ["–", "0.875"], "loss/after": ["1.5", "1.25"]}),
        ([WITH, WITHOUT], {"metric/accuracy": ["0.875", "–"], "loss/after": ["1.25", "1.5"]}),
        (
            [WITH, traced(4, 1_250_000, 1_000_000, name="recall")],
            {"metric/accuracy": ["0.875", "–"], "metric/recall": ["–", "0.875"], "paid": ["3", "3"]},
        ),
    ],
)
def test_print_rounds__metric_comes_goes_or_is_renamed__each_figure_under_its_own_name(
    rounds: list[TracedRound], cells: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    print_rounds(list_metrics(rounds))
    names, *lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    for name, expected in cells.items():
        assert [line[names.index(name)] for line in lines] == expected
    assert len({len(line) for line in (names, *lines)}) == 1
