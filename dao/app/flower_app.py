"""An unmodified Flower app as the functions that workers call: its ServerApp gives the model, its ClientApp trains and evaluates.

It runs in the app's own environment, where flwr is. No process of Flower's runs, and nothing of its network.
"""

from __future__ import annotations

import importlib
import logging
import random
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from flwr.app import Context, RecordDict

from dao.app.data_path import DataPath
from dao.app.flower_clients import ClientTalk
from dao.app.flower_messages import MessageTalk
from dao.app.flower_project import FlowerProject
from dao.app.flower_strategy import Named, capture_start, is_float
from dao.app.traced_loss import TracedLoss, find_state, record_modules
from dao.app.worker import ConventionError

# that need a server's part, which is not here
_REFUSED_MODS = {"secagg_mod", "secaggplus_mod", "fixedclipping_mod", "adaptiveclipping_mod"}
_RUN, _NODE = 1, 1  # Flower's numbers of a run and of a node: there is one of each
_EVALUATION_SEED = 0


class FlowerApp:
    """One app: its ClientApp, loaded anew for other data, for apps keep what they have read."""

    def __init__(self, folder: Path, project: FlowerProject, settings: Mapping[str, Any]) -> None:
        """Run the ServerApp up to its first model. ConventionError says what cannot be had here."""
        unknown = sorted(settings.keys() - project.config.keys())
        if unknown:
            raise ConventionError(
                f"setting {unknown[0]!r}: expected one of [tool.flwr.app.config]: {', '.join(sorted(project.config))}"
            )
        logging.getLogger("flwr").setLevel(logging.ERROR)
        self._folder, self._project = folder, project
        self._config = {**project.config, **settings}
        self._client = _load(project.clientapp)
        self._path: str | None = None  # of the data that the ClientApp has read
        _identify()
        _require_mods(self._client)
        _seed(_EVALUATION_SEED)
        with record_modules("state_dict") as modules:
            self._talk = self._start(_load(project.serverapp))
        self._first: Named = self._talk.first
        self._state = find_state(modules, [array.shape for array in self._first.values()])
        self._traced = TracedLoss(self._state) if self._state else None

    def _start(self, server: Any) -> Any:
        """Return the conversation with the ServerApp's strategy."""
        context = self._make_context({})
        if getattr(self._client, "_call", None) is None:
            return MessageTalk(capture_start(server, context))
        if getattr(server, "_main", None) is not None:
            raise ConventionError(
                "ServerApp: its main sends messages by itself, as for secure aggregation; expected a strategy by server_fn"
            )
        make = getattr(server, "_server_fn", None)
        return ClientTalk(make(context).strategy if make else server._strategy)  # noqa: SLF001  (Flower has no other way)

    @property
    def has_gradient(self) -> bool:
        """Whether torch gives the gradient, so that no differences are needed."""
        return self._traced is not None

    @property
    def carried(self) -> frozenset[str]:
        """The names of float arrays that are a module's buffers."""
        if self._state is None:
            return frozenset()
        pairs = zip(self._first.items(), self._state.names, strict=True)
        return frozenset(
            name for (name, array), entry in pairs if entry not in self._state.parameters and is_float(array)
        )

    def model(self) -> Named:
        """Return the first model's arrays of floating point; integers stay as the ServerApp has them."""
        return {name: array.copy() for name, array in self._first.items() if is_float(array)}

    def data(self, path: str) -> DataPath:
        """Return what stands for the data at a path, which only the ClientApp reads."""
        return DataPath(str(path))

    def join(self, own: DataPath, _public: object) -> DataPath:
        """Raise ConventionError: rows of two paths are no data of the ClientApp's."""
        raise ConventionError(f"a Flower app trains on the rows of one path alone: {own.path}")

    def train(
        self,
        weights: Named,
        data: DataPath,
        *,
        seed: int,
        round: int,  # noqa: A002
    ) -> Generator[Mapping[str, object], None, Named]:
        """Have the ClientApp train; yield its metrics, and return the new arrays."""
        _seed(seed)
        content = self._ask(self._talk.ask_to_train(round, self._complete(weights)), data)
        arrays, metrics = self._talk.read_trained(content)
        rows = metrics.get("num-examples")
        data.rows = int(rows) if isinstance(rows, (int, float)) else None
        yield metrics
        return {name: array for name, array in arrays.items() if name not in self._first or name in weights}

    def loss(self, weights: Named, data: DataPath) -> float:
        """Return the loss that the ClientApp's evaluation gives."""
        return self._evaluate(weights, data)[0]

    def metrics(self, weights: Named, data: DataPath) -> Mapping[str, object]:
        """Return all metrics of the ClientApp's evaluation."""
        return self._evaluate(weights, data)[1]

    def gradient(self, weights: Named, data: DataPath) -> Named:
        """Return the loss's gradient as torch has it, by array; of a module's parameters alone it is not zero."""
        if self._traced is None:
            raise ConventionError("gradient: the model is no torch module's")
        slopes = self._traced.differentiate(lambda: self.loss(weights, data), data.path)
        pairs = zip(self._first, slopes, strict=True)
        return {name: slope for name, slope in pairs if name in weights}

    def _evaluate(self, weights: Named, data: DataPath) -> tuple[float, Mapping[str, object]]:
        _seed(_EVALUATION_SEED)
        content = self._ask(self._talk.ask_to_evaluate(self._complete(weights)), data)
        evaluated: tuple[float, Mapping[str, object]] = self._talk.read_evaluated(content, self._project.loss)
        return evaluated

    def _complete(self, weights: Named) -> Named:
        """Return all arrays in the order of the ServerApp's, those of torch in its types."""
        return {
            name: np.asarray(weights.get(name, first), first.dtype if self._state else None)
            for name, first in self._first.items()
        }

    def _ask(self, message: Any, data: DataPath) -> Any:
        """Have the ClientApp answer a message about some data; return the answer's content."""
        if self._path not in (None, data.path):
            _forget_modules(self._folder)
            self._client = _load(self._project.clientapp)
        self._path = data.path
        config = _NodeConfig({"data-path": data.path})
        if data.partition is not None:
            config["partition-id"], config["num-partitions"] = data.partition
        context = self._make_context(config)
        answer = self._client(message, context)
        if answer.has_error():
            raise ConventionError(f"ClientApp: answered with an error: {answer.error.reason}")
        if kept := sorted(context.state):
            raise ConventionError(
                f"ClientApp: keeps {kept[0]!r} in context.state from round to round, which a Supernode does not; expected it "
                "to do without"
            )
        return answer.content

    def _make_context(self, node_config: dict[str, Any]) -> Context:
        return Context(_RUN, _NODE, node_config, RecordDict(), dict(self._config))


