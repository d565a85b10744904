"""The network of a play: each round is weighed, aggregated, scored and paid by the functions of `dao.core.transition`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from bench.attacks.data import Floats
from dao.chain.signer import Signer
from dao.core.commits import CommitRecord, Failure
from dao.core.constants import GAUSS_LEGENDRE
from dao.core.formats.gradient import Gradient, quantise_gradient
from dao.core.formats.layout import FLOAT, Layout, Model, StepModel
from dao.core.formats.manifest import Shard
from dao.core.formats.update import Update, decode_update, get_leaf_size
from dao.core.transition import (
    PreState,
    RoundInputs,
    RoundOutcome,
    compute_gradient_root,
    compute_round_model,
    compute_round_scores,
    compute_round_weights,
    get_entries,
    get_post_state,
    settle_round,
)
from dao.core.types import ZERO_DIGEST, Address, RoundId, Status, Wei
from dao.demo.simulation import CODEC, DOMAIN, TASK, build_rules, commit
from dao.store.cid import cid_of_bytes

STAKE = 10**18  # wei of a node
BUDGET = Wei(10**18)  # of a round
NOTHING = cid_of_bytes(b"nothing")  # in place of contents that a play does not store
Slope = Callable[[Floats], Floats]  # minus the gradient of the mean loss on the round's shard


@dataclass(frozen=True)
class Sent:
    """An update that comes in from one identity, which is node and owner in one."""

    name: str
    delta: Floats
    stake: int = STAKE
    withholds: Callable[[Slope], bool] | None = None  # asked once the round's shard is known


@dataclass(frozen=True)
class Settled:
    """What a round leaves behind in public: what it paid, and what attackers may learn from."""

    rewards: Mapping[str, int]  # wei by identity
    scores: Mapping[str, int]  # millionths of the loss
    weights: Mapping[str, float]  # parts of the aggregate
    debts: Mapping[str, int]  # millionths, of every identity that has one
    step: Floats
    gate: Floats
    reference: Floats


class Network(Protocol):
    """Settles rounds, one after the other, from a model on."""

    base: Floats

    def settle(self, sent: Sequence[Sent], slope: Slope) -> Settled:
        """Settle a round; `base` is then the new model."""


@dataclass
class ProtocolNetwork:
    """The protocol as it is: exact integers from encoded updates to the manifest."""

    layout: Layout
    base: Floats  # float32 values
    _state: PreState = field(default_factory=PreState)
    _last_step: Gradient | None = None
    _signers: dict[str, Signer] = field(default_factory=dict)

    def settle(self, sent: Sequence[Sent], slope: Slope) -> Settled:
        """Settle a round as Superlink and auditor do."""
        number = RoundId(self._state.round + 1)
        base = Model(self.layout, self.base.astype(FLOAT))
        records, updates = self._commit(number, base, sent, slope)
        inputs = self._build_inputs(number, records)
        entries = get_entries(inputs, updates)
        gate = slope(self.base)
        weighing = compute_round_weights(inputs, entries, self._quantise(gate))
        new = Model(self.layout, np.empty(self.layout.size, FLOAT))
        step_rows = np.empty((self.layout.chunks, get_leaf_size(CODEC)), np.uint8)
        aggregate = compute_round_model(inputs, entries, weighing, base, step_rows, new.flat)
        step = new.flat.astype(np.float64) - self.base
        reference = np.mean([slope(self.base + at * step) for at in GAUSS_LEGENDRE], axis=0)
        gradient = self._quantise(reference)
        scoring = compute_round_scores(inputs, entries, weighing, gradient, self._last_step)
        outcome = RoundOutcome(
            weighing=weighing,
            scoring=scoring,
            aggregate=aggregate,
            gate_root=ZERO_DIGEST,
            gradient_root=compute_gradient_root(gradient, inputs.rules.body_depth),
            step_root=compute_gradient_root(self._last_step, inputs.rules.body_depth),
            model=NOTHING,
            step=NOTHING,
            gate_gradient=NOTHING,
            gradient=NOTHING,
            loss_before=0,
            loss_after=0,
            metric=None,
        )
        manifest = settle_round(inputs, outcome)
        self._state, self.base = get_post_state(manifest), new.flat.astype(np.float64)
        self._last_step = Gradient(quantise_gradient(StepModel(base, new)))
        rows = {row.node: row for row in manifest.nodes}
        names = {one.name: rows[self._signers[one.name].address] for one in sent}
        owed = self._state.debts
        return Settled(
            {name: row.reward_wei for name, row in names.items()},
            {name: row.score for name, row in names.items()},
            {name: row.weight / max(manifest.weight_sum, 1) for name, row in names.items()},
            {name: owed.get(get_owner(name), 0) for name in self._signers},
            step,
            gate,
            reference,
        )

    def _commit(
        self, number: RoundId, base: Model, sent: Sequence[Sent], slope: Slope
    ) -> tuple[list[CommitRecord], dict[Address, Update]]:
        """Encode and commit to each update; those that are withheld have none."""
        records, updates = [], dict[Address, Update]()
        for one in sent:
            signer = self._signers.setdefault(one.name, Signer.ephemeral())
            trained = Model(self.layout, base.flat + one.delta.astype(FLOAT))
            made = commit(signer, get_owner(one.name), Wei(one.stake), number, base, trained)
            if one.withholds and one.withholds(slope):
                records.append(replace(made.commit, reveal=None, failure=Failure(Status.WITHHELD)))
                continue
            records.append(made.commit)
            updates[signer.address] = decode_update(made.content, self.layout, CODEC)
        return records, updates

    def _build_inputs(self, number: RoundId, records: Sequence[CommitRecord]) -> RoundInputs:
        return RoundInputs(
            domain=DOMAIN,
            task=TASK,
            round=number,
            opening=ZERO_DIGEST,
            rules=build_rules(BUDGET, self.layout),
            state=self._state,
            base_model=NOTHING,
            values=self.layout.values,
            seed=ZERO_DIGEST,
            shard=Shard(number - 1, NOTHING, ()),
            commits=records,
            passes=(),
            absent={},
            forced=(),
        )

    def _quantise(self, values: Floats) -> Gradient:
        return Gradient(quantise_gradient(Model(self.layout, values.astype(FLOAT))))


@dataclass
class PlainNetwork:
    """The mean of all updates by stake, which nobody is paid for."""

    base: Floats

    def settle(self, sent: Sequence[Sent], slope: Slope) -> Settled:
        """Move the model by the mean."""
        gate = slope(self.base)
        step = np.average([one.delta for one in sent], 0, [one.stake for one in sent])
        self.base = self.base + step
        return Settled({}, {}, {}, {}, step, gate, np.zeros_like(gate))


def get_owner(name: str) -> Address:
    """Return the address of an identity's owner."""
    return Address(hashlib.sha256(name.encode()).digest()[:20])
