"""Proofs for `AvailabilityProver`: an update that a row does not count was there, or is not invalid where the row says so."""

from __future__ import annotations

from dao.core.types import Digest, Signature
from dao.proofs.openings import Rows, open_row
from dao.proofs.round_trees import RoundTrees, encode_index

RECEIPT, FORCED, COUNT, FAULT, ATTESTED = range(5)  # claims


def prove_row_alone(trees: RoundTrees, index: int) -> bytes:
    """Show a row: of a forced reveal (FORCED, ATTESTED), of a result that counts all (COUNT), with a fault that no update has (FAULT)."""
    return encode_index(index) + trees.open_row(index)


def prove_revealed(trees: RoundTrees, index: int, body_root: Digest, signature: Signature) -> bytes:
    """Show a row and the Superlink's receipt of its update (RECEIPT)."""
    return prove_row_alone(trees, index) + body_root + signature


def prove_fault(trees: RoundTrees, index: int, body: Rows, leaf: int, depth: int) -> bytes:
    """Show a row and the leaf of its update in which it has a fault (FAULT); `depth` is that of bodies."""
    return prove_row_alone(trees, index) + open_row(body, leaf, depth)
