"""What a Superlink may do to a round so that manifest, result and content agree as far as that is possible."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np

from dao.app.shards import read_shards
from dao.core.constants import GRADIENT_LEAF
from dao.core.engine.merkle import compute_body_root
from dao.core.formats.gradient import encode_gradient_prefix
from dao.core.formats.manifest import Absent, Account, Manifest, Node, Pass
from dao.core.types import Digest, MicroScore, Result, Status, Wei
from dao.store.disk import DiskStore
from tests.audit.stage import Stage
from tests.support import RULES

Cheat = Callable[[Stage], Awaitable[tuple[Manifest, Result | None]]]


def with_node(manifest: Manifest, which: Status, **changes: Any) -> Manifest:
    """The manifest with the first node of a status changed."""
    index = next(index for index, node in enumerate(manifest.nodes) if node.status is which)
    nodes = list(manifest.nodes)
    nodes[index] = replace(nodes[index], **changes)
    return replace(manifest, nodes=tuple(nodes))


def node_of(manifest: Manifest, status: Status) -> Node:
    return next(node for node in manifest.nodes if node.status is status)


# what a Superlink may do to the content of a round, with a manifest and a result that state it


async def update_changed(stage: Stage) -> tuple[Manifest, None]:
    node = node_of(stage.manifest, Status.OK)
    content = await stage.content(node.cid)
    content[-5] ^= 1
    return with_node(stage.manifest, Status.OK, cid=await stage.put(content)), None


async def model_changed(stage: Stage) -> tuple[Manifest, None]:
    content = await stage.content(stage.manifest.model)
    content[-1] ^= 1
    return replace(stage.manifest, model=await stage.put(content)), None


async def step_changed(stage: Stage) -> tuple[Manifest, None]:
    content = await stage.content(stage.manifest.step)
    content[-5] ^= 1
    return replace(stage.manifest, step=await stage.put(content)), None


async def gate_changed(stage: Stage) -> tuple[Manifest, None]:
    content = await stage.content(stage.manifest.gate_gradient)
    content[-1] += 1  # an exponent: the last chunk counts twice
    return replace(stage.manifest, gate_gradient=await stage.put(content)), None


async def gate_changed_a_little(stage: Stage) -> tuple[Manifest, None]:
    """Within the tolerance: all that follows from it must still follow."""
    content = await stage.content(stage.manifest.gate_gradient)
    first = len(encode_gradient_prefix(stage.manifest.values))
    for low in range(first + 1, first + GRADIENT_LEAF - 1, 2):
        content[low] ^= 2
    roots = replace(stage.manifest.roots, gate=root_of(stage, content))
    return replace(stage.manifest, gate_gradient=await stage.put(content), roots=roots), None


async def gate_changed_alone(stage: Stage) -> tuple[Manifest, None]:
    content = await stage.content(stage.manifest.gate_gradient)
    content[-2] ^= 1
    return replace(stage.manifest, gate_gradient=await stage.put(content)), None


async def reference_changed(stage: Stage) -> tuple[Manifest, None]:
    content = await stage.content(stage.manifest.gradient)
    content[-1] += 1
    roots = replace(stage.manifest.roots, gradient=root_of(stage, content))
    return replace(stage.manifest, gradient=await stage.put(content), roots=roots), None


def root_of(stage: Stage, content: bytearray) -> Digest:
    """The root of a gradient's content."""
    prefix = len(encode_gradient_prefix(stage.manifest.values))
    rows = np.frombuffer(content, np.uint8, offset=prefix).reshape(-1, GRADIENT_LEAF)
    return compute_body_root(rows, RULES.body_depth)


async def reference_changed_alone(stage: Stage) -> tuple[Manifest, None]:
    content = await stage.content(stage.manifest.gradient)
    content[-2] ^= 1
    return replace(stage.manifest, gradient=await stage.put(content)), None


async def shard_changed(stage: Stage) -> tuple[Manifest, None]:
    content = await stage.content(stage.manifest.shard.cid)
    content[-1] ^= 1
    return replace(stage.manifest, shard=replace(stage.manifest.shard, cid=await stage.put(content))), None


async def base_changed(stage: Stage) -> tuple[Manifest, None]:
    content = await stage.content(stage.manifest.base_model)
    content[-1] ^= 1
    return replace(stage.manifest, base_model=await stage.put(content)), None


async def gradient_too_large(stage: Stage) -> tuple[Manifest, None]:
    return replace(stage.manifest, gate_gradient=await stage.put(bytes(100_000))), None


# what it may state, with payouts and roots that follow


async def score_raised(stage: Stage) -> tuple[Manifest, None]:
    node = node_of(stage.manifest, Status.OK)
    raised = with_node(stage.manifest, Status.OK, score=MicroScore(2 * node.score))
    return stage.resettled(raised), None


async def weight_raised(stage: Stage) -> tuple[Manifest, None]:
    node = node_of(stage.manifest, Status.CLIPPED)
    return stage.resettled(with_node(stage.manifest, Status.CLIPPED, weight=node.weight + 1)), None


async def gated_counted(stage: Stage) -> tuple[Manifest, None]:
    node = node_of(stage.manifest, Status.GATED)
    return stage.resettled(
        with_node(
            stage.manifest, Status.GATED, status=Status.OK, weight=node.unit_weight, score=MicroScore(1)
        )
    ), None


async def good_gated(stage: Stage) -> tuple[Manifest, None]:
    return stage.resettled(
        with_node(stage.manifest, Status.OK, status=Status.GATED, weight=0, score=MicroScore(0))
    ), None


