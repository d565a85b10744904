"""One case of proofs.json: an accused round, as a coordinator holds it, and what convicts its result."""

from dao.core.formats.abi import encode
from dao.core.types import ZERO_DIGEST, hex_of
from tests.vectors.make import CHAIN_ID

COORDINATOR = bytes(range(1, 21))
BODY_DEPTH = 3
CHUNKS = 3

Case = dict[str, object]
Words = dict[str, int | bytes]

RESULT: Words = {
    "commits_root": ZERO_DIGEST,
    "seed": ZERO_DIGEST,
    "statement": ZERO_DIGEST,
    "model_digest": ZERO_DIGEST,
    "manifest_digest": ZERO_DIGEST,
    "accounts_root": ZERO_DIGEST,
    "forced_hash": ZERO_DIGEST,
    "inputs": 0,
    "revealed": 0,
    "weight_sum": 0,
    "reward_total": 0,
}
STATEMENT: Words = {
    "rows_root": ZERO_DIGEST,
    "inputs_root": ZERO_DIGEST,
    "aggregate_root": ZERO_DIGEST,
    "model_root": ZERO_DIGEST,
    "new_step_root": ZERO_DIGEST,
    "gate_root": ZERO_DIGEST,
    "gradient_root": ZERO_DIGEST,
    "step_root": ZERO_DIGEST,
    "gate_totals": ZERO_DIGEST,
    "step_totals": ZERO_DIGEST,
    "medians_hash": ZERO_DIGEST,
    "used_shards": ZERO_DIGEST,
    "gate_square": 0,
    "gradient_along": 0,
    "step_square": 0,
    "along_median": 0,
    "norm_median": 0,
    "rows": 0,
    "accounts": 0,
}


ROUND: Words = {
    "open_block": 0,
    "opened_at": 0,
    "closed_at": 0,
    "posted_at": 0,
    "parent": 0,
    "eligible": 0,
    "commits": 0,
    "phase": 0,
    "opening": ZERO_DIGEST,
    "closing": ZERO_DIGEST,
    "result_hash": ZERO_DIGEST,
}


def encode_words(form: Words, **values: int | bytes) -> bytes:
    """Return a struct as `abi.encode` has it; fields that are not given are 0."""
    assert values.keys() <= form.keys(), values.keys() - form.keys()
    return encode(*{**form, **values}.values())


def make_case(prover: str, claim: int, proof: bytes, **others: int | bytes) -> Case:
    """One case; what it does not give is 0."""
    defaults: dict[str, int | bytes] = {
        "claim": claim,
        "chain_id": CHAIN_ID,
        "coordinator": COORDINATOR,
        "body_depth": BODY_DEPTH,
        "codec": 0,
        "chunks": CHUNKS,
        "scored_chunks": CHUNKS,
        "shards": 0,
        "validation_root": ZERO_DIGEST,
        "base_model_root": ZERO_DIGEST,
        "superlink": bytes(20),
        "commit_period": 0,
        "close_after": 0,
        "close_share": 100,
        "min_stake": bytes(16),
        "max_stake": bytes(16),
        "round_budget": bytes(16),
        "stakes": b"",  # node 20, owner 20, stake u128 before the round opened, side by side
        "members": b"",  # addresses side by side
        "forced": 0,
        "revealed": b"",  # node 20, commitment 32 that it opened on chain, side by side
        "attested": 0,  # whether these are attested
        "round": encode_words(ROUND),
        "result": encode_words(RESULT),
        "statement": encode_words(STATEMENT),
        "parent_result": ZERO_DIGEST,
        "parent_of_parent": 0,
        "parent_of_parent_result": ZERO_DIGEST,
        "lost": b"",  # the state of a round between it and its parent, one before it
        "proof": proof,
    }
    assert others.keys() <= defaults.keys(), others.keys() - defaults.keys()
    values = {**defaults, **others}
    shown = {name: hex_of(value) if isinstance(value, bytes) else value for name, value in values.items()}
    return {"prover": prover, **shown}
