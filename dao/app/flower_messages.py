"""Flower's message API: what a ServerApp's strategy sends to train and to evaluate, and what a ClientApp answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict

from dao.app.flower_strategy import EmptyGrid, Named, StrategyStart, name_arrays, require_averaging
from dao.app.worker import ConventionError


class MessageTalk:
    """The conversation of one app: its first arrays, and its strategy's messages."""

    def __init__(self, start: StrategyStart) -> None:
        """ConventionError for a strategy that does more than average."""
        self._strategy, self._grid = start.strategy, EmptyGrid()
        self._train_config = dict(start.train_config or {})
        self._evaluate_config = dict(start.evaluate_config or {})
        self.first = name_arrays(start.arrays)
        # one of the app's asks for the app's metrics
        self._strategy.train_metrics_aggr_fn = lambda *_: MetricRecord()
        require_averaging(self._strategy, self.first, self._play)

    def ask_to_train(self, number: int, arrays: Named) -> Message:
        """Return the message that the strategy sends to a node in a round."""
        config = ConfigRecord(dict(self._train_config))
        for message in self._strategy.configure_train(number, _record(arrays), config, self._grid):
            return message
        raise ConventionError(
            f"ServerApp: strategy {type(self._strategy).__name__}: asks nobody to train in round {number}; set fraction_train"
        )

    def ask_to_evaluate(self, arrays: Named) -> Message:
        """Return a message that asks for an evaluation, the same in all rounds."""
        config = ConfigRecord({**self._evaluate_config, "server-round": 1})
        keys = (
            getattr(self._strategy, name, default)
            for name, default in (("arrayrecord_key", "arrays"), ("configrecord_key", "config"))
        )
        content = RecordDict(dict(zip(keys, (_record(arrays), config), strict=True)))
        return Message(content, message_type="evaluate", dst_node_id=1)

    def read_trained(self, content: Any) -> tuple[Named, Mapping[str, object]]:
        """Return arrays and metrics of an answer."""
        records = list(content.array_records.values())
        if len(records) != 1:
            raise ConventionError(f"ClientApp: train answered {len(records)} array records, expected one")
        return name_arrays(records[0]), _read_metrics(content)

    def read_evaluated(self, content: Any, loss: str | None) -> tuple[float, Mapping[str, object]]:
        """Return the loss of an answer, the one metric that is named so or by `loss`, and all its metrics."""
        metrics = _read_metrics(content)
        named = [name for name in metrics if (name == loss if loss else "loss" in name.lower())]
        if len(named) != 1:
            raise ConventionError(
                f"ClientApp: evaluate answered the metrics {', '.join(sorted(metrics)) or 'none'}: expected one "
                f"{loss or 'with loss in its name, or its name as loss in [tool.commonweight] of pyproject.toml'}"
            )
        value = metrics[named[0]]
        if not isinstance(value, (int, float)):
            raise ConventionError(
                f"ClientApp: evaluate answered {value!r:.80} for {named[0]}, expected a number"
            )
        return value, metrics

    def _play(self, number: int, sent: Named, replies: Sequence[Named]) -> Sequence[Any]:
        asked = self.ask_to_train(number, sent)
        weight = getattr(self._strategy, "weighted_by_key", "num-examples")
        answers = [
            Message(
                RecordDict({"arrays": _record(reply), "metrics": MetricRecord({weight: 1})}), reply_to=asked
            )
            for reply in replies
        ]
        made = self._strategy.aggregate_train(number, answers)[0]
        return [made[name].numpy() for name in sent]


def _record(arrays: Named) -> ArrayRecord:
    return ArrayRecord({name: Array(np.asarray(values)) for name, values in arrays.items()})


def _read_metrics(content: Any) -> dict[str, object]:
    return {name: value for record in content.metric_records.values() for name, value in record.items()}
