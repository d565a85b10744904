"""The cases of proofs.json that `AvailabilityProver` convicts: the third round of settled.json, with a row that does not count."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

import numpy as np

from dao.core.engine.merkle import compute_root
from dao.core.formats.signed_messages import compute_revealed_digest
from dao.core.types import Address, Digest, Signature
from dao.proofs import availability as prove
from dao.proofs.openings import hash_rows
from dao.proofs.round_trees import RoundTrees
from tests.vectors.commit_proofs import OPENING, PLACE, SUPERLINK
from tests.vectors.proof_case import CHUNKS, ROUND, Case, encode_words
from tests.vectors.settlement_proofs import HONEST, change, fill, make, restate

LATE, INVALID, UNAVAILABLE = 1, 3, 6
STATUS, BODY_ROOT, FAULT = 184, 120, 450  # places in a row
BODY = np.arange(CHUNKS * 260, dtype=np.uint8).reshape(CHUNKS, 260) % 31  # no value is out of range


def availability(depth: int, count: int = 0, suffix: str = "") -> Iterator[tuple[str, Case]]:
    """One lie for each claim, of an update that is as deep; with so many rows, if there are fewer."""
    honest = fill(HONEST, count)
    late = restate(replace(honest, rows=change(honest.rows, 1, STATUS, 1, LATE)))
    row = late.rows[1]
    body_root = Digest(sha256(b"body").digest())
    digest = compute_revealed_digest(*PLACE, Address(row[:20]), Digest(row[56:88]), body_root)
    receipt = Signature(SUPERLINK.sign(digest))
    proof = prove.prove_revealed(late, 1, body_root, receipt)
    yield f"availability_receipt{suffix}", _make(prove.RECEIPT, proof, late)
    alone, opened = prove.prove_row_alone(late, 1), row[:20] + row[56:88]
    yield f"availability_forced{suffix}", _make(prove.FORCED, alone, late, revealed=opened)
    revealed = late.result.revealed
    yield f"availability_count{suffix}", _make(prove.COUNT, alone, late, commits=revealed)

    away = restate(replace(honest, rows=change(honest.rows, 1, STATUS, 1, UNAVAILABLE)))
    attested = _make(prove.ATTESTED, prove.prove_row_alone(away, 1), away, revealed=opened, attested=1)
    yield f"availability_attested{suffix}", attested
    root = compute_root(hash_rows(BODY), depth)
    rows = change(honest.rows, 1, STATUS, 1, INVALID)
    rows = change(rows, 1, BODY_ROOT, 32, int.from_bytes(root, "big"))
    faulty = restate(replace(honest, rows=change(rows, 1, FAULT, 5, 2 << 8 | 7)))
    proof = prove.prove_fault(faulty, 1, BODY, 2, depth)
    yield f"availability_fault{suffix}", _make(prove.FAULT, proof, faulty, body_depth=depth)


def _make(claim: int, proof: bytes, trees: RoundTrees, commits: int = 0, **others: int | bytes) -> Case:
    state = encode_words(ROUND, open_block=300, parent=2, opening=OPENING, commits=commits)
    stated = {"superlink": SUPERLINK.address, "round": state, "chunks": CHUNKS, **others}
    return make("AvailabilityProver", claim, proof, trees, **stated)
