"""Proofs that a Supernode was absent from rounds, by which `Disputes.sleep` puts it to sleep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from dao.core.commits import NodeCommitment
from dao.core.formats.abi import encode
from dao.core.types import Address, Result
from dao.proofs.commit_trees import prove_absence


@dataclass(frozen=True, slots=True)
class HeardRound:
    """Who was heard in a round: its result, the leaves of its tree of commits, and all its forced commits, in order."""

    result: Result
    leaves: Sequence[bytes]
    forced: Sequence[NodeCommitment]


def prove_sleep(node: Address, rounds: Sequence[HeardRound]) -> bytes:
    """Show that a node neither committed nor passed in rounds, the newest first."""
    return b"".join(
        encode(*astuple(one.result)) + prove_absence(node, one.leaves, one.forced) for one in rounds
    )
