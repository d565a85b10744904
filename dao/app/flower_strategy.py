"""What a Flower ServerApp is asked for: the first model and its strategy's messages, and whether that averages.

The rounds are the network's: nothing of a ServerApp runs behind its strategy's start.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, chdir
from tempfile import TemporaryDirectory
from typing import Any, NoReturn
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from dao.app.worker import ConventionError

Named = dict[str, npt.NDArray[Any]]
NODES = 1000  # that a strategy may draw from, and wait for
# so many replies that a trimmed mean is told from a mean; of a model with more values than LARGE, fewer
REPLIES, FEW_REPLIES, LARGE = 40, 8, 250_000
_REMEDY = "this network averages updates itself; FedAvg, FedProx and what averages as they do can be had"


class StrategyStart(BaseException):
    """Ends a ServerApp where it starts its strategy; none of its own `except Exception` may stop that."""

    def __init__(self, strategy: Any, arrays: Any, train_config: Any, evaluate_config: Any) -> None:
        super().__init__()
        self.strategy, self.arrays = strategy, arrays
        self.train_config, self.evaluate_config = train_config, evaluate_config


class _Sent(BaseException):
    """Ends a ServerApp that sends messages by itself."""


class EmptyGrid(Grid):  # type: ignore[misc]
    """Nodes that a strategy can draw from, with nobody behind them."""

    @property
    def run(self) -> None:
        """No run of Flower's."""

    def set_run(self, run: object) -> None:
        """Ignore it."""

    def get_node_ids(self) -> Iterable[int]:
        return range(1, NODES + 1)

    def create_message(self, *_: object, **__: object) -> NoReturn:
        raise _Sent

    def push_messages(self, *_: object, **__: object) -> NoReturn:
        raise _Sent

    def pull_messages(self, *_: object, **__: object) -> NoReturn:
        raise _Sent

    def send_and_receive(self, *_: object, **__: object) -> NoReturn:
        raise _Sent


def capture_start(server: Any, context: Any) -> StrategyStart:
    """Run a ServerApp up to where it starts its strategy. ConventionError where it starts none."""
    with ExitStack() as patched:
        for kind in (Strategy, *_list_subclasses(Strategy)):
            if "start" in vars(kind):
                patched.enter_context(patch.object(kind, "start", _make_start(kind.start)))
        try:
            server(EmptyGrid(), context)
        except StrategyStart as start:
            if start.arrays is not None:
                return start
            words = f"starts {type(start.strategy).__name__} without initial_arrays"
        except _Sent:
            words = "sends messages by itself, as for secure aggregation"
        else:
            words = "started no strategy"
    raise ConventionError(f"ServerApp: {words}; {_REMEDY}")


def _make_start(original: Any) -> Callable[..., NoReturn]:
    """Return what takes a start's arguments, and starts nothing."""
    signature = inspect.signature(original)

    def start(*arguments: Any, **named: Any) -> NoReturn:
        given = signature.bind(*arguments, **named).arguments
        configs = given.get("train_config"), given.get("evaluate_config")
        raise StrategyStart(arguments[0], given.get("initial_arrays"), *configs)

    return start


def _list_subclasses(kind: type) -> list[type]:
    subclasses: list[type] = kind.__subclasses__()
    return [each for one in subclasses for each in (one, *_list_subclasses(one))]


def require_averaging(
    strategy: Any, first: Named, play: Callable[[int, Named, Sequence[Named]], Sequence[Any]]
) -> None:
    """Raise ConventionError, which names the strategy, where it makes anything but the mean of what comes back.

    `play(round, sent, replies)` has it aggregate a round. Two are played from the first model on: a strategy that keeps a
    momentum makes the mean of the first. What it saves is nobody's.
    """
    name, sent = type(strategy).__name__, first
    count = FEW_REPLIES if sum(array.size for array in first.values()) > LARGE else REPLIES
    for number in (1, 2):
        replies = [_move(sent, index**2) for index in range(count)]
        # of whole numbers an average may be rounded
        expected = _move(sent, sum(index**2 for index in range(count)) / count)
        try:
            with TemporaryDirectory() as folder, chdir(folder):
                made = [np.asarray(values) for values in play(number, sent, replies)]
        except Exception as error:
            raise ConventionError(
                f"ServerApp: strategy {name}: cannot average {count} replies ({type(error).__name__}: {error}); {_REMEDY}"
            ) from error
        if len(made) != len(sent) or not all(
            np.allclose(one, mean)
            for one, mean in zip(made, expected.values(), strict=True)
            if is_float(mean)
        ):
            raise ConventionError(f"ServerApp: strategy {name}: does not average what comes back; {_REMEDY}")
        sent = {each: one.astype(sent[each].dtype) for each, one in zip(sent, made, strict=True)}


def _move(arrays: Named, by: float) -> Named:
    """Return arrays with a number added to all that is of floating point."""
    return {
        name: array + array.dtype.type(by) if is_float(array) else array for name, array in arrays.items()
    }


def is_float(array: Any) -> bool:
    """Whether an array is of floating point: whole numbers do not travel."""
    return bool(np.issubdtype(array.dtype, np.floating))


def name_arrays(arrays: Mapping[str, Any]) -> Named:
    """Return a record's arrays as numpy's."""
    return {name: array.numpy() for name, array in arrays.items()}
