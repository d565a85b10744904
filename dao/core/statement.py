"""What a result binds of a settled round: the manifest's roots and sums as a statement, and what the chain is told of it."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from hashlib import sha256

from dao.core.commits import MISSING, NodeCommitment
from dao.core.engine.keccak import keccak256
from dao.core.engine.merkle import Tree
from dao.core.formats.abi import encode
from dao.core.formats.accounts import AccountTree
from dao.core.formats.manifest import Account, Manifest, Node
from dao.core.formats.round_rows import (
    COUNTED,
    PASSED,
    build_rows_tree,
    compute_used_shards_hash,
    encode_medians,
)
from dao.core.score import compute_part_along
from dao.core.types import Address, Digest, Result, Statement


def build_account_tree(nodes: Sequence[Node], accounts: Sequence[Account]) -> AccountTree:
    """Build the tree over the accounts after a round, in which these nodes committed."""
    return AccountTree(accounts, {node.owner: row for row, node in enumerate(nodes)})


def build_rows(nodes: Sequence[Node], accounts: Sequence[Account]) -> Tree:
    """Build the tree over the rows of a round, after which these are the accounts."""
    return build_rows_tree(nodes, {account.owner: place for place, account in enumerate(accounts)})


def compute_statement(manifest: Manifest) -> Statement:
    """Return the roots and sums of a settled round."""
    roots = manifest.roots
    return Statement(
        rows_root=roots.rows,
        inputs_root=roots.inputs,
        aggregate_root=roots.aggregate,
        model_root=roots.model,
        new_step_root=roots.new_step,
        gate_root=roots.gate,
        gradient_root=roots.gradient,
        step_root=roots.step,
        gate_totals=roots.gate_totals,
        step_totals=roots.step_totals,
        medians_hash=Digest(sha256(encode_medians(manifest.nodes, compute_parts(manifest))).digest()),
        used_shards=compute_used_shards_hash(manifest.used_shards, manifest.shard),
        gate_square=manifest.gate_square,
        gradient_along=manifest.gradient_along,
        step_square=manifest.step_square,
        along_median=manifest.along_median,
        norm_median=manifest.norm_median,
        rows=len(manifest.nodes),
        accounts=len(manifest.accounts),
    )


def compute_result(
    manifest: Manifest, forced: Sequence[NodeCommitment], model_digest: Digest, manifest_digest: Digest
) -> Result:
    """Write what the chain is told of a settled round, with the digests of the model's and the manifest's content."""
    forced_nodes = {commit.node for commit in forced}
    arrived = [node for node in manifest.nodes if node.status not in MISSING]
    return Result(
        commits_root=manifest.roots.commits,
        seed=manifest.seed,
        statement=compute_statement_hash(compute_statement(manifest)),
        model_digest=model_digest,
        manifest_digest=manifest_digest,
        accounts_root=manifest.roots.accounts,
        forced_hash=manifest.forced_hash,
        inputs=sum(node.status in COUNTED for node in manifest.nodes),
        # a node that is in the tree and forced its commit while that went to the chain has two in the coordinator's count
        revealed=sum((not node.forced) + (node.node in forced_nodes) for node in arrived),
        weight_sum=manifest.weight_sum,
        reward_total=manifest.reward_total_wei,
    )


def compute_statement_hash(statement: Statement) -> Digest:
    """Return what a result holds of a statement: keccak256(abi.encode(Statement))."""
    return keccak256(encode(*astuple(statement)))


def compute_result_hash(result: Result) -> Digest:
    """Return what the coordinator stores of a result: keccak256(abi.encode(Result))."""
    return keccak256(encode(*astuple(result)))


def compute_parts(manifest: Manifest) -> Mapping[Address, int]:
    """Return the part of its value along the last step of each node that passed the gate."""
    sums = manifest.gradient_along, manifest.step_square
    return {
        node.node: compute_part_along(node.weight, node.unit_weight, node.step_dot, *sums)
        for node in manifest.nodes
        if node.status in PASSED
    }
