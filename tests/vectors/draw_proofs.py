"""The cases of proofs.json that `ShardsProver` convicts: the third round of settled.json, with shards that nobody drew."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

from dao.core.commits import compute_closing_hash
from dao.core.formats.manifest import Shard
from dao.core.formats.round_rows import encode_shards
from dao.core.round_machine import draw_shard
from dao.core.state import LostRound
from dao.core.statement import compute_result_hash, compute_statement_hash
from dao.core.types import Digest
from dao.proofs.draws import DRAW, prove_draw
from dao.proofs.round_trees import RoundTrees, StatedParent
from tests.vectors.make_round import SHARDS, TREE
from tests.vectors.make_settled import build_settled
from tests.vectors.proof_case import ROUND, Case, encode_words
from tests.vectors.settlement_proofs import HONEST, STATED, make

MANY = 1 << 16


def draws() -> Iterator[tuple[str, Case]]:
    """Another shard; the right one, after a round that is void and one that was aborted, and that of a lost round left out."""
    bitmap, own = HONEST.shards[:8192], HONEST.shards[8192:]
    other = (int.from_bytes(own[:4], "big") + 1) % STATED.rules.shards
    shard = Shard(other, SHARDS[other], tuple(TREE.proof(other)))
    yield _make("draw", say(HONEST, bitmap + encode_shards((), shard)[8192:]))
    yield _make("draw_of_another_content", say(HONEST, HONEST.shards[:-1] + bytes([HONEST.shards[-1] ^ 1])))
    first, second = (trees for _, trees in build_settled()[:2])
    parent = StatedParent(first.result, first.statement, first.accounts, first.shards)
    index = draw_shard(HONEST.result.seed, STATED.rules.shards, read_used(first.shards))
    forgotten = encode_shards(
        (*read_used(first.shards), index), Shard(index, SHARDS[index], tuple(TREE.proof(index)))
    )
    stated = second.result
    for name, result in ("void", stated), ("aborted", None):
        lost = LostRound(STATED.rules.shards, stated.commits_root, stated.seed, result)
        trees = say(replace(HONEST, parent=parent, lost=(lost,)), forgotten)
        closing = compute_closing_hash(stated.commits_root, stated.seed)
        state = encode_words(
            ROUND,
            closed_at=7,
            posted_at=9 if result else 0,
            closing=closing,
            result_hash=compute_result_hash(stated) if result else bytes(32),
        )
        yield _make(f"draw_without_{name}", trees, 1, lost=state)


def draws_of_many() -> Iterator[tuple[str, Case]]:
    """The most that a task may have, nearly all of them used: the last word of the bitmap has the ones that are left."""
    used = tuple(range(MANY - 3))
    assert HONEST.parent
    shards = encode_shards(used, Shard(MANY - 4, SHARDS[0], tuple(TREE.proof(0))))
    statement = replace(HONEST.parent.statement, used_shards=Digest(sha256(shards).digest()))
    parent = replace(HONEST.parent, shards=shards, statement=statement)
    yield _make("draw_of_many", restate_parent(replace(HONEST, parent=parent)), shards=MANY)


def restate_parent(trees: RoundTrees) -> RoundTrees:
    """State in the parent's result what its statement is now."""
    assert trees.parent
    result = replace(trees.parent.result, statement=compute_statement_hash(trees.parent.statement))
    return replace(trees, parent=replace(trees.parent, result=result))


def read_used(shards: bytes) -> list[int]:
    """Return the shards of a bitmap."""
    return [i for i in range(MANY) if shards[i // 8] >> (7 - i % 8) & 1]


def say(trees: RoundTrees, shards: bytes) -> RoundTrees:
    """State other shards."""
    statement = replace(trees.statement, used_shards=Digest(sha256(shards).digest()))
    return replace(trees, shards=shards, statement=statement)


def _make(name: str, trees: RoundTrees, parent: int = 2, **others: int | bytes) -> tuple[str, Case]:
    rules = STATED.rules
    stated = {
        "round": encode_words(ROUND, open_block=300, parent=parent),
        "shards": rules.shards,
        "validation_root": rules.validation_root,
        **others,
    }
    return name, make("ShardsProver", DRAW, prove_draw(trees), trees, **stated)
