"""A round's manifest: what everyone needs to check the round, and to go on from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dao.core.constants import MANIFEST_FORMAT, MAX_MANIFEST
from dao.core.formats.canonical import read_json, write_canonical
from dao.core.formats.cid import Cid
from dao.core.formats.json_form import Count, Decimal, get_form
from dao.core.types import Address, Codec, Digest, MicroScore, RoundId, Signature, Status, TaskId, Wei
from dao.errors import DecodeError


@dataclass(frozen=True, slots=True)
class Shard:
    """The round's validation shard, with its proof under the task's validation root."""

    index: Count
    cid: Cid
    proof: tuple[Digest, ...]


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
    unit_weight: Count
    weight: Count
    norm: Decimal  # in 2^-32
    cosine: int  # millionths
    memory: int  # millionths
    score: MicroScore
    debt: Decimal  # of its owner, after the round, in millionths
    share: Count  # the part of the score that is paid, in millionths
    reward_wei: Wei
    reason: str


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
    """What an owner has earned so far in this task, and its debt in millionths."""

    owner: Address
    cumulative_wei: Wei
    debt: Decimal


@dataclass(frozen=True, slots=True)
class Memory:
    """A node's remembered cosine, in millionths."""

    node: Address
    memory: int


@dataclass(frozen=True, slots=True)
class Roots:
    """The roots that the result binds."""

    commits: Digest
    inputs: Digest
    aggregate: Digest
    gradient: Digest
    scores: Digest
    rewards: Digest


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
    gate_gradient: Cid | None
    gradient: Cid | None
    shard: Shard
    used_shards: tuple[Count, ...]
    nodes: tuple[Node, ...]
    passes: tuple[Pass, ...]
    absent: tuple[Absent, ...]
    weight_sum: Count
    loss_before: int
    loss_after: int
    budget_wei: Wei
    refunded_wei: Wei
    accounts: tuple[Account, ...]
    memories: tuple[Memory, ...]
    roots: Roots
    reward_total_wei: Wei
    forced_hash: Digest


def dump_manifest(manifest: Manifest) -> bytes:
    """Write a manifest as canonical JSON; DecodeError for a value that its field cannot hold."""
    return write_canonical({"format": MANIFEST_FORMAT, **get_form(Manifest).write(manifest)})


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
    _check_rising([account.owner for account in manifest.accounts], "accounts")
    _check_rising([memory.node for memory in manifest.memories], "memories")
    if dump_manifest(manifest) != data:
        raise DecodeError("manifest: expected canonical JSON (sorted keys, no white space, plain UTF-8)")
    return manifest


def _check_rising(keys: Sequence[Any], field: str) -> None:
    for index in range(1, len(keys)):
        if not keys[index - 1] < keys[index]:
            raise DecodeError(f"manifest.{field}[{index}]: expected rising order, none twice")