async def good_invalid(stage: Stage) -> tuple[Manifest, None]:
    zero = dict.fromkeys(("unit_weight", "weight", "gate_dot", "square", "cosine", "score", "share"), 0)
    return stage.resettled(with_node(stage.manifest, Status.OK, status=Status.INVALID, **zero)), None


async def invalid_counted(stage: Stage) -> tuple[Manifest, None]:
    return stage.resettled(with_node(stage.manifest, Status.INVALID, status=Status.OK)), None


async def withheld_invented(stage: Stage) -> tuple[Manifest, None]:
    other = node_of(stage.manifest, Status.OK)
    taken = {"cid": other.cid, "body_root": other.body_root, "salt": other.salt}
    return stage.resettled(with_node(stage.manifest, Status.WITHHELD, status=Status.OK, **taken)), None


async def stake_raised(stage: Stage) -> tuple[Manifest, None]:
    node = node_of(stage.manifest, Status.OK)
    return stage.resettled(with_node(stage.manifest, Status.OK, stake=Wei(2 * node.stake))), None


async def owner_replaced(stage: Stage) -> tuple[Manifest, None]:
    thief = stage.world.bonded.owner.address
    return stage.resettled(with_node(stage.manifest, Status.OK, owner=thief)), None


async def debt_invented(stage: Stage) -> tuple[Manifest, None]:
    accounts = list(stage.manifest.accounts)
    accounts[0] = replace(accounts[0], debt=accounts[0].debt + 5)
    return replace(stage.manifest, accounts=tuple(accounts)), None


async def memory_forgotten(stage: Stage) -> tuple[Manifest, None]:
    accounts = list(stage.manifest.accounts)
    accounts[0] = replace(accounts[0], memory=0)
    return replace(stage.manifest, accounts=tuple(accounts)), None


async def shard_chosen(stage: Stage) -> tuple[Manifest, None]:
    """A shard that the seed did not draw, with its true proof."""
    shards = read_shards(stage.world.assignment.shards)
    index = next(i for i in range(len(shards.paths)) if i not in stage.manifest.used_shards)
    cid = await DiskStore(stage.folder).put_file(shards.paths[index])
    shard = replace(stage.manifest.shard, index=index, cid=cid, proof=shards.proof(index))
    used = tuple(sorted({*stage.previous.used_shards, index}))
    return replace(stage.manifest, shard=shard, used_shards=used), None


async def commit_dropped(stage: Stage) -> tuple[Manifest, Result]:
    """A node that committed is said to be absent; the result states the true root, or the chain would refuse it."""
    node = node_of(stage.manifest, Status.OK)
    absent = sorted(
        (*stage.manifest.absent, Absent(node.node, node.owner, "asleep")), key=lambda row: row.node
    )
    kept = tuple(row for row in stage.manifest.nodes if row is not node)
    manifest = stage.resettled(replace(stage.manifest, nodes=kept, absent=tuple(absent)))
    honest = stage.honest
    return manifest, stage.stated(manifest, commits_root=honest.commits_root, revealed=honest.revealed)


async def pass_invented(stage: Stage) -> tuple[Manifest, None]:
    """A node that said nothing is stated to have passed."""
    silent, *others = stage.manifest.absent
    made = Pass(silent.node, silent.owner, stage.manifest.passes[0].signature, "the node passed this round")
    passes = tuple(sorted((*stage.manifest.passes, made), key=lambda passed: passed.node))
    return replace(stage.manifest, passes=passes, absent=tuple(others)), None


async def lost_shard_used_again(stage: Stage) -> tuple[Manifest, None]:
    """A shard that an earlier round drew counts as never drawn."""
    return replace(stage.manifest, used_shards=stage.manifest.used_shards[1:]), None


async def forced_dropped(stage: Stage) -> tuple[Manifest, None]:
    kept = tuple(row for row in stage.manifest.nodes if not row.forced)
    return replace(stage.manifest, nodes=kept), None


async def signature_foreign(stage: Stage) -> tuple[Manifest, None]:
    node = node_of(stage.manifest, Status.WITHHELD)
    return with_node(stage.manifest, Status.OK, signature=node.signature), None


async def self_paid(stage: Stage) -> tuple[Manifest, None]:
    """An account of its own, beside what the round pays."""
    accounts = (*stage.manifest.accounts, Account(stage.world.bonded.owner.address, Wei(1), 0, 0))
    total = Wei(stage.manifest.reward_total_wei + 1)
    return replace(stage.manifest, accounts=accounts, reward_total_wei=total), None


# each with the checks that must catch it
CHEATS: dict[Cheat, set[str]] = {
    update_changed: {"commitments", "updates"},
    model_changed: {"model"},
    step_changed: {"model"},
    gate_changed: {"gate gradient"},
    gate_changed_a_little: {"weights"},
    gate_changed_alone: {"gate gradient"},
    reference_changed: {"reference gradient"},
    reference_changed_alone: {"reference gradient"},
    shard_changed: {"shard"},
    base_changed: {"round"},
    gradient_too_large: {"gate gradient"},
    score_raised: {"scores"},
    weight_raised: {"weights", "model"},
    gated_counted: {"weights"},
    good_gated: {"weights"},
    good_invalid: {"updates"},
    invalid_counted: {"updates"},
    withheld_invented: {"commitments"},
    stake_raised: {"members"},
    owner_replaced: {"members"},
    debt_invented: {"payouts"},
    memory_forgotten: {"payouts"},
    shard_chosen: {"shard draw"},
    commit_dropped: {"commits"},
    pass_invented: {"commits", "signatures"},
    lost_shard_used_again: {"shard draw"},
    forced_dropped: {"forced commits"},
    signature_foreign: {"signatures"},
    self_paid: {"payouts"},
}