class _NodeConfig(dict[str, Any]):
    """What a node tells its ClientApp."""

    def __missing__(self, key: str) -> Any:
        raise ConventionError(
            f"ClientApp: asks for {key!r} in context.node_config, which has {', '.join(sorted(self))}: rows are read from the file "
            "at data-path, and no data set is fetched"
        )


def load_flower_app(folder: Path, project: FlowerProject, settings: Mapping[str, Any]) -> Any:
    """Return a Flower app as `dao.app.worker.load_app` returns one; `folder` is on the path. ConventionError where it cannot be had."""
    app = FlowerApp(folder, project, settings)
    names = ["model", "data", "join", "train", "loss", "metrics", "carried"]
    names += ["gradient"] if app.has_gradient else []
    return SimpleNamespace(**{name: getattr(app, name) for name in names})


def _load(reference: str) -> Any:
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def _forget_modules(folder: Path) -> None:
    """Forget the app's own modules: what they have read is of other data."""
    for name, module in [*sys.modules.items()]:
        file = getattr(module, "__file__", None)
        if file and folder in Path(file).parents:
            del sys.modules[name]


def _require_mods(client: Any) -> None:
    """Raise ConventionError, which names it, for a mod that talks to a part of the server that is not here."""
    for mod in getattr(client, "_mods", ()):
        name = getattr(mod, "__name__", type(mod).__name__)
        if name in _REFUSED_MODS:
            raise ConventionError(
                f"ClientApp: mod {name}: needs its counterpart at a Flower server, which is not here; Supernodes clip and add "
                "noise themselves (docs/supernode.md)"
            )


def _seed(seed: int) -> None:
    """Seed all chance that an app draws from without a generator of its own."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  (apps use it)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


def _identify() -> None:
    """Say who sends messages, where Flower asks for it."""
    try:
        from flwr.supercore.task_identity import TaskIdentity
    except ImportError:
        return
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = _RUN, _NODE, 1
