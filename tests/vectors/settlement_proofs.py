"""The cases of proofs.json about rows, weights, scores and accounts: the third round of settled.json with one lie for each claim."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, replace
from hashlib import sha256

from dao.core.constants import ROWS_DEPTH
from dao.core.engine.merkle import Tree
from dao.core.formats.abi import encode
from dao.core.statement import compute_result_hash
from dao.core.types import Digest, Wei
from dao.proofs.round_trees import RoundTrees
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
from tests.vectors.make_settled import build_settled, encode_stakes
from tests.vectors.proof_case import ROUND, Case, encode_words, make_case

GATED = 5
WEIGHT_UNITS = 1 << 20
(STATED, HONEST) = build_settled()[2]
FORCED_ROW = next(index for index, row in enumerate(HONEST.rows) if row[185])


def settlements(count: int = 0, suffix: str = "") -> Iterator[tuple[str, Case]]:
    """One lie for each claim; with so many rows and accounts, if there are fewer."""
    trees = fill(HONEST, count)
    yield from (
        (f"{name}{suffix}", case)
        for cases in (rows, weights, scores, accounts)
        for name, case in cases(trees)
    )


def rows(honest: RoundTrees) -> Iterator[tuple[str, Case]]:
    """Lies that RowsProver is for."""

    def convict(claim: RowsClaim, trees: RoundTrees, index: int = 0) -> tuple[str, Case]:
        return f"row_{claim.name.lower()}", make("RowsProver", claim, prove_row(trees, claim, index), trees)

    def lie(place: int, size: int, index: int = 0) -> RoundTrees:
        return restate(replace(honest, rows=change(honest.rows, index, place, size)))

    first = next(index for index, leaf in enumerate(honest.commits) if leaf.startswith(honest.rows[0][:20]))
    twice = [honest.rows[0], honest.rows[0][:20] + honest.rows[1][20:], *honest.rows[2:]]
    yield convict(RowsClaim.ORDER, restate(replace(honest, rows=twice)), 1)
    yield convict(RowsClaim.STAKE, lie(40, 16))
    yield convict(RowsClaim.REVEAL, lie(88, 32))
    yield convict(RowsClaim.INPUT, restate(replace(honest, inputs=change(honest.inputs, 0, 52, 4))))
    yield convict(RowsClaim.TOTALS, lie(354, 16, 1), 1)
    weight_sum = honest.result.weight_sum + 1
    yield convict(RowsClaim.SUMS, replace(honest, result=replace(honest.result, weight_sum=weight_sum)))
    yield convict(RowsClaim.DROPPED, restate(replace(honest, rows=honest.rows[1:])), first)
    yield convict(RowsClaim.UNCOMMITTED, lie(185, 1, FORCED_ROW), FORCED_ROW)
    yield convict(RowsClaim.ACCOUNT, lie(338, 4))
    dropped = [*honest.rows[:FORCED_ROW], *honest.rows[FORCED_ROW + 1 :]]
    yield convict(RowsClaim.FORCED, restate(replace(honest, rows=dropped)))


def weights(honest: RoundTrees) -> Iterator[tuple[str, Case]]:
    """Lies that WeightsProver is for."""

    def convict(claim: WeightsClaim, trees: RoundTrees) -> tuple[str, Case]:
        return f"weight_{claim.name.lower()}", make("WeightsProver", claim, prove_weight(trees, claim), trees)

    for claim, place, size in (
        (WeightsClaim.UNIT, 186, 4),
        (WeightsClaim.MEMORY, 258, 8),
        (WeightsClaim.CLIP, 190, 4),
    ):
        yield convict(claim, restate(replace(honest, rows=change(honest.rows, 0, place, size))))
    gated = change(honest.rows, 0, 184, 1, GATED)
    yield convict(WeightsClaim.GATE, restate(replace(honest, rows=gated)))
    yield convict(WeightsClaim.LIST, restate(replace(honest, medians=b"\1" + honest.medians[1:])))
    yield convict(WeightsClaim.NORM_MEDIAN, move_medians(honest))
    yield convict(WeightsClaim.ALONG_MEDIAN, move_medians(honest))


def scores(honest: RoundTrees) -> Iterator[tuple[str, Case]]:
    """Lies that ScoresProver is for."""
    for claim, place, size in (ScoresClaim.SCORE, 330, 8), (ScoresClaim.SHARE, 370, 16):
        trees = restate(replace(honest, rows=change(honest.rows, 1, place, size)))
        proof = prove_score(trees, claim, 1)
        yield f"score_{claim.name.lower()}", make("ScoresProver", claim, proof, trees)


def accounts(honest: RoundTrees) -> Iterator[tuple[str, Case]]:
    """Lies that AccountsProver is for."""
    assert honest.parent

    def convict(claim: AccountsClaim, trees: RoundTrees, *places: int) -> tuple[str, Case]:
        proof = prove_account(trees, claim, *places)
        return f"account_{claim.name.lower()}", make("AccountsProver", claim, proof, trees)

    def lie(index: int, place: int, size: int) -> RoundTrees:
        return restate(replace(honest, accounts=change(honest.accounts, index, place, size)))

    new = len(honest.parent.accounts)
    moved = next(index for index, leaf in enumerate(honest.accounts) if leaf[68:] == b"\0\0\0\1")
    few = replace(honest.statement, accounts=1)
    yield convict(AccountsClaim.FEWER, replace(honest, statement=few))
    yield convict(AccountsClaim.OWNER, lie(0, 0, 20), 0)
    yield convict(AccountsClaim.UNMOVED, lie(0, 36, 8), 0)
    yield convict(AccountsClaim.MOVED, lie(moved, 36, 8), moved)
    yield convict(AccountsClaim.TOTAL, lie(1, 52, 16), 1)
    reward_total = Wei(honest.result.reward_total + 1)
    paid = replace(honest.result, reward_total=reward_total)
    yield convict(AccountsClaim.REWARD_TOTAL, replace(honest, result=paid))
    same = [
        *honest.accounts[:new],
        honest.accounts[0][:20] + honest.accounts[new][20:],
        *honest.accounts[new + 1 :],
    ]
    yield convict(AccountsClaim.TWICE, restate(replace(honest, accounts=same)), 0, new)
    swapped = [*honest.accounts[:new], *honest.accounts[new : new + 2][::-1], *honest.accounts[new + 2 :]]
    yield convict(AccountsClaim.ORDER, restate(replace(honest, accounts=swapped)), new + 1)


def medians(counts: Iterable[int]) -> Iterator[tuple[str, Case]]:
    """Lists of so many nodes that passed: a median beside the true one, a list with a wrong entry."""
    for count in counts:
        entry = (WEIGHT_UNITS // count).to_bytes(4, "big") * 2
        dice = [sha256(f"median {index}".encode()).digest() for index in range(count)]
        listed = b"".join(entry + one[:8] + bytes(14) + one[:18] for one in dice)  # parts have 18 bytes
        last = change(HONEST.rows, len(HONEST.rows) - 1, 346, 4, count)
        trees = move_medians(restate(replace(HONEST, medians=listed, rows=last)))
        for claim in (WeightsClaim.NORM_MEDIAN, WeightsClaim.ALONG_MEDIAN, WeightsClaim.LIST):
            proof = prove_weight(trees, claim)
            yield f"weight_{claim.name.lower()}_of_{count}", make("WeightsProver", claim, proof, trees)


def make(prover: str, claim: int, proof: bytes, trees: RoundTrees, **others: int | bytes) -> Case:
    """Make the case of a lie, on the chain of the honest round but for `others`."""
    assert trees.parent
    rules = STATED.rules
    values: dict[str, int | bytes] = {
        "chunks": rules.chunks,
        "scored_chunks": rules.scored_chunks,
        "min_stake": rules.min_stake.to_bytes(16, "big"),
        "max_stake": rules.max_stake.to_bytes(16, "big"),
        "round_budget": rules.round_budget.to_bytes(16, "big"),
        "stakes": encode_stakes(STATED),
        "round": encode_words(ROUND, open_block=300, parent=2),
        "parent_result": compute_result_hash(trees.parent.result),
        "result": encode(*astuple(trees.result)),
        "statement": encode(*astuple(trees.statement)),
    }
    return make_case(prover, claim, proof, **{**values, **others})


def change(
    leaves: Sequence[bytes], index: int, place: int, size: int, value: int | None = None
) -> list[bytes]:
    """Return the leaves with another number in one of them: the next one, where none is given."""
    leaf = leaves[index]
    before = int.from_bytes(leaf[place : place + size], "big")
    number = (before + 1) % (1 << 8 * size) if value is None else value
    changed = leaf[:place] + number.to_bytes(size, "big") + leaf[place + size :]
    return [*leaves[:index], changed, *leaves[index + 1 :]]


def move_medians(trees: RoundTrees) -> RoundTrees:
    """State other medians."""
    norm, along = trees.statement.norm_median + 1, trees.statement.along_median + 1
    return replace(trees, statement=replace(trees.statement, norm_median=norm, along_median=along))


def restate(trees: RoundTrees) -> RoundTrees:
    """State the roots of the leaves."""
    statement = replace(
        trees.statement,
        rows_root=Tree(list(trees.rows), ROWS_DEPTH).root,
        inputs_root=Tree(list(trees.inputs), ROWS_DEPTH).root,
        medians_hash=Digest(sha256(trees.medians).digest()),
        rows=len(trees.rows),
        accounts=len(trees.accounts),
    )
    root = Tree(list(trees.accounts), ROWS_DEPTH).root
    return replace(trees, statement=statement, result=replace(trees.result, accounts_root=root))


def fill(trees: RoundTrees, count: int) -> RoundTrees:
    """Add rows and accounts behind the last ones, until there are so many."""
    many_rows, many_accounts = list(trees.rows), list(trees.accounts)
    last = many_rows[-1]
    while len(many_rows) < count:
        many_rows.append((len(many_rows) + (0xFF << 152)).to_bytes(20, "big") + last[20:])
    while len(many_accounts) < count:
        many_accounts.append(sha256(many_accounts[-1]).digest()[:20] + many_accounts[-1][20:])
    return restate(replace(trees, rows=many_rows, accounts=many_accounts))
