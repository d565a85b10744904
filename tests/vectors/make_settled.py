"""Writes settled.json, three honest rounds as leaves of their trees: `python -m tests.vectors.make_settled`.

Leaves of a tree stand side by side. Result and statement are as `abi.encode` has them. `stakes` is what the registry says of each
node that committed: node 20, owner 20, stake u128. `proofs` are hashes over all proofs that `dao.proofs` makes of the honest round,
by prover: the tests in Solidity open the same leaves, and get the same bytes.
"""

import json
from collections.abc import Iterator
from dataclasses import astuple
from hashlib import sha256
from pathlib import Path

from dao.core.formats.abi import encode
from dao.core.formats.canonical import write_canonical
from dao.core.formats.json_form import get_form
from dao.core.formats.manifest import parse_manifest
from dao.core.types import Result, hex_of
from dao.proofs.draws import prove_draw
from dao.proofs.round_trees import RoundTrees, StatedParent, build_trees
from dao.proofs.settlements import (
    AccountsClaim,
    RowsClaim,
    ScoresClaim,
    WeightsClaim,
    prove_account,
    prove_row,
    prove_score,
    prove_weight,
)
from tests.vectors.make_round import make_rounds
from tests.vectors.play_round import Json, StatedRound

PATH = Path(__file__).with_name("settled.json")


def build_settled() -> list[tuple[StatedRound, RoundTrees]]:
    """Return the rounds, each on the last one, and their trees."""
    settled: list[tuple[StatedRound, RoundTrees]] = []
    parent = None
    for vector in make_rounds():
        manifest = parse_manifest(write_canonical(vector["outcome"]["manifest"]))
        result = get_form(Result).read(vector["outcome"]["result"], "result")
        forced = [node for node in manifest.nodes if node.forced]
        trees = build_trees(manifest, result, forced, parent)
        settled.append((get_form(StatedRound).read(vector["inputs"], "inputs"), trees))
        parent = StatedParent(result, trees.statement, trees.accounts, trees.shards)
    return settled


def list_row_proofs(trees: RoundTrees) -> Iterator[bytes]:
    """All proofs for RowsProver: of each claim, at each index."""
    of = {RowsClaim.SUMS: 1, RowsClaim.DROPPED: len(trees.commits), RowsClaim.FORCED: len(trees.forced)}
    for claim in RowsClaim:
        for index in range(claim is RowsClaim.ORDER, of.get(claim, len(trees.rows))):
            is_pass = claim is RowsClaim.DROPPED and trees.commits[index][20]
            is_input = int.from_bytes(trees.rows[index][342:346], "big") if index < len(trees.rows) else 0
            if not is_pass and (claim is not RowsClaim.INPUT or is_input):
                yield prove_row(trees, claim, index)


def list_weight_proofs(trees: RoundTrees) -> Iterator[bytes]:
    """All proofs for WeightsProver."""
    for claim in WeightsClaim:
        is_of_row = claim < WeightsClaim.NORM_MEDIAN
        yield from (prove_weight(trees, claim, index) for index in range(len(trees.rows) if is_of_row else 1))


def list_score_proofs(trees: RoundTrees) -> Iterator[bytes]:
    """All proofs for ScoresProver."""
    yield from (prove_score(trees, claim, index) for claim in ScoresClaim for index in range(len(trees.rows)))


def list_account_proofs(trees: RoundTrees) -> Iterator[bytes]:
    """All proofs for AccountsProver; of accounts that stand side by side for TWICE."""
    count = len(trees.accounts)
    for claim in AccountsClaim:
        last = 1 if claim in (AccountsClaim.FEWER, AccountsClaim.REWARD_TOTAL) else count
        first = claim in (AccountsClaim.TWICE, AccountsClaim.ORDER)
        for index in range(first, last):
            pair = (index - 1, index) if claim is AccountsClaim.TWICE else (index,)
            yield prove_account(trees, claim, *pair)


def hash_proofs(proofs: Iterator[bytes]) -> str:
    """Return a hash over the hashes of all proofs, in order."""
    return hex_of(sha256(b"".join(sha256(proof).digest() for proof in proofs)).digest())


def encode_stakes(stated: StatedRound) -> bytes:
    """Return node, owner and stake of each commit, side by side."""
    return b"".join(one.node + one.owner + one.stake.to_bytes(16, "big") for one in stated.commits)


def write_round(stated: StatedRound, trees: RoundTrees) -> Json:
    """Write one round."""
    leaves = {
        "rows": trees.rows,
        "inputs": trees.inputs,
        "accounts": trees.accounts,
        "commits": trees.commits,
    }
    rules = stated.rules
    return {
        **{name: hex_of(b"".join(side)) for name, side in leaves.items()},
        "medians": hex_of(trees.medians),
        "shards": hex_of(trees.shards),
        "forced": hex_of(b"".join(commit.node + commit.commitment for commit in trees.forced)),
        "result": hex_of(encode(*astuple(trees.result))),
        "statement": hex_of(encode(*astuple(trees.statement))),
        "open_block": 100 * stated.round,  # as make_round has them
        "stakes": hex_of(encode_stakes(stated)),
        "min_stake": hex_of(rules.min_stake.to_bytes(16, "big")),
        "max_stake": hex_of(rules.max_stake.to_bytes(16, "big")),
        "round_budget": hex_of(rules.round_budget.to_bytes(16, "big")),
        "chunks": rules.chunks,
        "scored_chunks": rules.scored_chunks,
        "shard_count": rules.shards,
        "validation_root": hex_of(rules.validation_root),
        "proofs": {
            "rows": hash_proofs(list_row_proofs(trees)),
            "weights": hash_proofs(list_weight_proofs(trees)),
            "scores": hash_proofs(list_score_proofs(trees)),
            "accounts": hash_proofs(list_account_proofs(trees)),
            "shards": hash_proofs(iter([prove_draw(trees)])),
        },
    }


def text() -> str:
    """The file's text."""
    rounds = {str(stated.round): write_round(stated, trees) for stated, trees in build_settled()}
    return json.dumps({"rounds": rounds}, indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(text())
