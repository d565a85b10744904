"""A round's manifest: what everyone needs to check the round, and to go on from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite, isqrt
from typing import Any

from dao.core.constants import MANIFEST_FORMAT, MAX_INTEGER, MAX_MANIFEST, SHARDS_DEPTH
from dao.core.engine.merkle import verify
from dao.core.formats.canonical import read_json, write_canonical
from dao.core.formats.cid import Cid
from dao.core.formats.fault import Fault
from dao.core.formats.json_form import Count, Decimal, SignedDecimal, get_form
from dao.core.types import Address, Codec, Digest, MicroScore, RoundId, Signature, Status, TaskId, Wei
from dao.errors import DecodeError


@dataclass(frozen=True, slots=True)
class Shard:
    """The round's validation shard, with its proof under the task's validation root."""

    index: Count
    cid: Cid
    proof: tuple[Digest, ...]

    def is_under(self, root: Digest) -> bool:
        """Whether its proof leads to a validation root."""
        return verify(root, self.cid.digest, self.index, self.proof, SHARDS_DEPTH)


@dataclass(frozen=True, slots=True)
class Node:
    """One node that committed. `forced`: by a forced commit alone, so that it is not under the commits root."""

    node: Address
    owner: Address
    stake: Wei
    commitment: Digest
    signature: Signature
    forced: bool
    cid: Cid | None
    body_root: Digest | None
    salt: Digest | None
    status: Status
    counted_stake: (
        Wei  # what counts of it, in wei, or one for admitted members; 0 where the update is not weighed
    )
    unit_weight: Count
    weight: Count
    gate_dot: SignedDecimal  # <g0, u>, in 2^-80
    square: Decimal  # |u|^2, in 2^-64
    cosine: int  # millionths
    memory: int  # its owner's, after the round, in millionths
    dot: SignedDecimal  # <G, u>, in 2^-80
    step_dot: SignedDecimal  # <s, u> with s the last step, in 2^-80
    gate_totals: (
        Digest  # root over the running totals of gate_dot and square; 0 where the update is not weighed
    )
    score_totals: Digest  # of dot and step_dot; 0 where the weight is 0
    fault: Fault | None  # of an invalid update: a value that no decoder takes
    score: MicroScore
    debt: Decimal  # of its owner, after the round, in millionths
    share: Count  # the part of the score that is paid, in millionths
    reward_wei: Wei
    reason: str

    @property
    def norm(self) -> int:
        """|u|, in 2^-32, rounded down."""
        return isqrt(self.square)


@dataclass(frozen=True, slots=True)
class Pass:
    """A node that sat the round out, and signed that it does."""

    node: Address
    owner: Address
    signature: Signature
    reason: str


@dataclass(frozen=True, slots=True)
class Absent:
    """A node that could have committed, and neither did nor passed."""

    node: Address
    owner: Address
    reason: str


@dataclass(frozen=True, slots=True)
class Account:
    """What an owner has earned so far in this task, its debt and its remembered cosine, both in millionths."""

    owner: Address
    cumulative_wei: Wei
    debt: Decimal
    memory: int


@dataclass(frozen=True, slots=True)
class MeasuredMetric:
    """One of the app's metrics at the new model, on the round's shard, as the Superlink measured it."""

    name: str
    value: int  # millionths


@dataclass(frozen=True, slots=True)
class Roots:
    """The roots that the result binds; 32 zero bytes for those of gradients that there are none of."""

    commits: Digest
    rows: Digest
    inputs: Digest
    aggregate: Digest
    model: Digest
    new_step: Digest  # of the step from the base model to the new one; `step` is of the last one
    gate: Digest
    gradient: Digest
    step: Digest
    gate_totals: Digest
    step_totals: Digest
    accounts: Digest


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole round, as docs/protocol.md lists it."""

    chain_id: Count
    coordinator: Address
    task: TaskId
    round: RoundId
    parent: RoundId
    opening: Digest
    codec: Codec
    values: Count
    seed: Digest
    base_model: Cid
    model: Cid
    step: Cid  # from the base model to the new one, an update
    gate_gradient: Cid | None
    gradient: Cid | None
    shard: Shard
    used_shards: tuple[Count, ...]
    nodes: tuple[Node, ...]
    passes: tuple[Pass, ...]
    absent: tuple[Absent, ...]
    weight_sum: Count
    gate_square: Decimal  # |g0|^2, in 2^-96
    norm_median: Decimal  # in 2^-32
    gradient_along: SignedDecimal  # <G, s>, in 2^-96
    step_square: Decimal  # |s|^2, in 2^-96
    along_median: Decimal  # in 2^-80
    loss_before: int
    loss_after: int
    metric: MeasuredMetric | None  # that the task's card names; None: it names none, or it could not be had
    budget_wei: Wei
    refunded_wei: Wei
    accounts: tuple[Account, ...]  # in the order in which their owners first committed
    roots: Roots
    reward_total_wei: Wei
    forced_hash: Digest


def compute_loss_micros(loss: float) -> int:
    """Return a mean loss in whole millionths, the largest number of a manifest where it is not finite or larger."""
    return max(-MAX_INTEGER, min(round(loss * 10**6), MAX_INTEGER)) if isfinite(loss) else MAX_INTEGER


def compute_metric_micros(value: float) -> int:
    """Return a metric in whole millionths; DecodeError unless it is finite, and small enough for a manifest."""
    if not abs(value) < MAX_INTEGER / 10**6:  # NaN is not
        raise DecodeError(f"metric: expected a finite number below 9e9, got {value}")
    return round(value * 10**6)


def dump_manifest(manifest: Manifest) -> bytes:
    """Write a manifest as canonical JSON; DecodeError for a value that its field cannot hold."""
    return write_canonical({"format": MANIFEST_FORMAT, **get_form(Manifest).write(manifest)})


@lru_cache(maxsize=4)  # several parts of a daemon read the newest and its parent
def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest, strictly; DecodeError or TooLarge name the field that does not follow docs/protocol.md."""
    obj = read_json(data, "manifest", MAX_MANIFEST)
    if obj.pop("format", None) != MANIFEST_FORMAT:
        raise DecodeError(f"manifest.format: expected {MANIFEST_FORMAT}; other formats need another release")
    manifest: Manifest = get_form(Manifest).read(obj, "manifest")
    _check_rising(manifest.used_shards, "used_shards")
    _check_rising([node.node for node in manifest.nodes], "nodes")
    _check_rising([node.node for node in manifest.passes], "passes")
    _check_rising([node.node for node in manifest.absent], "absent")
    if len({account.owner for account in manifest.accounts}) != len(manifest.accounts):
        raise DecodeError("manifest.accounts: expected one for each owner")
    if dump_manifest(manifest) != data:
        raise DecodeError("manifest: expected canonical JSON (sorted keys, no white space, plain UTF-8)")
    return manifest


def _check_rising(keys: Sequence[Any], field: str) -> None:
    for index in range(1, len(keys)):
        if not keys[index - 1] < keys[index]:
            raise DecodeError(f"manifest.{field}[{index}]: expected rising order, none twice")
