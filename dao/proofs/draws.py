"""Proofs for `ShardsProver`: the shards that a result states are not those that the seeds drew."""

from __future__ import annotations

from dataclasses import astuple

from dao.core.formats.abi import encode
from dao.proofs.round_trees import RoundTrees

DRAW = 0  # the claim


def prove_draw(trees: RoundTrees) -> bytes:
    """Show the parent's shards, what was drawn since, and the shards that the result states."""
    parent = trees.parent.shards if trees.parent else b""
    lost = (encode(*astuple(one.result)) if one.result else one.commits_root + one.seed for one in trees.lost)
    return trees.show_parent() + parent + b"".join(lost) + trees.shards
