"""Plays rounds of simulated Supernodes: each is trained by one of a pool, an attacker sends what its attack says."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from aggregator.compute import Settlement
from dao.chain.signer import Signer
from dao.core.commits import CommitRecord, PassRecord, SignedPass
from dao.core.formats.layout import FLOAT, Model
from dao.core.formats.signed_messages import compute_pass_digest
from dao.core.types import (
    ZERO_DIGEST,
    Address,
    Member,
    PassReason,
    RoundId,
    Signature,
    Wei,
)
from dao.demo.attacks import ATTACKS, Coalition, Floats
from dao.demo.simulation import DOMAIN, TASK, Simulation, commit, load
from dao.demo.training_pool import Lender, TrainingPart, TrainsParts
from dao.errors import AppError, RuleError

STAKE = Wei(100 * 10**18)


@dataclass(frozen=True)
class SimulatedNode:
    """One node: its keys, what it trains on, and what it does instead of honest work, if anything."""

    index: int
    signer: Signer
    owner: Address
    part: TrainingPart
    attack: str = ""


def make_keys(seed: int, index: int) -> tuple[Signer, Address]:
    """Return a node's key and its owner, the same for a seed. They are for simulations alone: anyone can make them."""
    digest = hashlib.sha256(b"simulated node" + seed.to_bytes(8, "big") + index.to_bytes(8, "big")).digest()
    return Signer(digest), Address(hashlib.sha256(digest).digest()[:20])


@dataclass
class PlayedRound:
    """A round's outcome, and why nodes sat it out."""

    settlement: Settlement
    failures: dict[int, str]  # node → one line


@dataclass
class SimulatedNetwork:
    """The nodes of a simulation, and what is public of the last round."""

    simulation: Simulation
    pool: Lender[TrainsParts]
    nodes: Sequence[SimulatedNode]
    seed: int
    _step: Floats | None = None
    _sent: dict[Address, Floats] = field(default_factory=dict)  # the honest updates, where an attack copies
    _best: Floats | None = None

    async def play(self, number: RoundId, on_trained: Callable[[], None]) -> PlayedRound:
        """Train, commit and settle a round; `on_trained` is called after each node.

        A node whose training fails sits the round out. AppError of the first where all do.
        """
        base = self.simulation.base
        outcomes = await asyncio.gather(*(self._train(node, number, on_trained) for node in self.nodes))
        failures = {
            node.index: one for node, one in zip(self.nodes, outcomes, strict=True) if isinstance(one, str)
        }
        records = [one for one in outcomes if isinstance(one, CommitRecord)]
        attackers = [
            (node, one) for node, one in zip(self.nodes, outcomes, strict=True) if isinstance(one, np.ndarray)
        ]
        records += await self._attack(attackers, number, base.model)
        if not records:
            raise AppError(next(iter(failures.values())))
        passes = [_sit_out(self.nodes[index], number) for index in failures]
        settlement = await self.simulation.play(self.simulation.build_inputs(number, records, passes))
        self._remember(settlement, base.model)
        return PlayedRound(settlement, failures)

    async def _train(
        self, node: SimulatedNode, number: RoundId, on_trained: Callable[[], None]
    ) -> CommitRecord | Floats | str:
        """Return an honest node's commit, an attacker's honest update, (values,), or why there is none."""
        base, attack = self.simulation.base, ATTACKS.get(node.attack)
        if attack and not attack.trains:
            on_trained()
            return np.zeros(base.model.layout.size)
        async with self.pool.borrow() as trainer:
            try:
                seed = _compute_seed(self.seed, node, number)
                await trainer.train_part(node.part, base.path, seed, number, self.simulation.public)
            except AppError as error:
                return str(error)
            finally:
                on_trained()
            trained = await asyncio.to_thread(load, trainer.out)
        if attack:
            return _subtract(trained, base.model)
        if self._copies:
            self._sent[node.signer.address] = _subtract(trained, base.model)
        try:
            return await self._commit(node, number, base.model, trained)
        except RuleError as error:  # what was trained is no model: NaN, or out of all bounds
            return f"train: {error}"

    @property
    def _copies(self) -> bool:
        return any(node.attack == "copy" for node in self.nodes)

    async def _attack(
        self, attackers: Sequence[tuple[SimulatedNode, Floats]], number: RoundId, base: Model
    ) -> list[CommitRecord]:
        """Commit to what the coalition sends; a simulation has one attack."""
        if not attackers:
            return []
        dice = np.random.Generator(np.random.Philox([self.seed, number]))
        seen = Coalition(np.stack([delta for _, delta in attackers]), dice, self._step, self._best)
        sent = ATTACKS[attackers[0][0].attack].act(seen)
        return [
            await self._commit(node, number, base, Model(base.layout, base.flat + delta.astype(FLOAT)))
            for (node, _), delta in zip(attackers, sent, strict=True)
        ]

    async def _commit(
        self, node: SimulatedNode, number: RoundId, base: Model, trained: Model
    ) -> CommitRecord:
        committed = await asyncio.to_thread(commit, node.signer, node.owner, STAKE, number, base, trained)
        return await self.simulation.keep(committed)

    def _remember(self, settlement: Settlement, before: Model) -> None:
        if not any(node.attack for node in self.nodes):
            return
        self._step = _subtract(settlement.base.model, before)
        scores = {row.node: row.score for row in settlement.manifest.nodes if row.node in self._sent}
        self._best = self._sent[max(sorted(scores), key=lambda node: scores[node])] if scores else None
        self._sent.clear()


def _subtract(model: Model, base: Model) -> Floats:
    return np.asarray(model.flat.astype(np.float64) - base.flat)


def _compute_seed(seed: int, node: SimulatedNode, number: RoundId) -> int:
    """Return 32 bits for a training's chance, as a Supernode's daemon hands to its app."""
    text = b"".join(value.to_bytes(8, "big") for value in (seed, node.index, number))
    return int.from_bytes(hashlib.sha256(b"train" + text).digest()[:4], "big")


def _sit_out(node: SimulatedNode, number: RoundId) -> PassRecord:
    place = (TASK, number, ZERO_DIGEST, node.signer.address)
    signature = Signature(node.signer.sign(compute_pass_digest(DOMAIN, *place)))
    return PassRecord(Member(node.owner, STAKE), SignedPass(*place, signature, PassReason.FAILED))
