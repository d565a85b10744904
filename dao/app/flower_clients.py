"""Flower's Client and NumPyClient: what a strategy sends to fit and to evaluate, and what a client answers.

Their parameters have no names but their places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from flwr.app import Message
from flwr.common import (
    Code,
    EvaluateIns,
    FitRes,
    Status,
    ndarrays_to_parameters,
    parameters_to_ndarrays,
)

from dao.app.flower_strategy import NODES, Named, require_averaging
from dao.app.worker import ConventionError

try:
    from flwr.compat.common import recorddict_compat as compat
except ImportError:  # before 1.30
    from flwr.common import recorddict_compat as compat


class ClientTalk:
    """The conversation of one app: its first parameters, and its strategy's messages."""

    def __init__(self, strategy: Any) -> None:
        """ConventionError for a strategy without a first model, or one that does more than average."""
        self._strategy = strategy
        nodes = [SimpleNamespace(cid=str(index)) for index in range(NODES)]
        self._manager = SimpleNamespace(
            num_available=lambda: NODES,
            wait_for=lambda *_, **__: True,
            all=lambda: {node.cid: node for node in nodes},
            sample=lambda num_clients, *_, **__: nodes[:num_clients],
        )
        first = strategy.initialize_parameters(self._manager)
        if first is None:
            raise ConventionError(
                f"ServerApp: strategy {type(strategy).__name__}: has no initial_parameters, and no node's data may make "
                "them; expected them as `flwr new` writes them"
            )
        self.first = _name(parameters_to_ndarrays(first))
        strategy.fit_metrics_aggregation_fn = None  # one of the app's asks for the app's metrics
        require_averaging(strategy, self.first, self._play)

    def ask_to_train(self, number: int, arrays: Named) -> Message:
        """Return the message that the strategy sends to a node in a round."""
        for _, asked in self._strategy.configure_fit(number, _list(arrays), self._manager):
            return _send(compat.fitins_to_recorddict(asked, True), "train")
        raise ConventionError(
            f"ServerApp: strategy {type(self._strategy).__name__}: asks nobody to fit in round {number}; set fraction_fit"
        )

    def ask_to_evaluate(self, arrays: Named) -> Message:
        """Return a message that asks for an evaluation, the same in all rounds."""
        configure = getattr(self._strategy, "on_evaluate_config_fn", None)
        asked = EvaluateIns(_list(arrays), configure(1) if configure else {})
        return _send(compat.evaluateins_to_recorddict(asked, True), "evaluate")

    def read_trained(self, content: Any) -> tuple[Named, Mapping[str, object]]:
        """Return parameters and metrics of an answer."""
        answer = compat.recorddict_to_fitres(content, keep_input=False)
        return _name(parameters_to_ndarrays(answer.parameters)), {
            "num-examples": answer.num_examples,
            **answer.metrics,
        }

    def read_evaluated(self, content: Any, loss: str | None) -> tuple[float, Mapping[str, object]]:
        """Return the loss of an answer, or the metric that `loss` names, and all its metrics."""
        answer = compat.recorddict_to_evaluateres(content)
        metrics = {"loss": answer.loss, "num-examples": answer.num_examples, **answer.metrics}
        return float(metrics[loss or "loss"]), metrics

    def _play(self, number: int, sent: Named, replies: Sequence[Named]) -> Sequence[Any]:
        asked = self._strategy.configure_fit(number, _list(sent), self._manager)
        answers = [
            (node, FitRes(Status(Code.OK, ""), _list(reply), 1, {}))
            for (node, _), reply in zip(asked, replies, strict=False)
        ]
        made: Sequence[Any] = parameters_to_ndarrays(self._strategy.aggregate_fit(number, answers, [])[0])
        return made


def _send(content: Any, kind: str) -> Message:
    return Message(content, message_type=kind, dst_node_id=1)


def _list(arrays: Named) -> Any:
    return ndarrays_to_parameters(list(arrays.values()))


def _name(arrays: Sequence[Any]) -> Named:
    return {f"{index:05}": values for index, values in enumerate(arrays)}
