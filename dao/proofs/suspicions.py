"""Everything that provers can be asked about a round whose manifest is known: each claim once, with its proof and in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from dao.core.commits import FAILED
from dao.core.constants import COMMIT_KIND, ROWS_DEPTH
from dao.core.formats.round_rows import NO_FAULT, STATUSES
from dao.core.types import ZERO_DIGEST, Address, Digest, Signature, hex_of
from dao.proofs import availability, commit_trees, draws, shapes
from dao.proofs.openings import Rows
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

NODE = 20  # bytes that a row, a commit and an account begin with
Bodies = Mapping[Address, Rows]  # of updates, by node

OF_ROWS: tuple[tuple[str, Callable[[RoundTrees, Any, int], bytes], dict[Any, str]], ...] = (
    (
        "RowsProver",
        prove_row,
        {
            RowsClaim.ORDER: "its row is not behind the one before",
            RowsClaim.STAKE: "its owner or stake is not the registry's",
            RowsClaim.REVEAL: "its row does not open its commitment, or opens it where it says that nobody did",
            RowsClaim.INPUT: "its input is not what its row says",
            RowsClaim.TOTALS: "the totals up to its row do not add up",
            RowsClaim.UNCOMMITTED: "it has a row and did not commit so",
            RowsClaim.ACCOUNT: "its row points to an account that is not its owner's",
        },
    ),
    (
        "WeightsProver",
        prove_weight,
        {
            WeightsClaim.UNIT: "its unit weight is not its stake's part",
            WeightsClaim.MEMORY: "its memory does not follow from its cosine",
            WeightsClaim.GATE: "it passed the gate wrongly, or did not",
            WeightsClaim.CLIP: "its weight does not follow from its norm",
            WeightsClaim.LIST: "the list of medians has other numbers of it",
        },
    ),
    (
        "ScoresProver",
        prove_score,
        {
            ScoresClaim.SCORE: "its score does not follow from its products",
            ScoresClaim.SHARE: "its share does not follow from score and debt",
        },
    ),
)
OF_ACCOUNTS = {
    AccountsClaim.OWNER: "the account was another owner's",
    AccountsClaim.UNMOVED: "its account changed, or began, without a row",
    AccountsClaim.MOVED: "its account is not what its row makes of it",
    AccountsClaim.TOTAL: "the total up to its account does not add up",
    AccountsClaim.ORDER: "its account is not behind the one before",
}
OF_FAILED = {
    availability.FORCED: "its status is not what the chain has of its reveal",
    availability.COUNT: "all are counted as revealed, and its update is not",
    availability.ATTESTED: "members attested on chain that they have its update, and it is not counted",
}
OF_COMMITS = {
    commit_trees.KIND: "its leaf is neither a commit nor a pass",
    commit_trees.SIGNATURE: "its commit or pass is not signed by it",
    commit_trees.MEMBER: "it took no part in the round",
}
# what no prover holds of a result that follows from what its manifest states, once its roots are those stated
EXCLUDED = {
    *(("WeightsProver", claim) for claim in WeightsClaim),
    *(("ScoresProver", claim) for claim in ScoresClaim),
    *(("AccountsProver", claim) for claim in AccountsClaim),
    *(
        ("RowsProver", claim)
        for claim in (RowsClaim.ORDER, RowsClaim.REVEAL, RowsClaim.INPUT, RowsClaim.TOTALS)
    ),
    *(("RowsProver", claim) for claim in (RowsClaim.ACCOUNT, RowsClaim.SUMS, RowsClaim.DROPPED)),
    *(("CommitsProver", claim) for claim in (commit_trees.KIND, commit_trees.ORDER)),
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """A Superlink's signatures for a node's commit and for its update, as far as there are some."""

    node: Address
    commitment: Digest
    signature: Signature | None
    revealed: Signature | None = None
    body_root: Digest = ZERO_DIGEST


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What a prover can be asked: its name, the number of its claim, the claim in words, and how its proof is made.

    `subject` is the node or owner that it is about, None where it is about the whole round. `records` are what the prover must
    be told before, by transactions of their own: it says nothing without.
    """

    prover: str
    claim: int
    words: str
    prove: Callable[[], bytes]
    subject: Address | None = None
    records: tuple[Callable[[], bytes], ...] = ()


def list_suspicions(
    trees: RoundTrees,
    unheard: Iterable[Address] = (),
    receipts: Iterable[Receipt] = (),
    bodies: Bodies = MappingProxyType({}),
    depth: int = 0,
    leaf_chunks: int = 1,
) -> Iterator[Suspicion]:
    """Yield all claims about a round's commits, rows and accounts; `unheard` neither committed nor passed.

    `bodies` are those of updates whose rows state a fault, `depth` is that of their trees, `leaf_chunks` are what a row of them has
    room for.
    """
    for receipt in receipts:
        yield from _of_receipt(trees, receipt)
    yield from _of_commits(trees, unheard)
    yield from _of_shapes(trees)
    words = "its shards are not those that the seeds drew"
    yield Suspicion("ShardsProver", draws.DRAW, words, partial(draws.prove_draw, trees))
    words = "inputs or sum of weights are not those of the rows"
    yield Suspicion("RowsProver", RowsClaim.SUMS, words, partial(prove_row, trees, RowsClaim.SUMS))
    for claim in (WeightsClaim.NORM_MEDIAN, WeightsClaim.ALONG_MEDIAN):
        words = f"the {claim.name.lower().replace('_', ' ')} is not that of its list"
        yield Suspicion("WeightsProver", claim, words, partial(prove_weight, trees, claim))
    for index in range(len(trees.rows)):
        yield from _of_row(trees, index)
        yield from _of_failed(trees, index, bodies, depth, leaf_chunks)
    yield from _of_accounts(trees)


def _of_receipt(trees: RoundTrees, receipt: Receipt) -> Iterator[Suspicion]:
    node, commitment = receipt.node, receipt.commitment
    if receipt.signature:
        signed = node, commitment, receipt.signature
        prove = partial(commit_trees.prove_receipt, *signed, trees.commits, trees.forced)
        words = "the Superlink signed for its commit, and left it out"
        yield _about(node, "CommitsProver", commit_trees.RECEIPT, words, prove)
    for index, row in enumerate(trees.rows):
        if receipt.revealed and row.startswith(node) and row[56:88] == commitment and _is_failed(row):
            prove = partial(availability.prove_revealed, trees, index, receipt.body_root, receipt.revealed)
            words = "the Superlink signed that it has its update, and does not count it"
            yield _about(row, "AvailabilityProver", availability.RECEIPT, words, prove)


def _is_failed(row: bytes) -> bool:
    return STATUSES[row[184]] in FAILED


def _of_failed(
    trees: RoundTrees, index: int, bodies: Bodies, depth: int, leaf_chunks: int
) -> Iterator[Suspicion]:
    """Yield what can be said of a row that does not count, and of one with a fault."""
    row = trees.rows[index]
    if _is_failed(row):
        for claim, words in OF_FAILED.items():
            prove = partial(availability.prove_row_alone, trees, index)
            yield _about(row, "AvailabilityProver", claim, words, prove)
    if row[450:] == NO_FAULT:
        return
    words = "its update has no such fault"
    prove = partial(availability.prove_row_alone, trees, index)
    yield _about(row, "AvailabilityProver", availability.FAULT, words, prove)
    leaf, body = int.from_bytes(row[450:454], "big") // leaf_chunks, bodies.get(Address(row[:NODE]))
    if body is not None and leaf < len(body):
        prove = partial(availability.prove_fault, trees, index, body, leaf, depth)
        yield _about(row, "AvailabilityProver", availability.FAULT, words, prove)


def _of_commits(trees: RoundTrees, unheard: Iterable[Address]) -> Iterator[Suspicion]:
    leaves, forced = trees.commits, trees.forced
    words = "there are other rows than commits counted"
    yield Suspicion("CommitsProver", commit_trees.COUNT, words, commit_trees.prove_row_count)
    for index in (len(leaves) - 1, len(leaves)):
        if index >= 0:
            prove = partial(commit_trees.prove_count, index, leaves)
            words = "there are fewer or more commits than counted"
            yield Suspicion("CommitsProver", commit_trees.COUNT, words, prove)
    for index, leaf in enumerate(leaves):
        for claim, words in OF_COMMITS.items():
            prove = partial(commit_trees.prove_leaf, index, leaves)
            yield _about(leaf, "CommitsProver", claim, words, prove)
        if any(commit.node == leaf[:NODE] for commit in forced):
            prove = partial(commit_trees.prove_forced, index, leaves, forced)
            words = "it is in the tree and forced its commit"
            yield _about(leaf, "CommitsProver", commit_trees.FORCED, words, prove)
        if index:
            prove = partial(commit_trees.prove_order, index - 1, index, leaves)
            words = "its commit is not behind the one before"
            yield _about(leaf, "CommitsProver", commit_trees.ORDER, words, prove)
        if leaf[NODE] == COMMIT_KIND:
            prove = partial(prove_row, trees, RowsClaim.DROPPED, index)
            yield _about(leaf, "RowsProver", RowsClaim.DROPPED, "its commit has no row", prove)
    for index, commit in enumerate(forced):
        prove = partial(prove_row, trees, RowsClaim.FORCED, index)
        yield _about(commit.node, "RowsProver", RowsClaim.FORCED, "its forced commit has no row", prove)
    for node in unheard:
        prove = partial(commit_trees.prove_early, node, leaves, forced)
        yield _about(node, "CommitsProver", commit_trees.EARLY, "commits closed early without it", prove)


def _of_shapes(trees: RoundTrees) -> Iterator[Suspicion]:
    """Yield claims about numbers of leaves; their lengths are right, for they were made of a manifest."""
    stated = trees.statement
    for claim, leaves, count in (
        (shapes.INPUTS, trees.inputs, trees.result.inputs),
        (shapes.ROWS, trees.rows, stated.rows),
        (shapes.ACCOUNTS, trees.accounts, stated.accounts),
    ):
        for index in (len(leaves) - 1, len(leaves)):
            if index >= 0 and len(leaves) != count:
                prove = partial(shapes.prove_shape, index, leaves, ROWS_DEPTH)
                words = "there are other inputs, rows or accounts than stated"
                yield Suspicion("ShapeProver", claim, words, prove)


def _of_row(trees: RoundTrees, index: int) -> Iterator[Suspicion]:
    row = trees.rows[index]
    has_input = 0 < int.from_bytes(row[342:346], "big") <= len(trees.inputs)
    for prover, prove, claims in OF_ROWS:
        for claim, words in claims.items():
            if (claim is not RowsClaim.ORDER or index) and (claim is not RowsClaim.INPUT or has_input):
                yield _about(row, prover, claim, words, partial(prove, trees, claim, index))


def _of_accounts(trees: RoundTrees) -> Iterator[Suspicion]:
    for claim, words in (
        (AccountsClaim.FEWER, "there are fewer accounts than before"),
        (AccountsClaim.REWARD_TOTAL, "the total of rewards is not that of the accounts"),
    ):
        yield Suspicion("AccountsProver", claim, words, partial(prove_account, trees, claim))
    first: dict[bytes, int] = {}
    for index, leaf in enumerate(trees.accounts):
        for claim, words in OF_ACCOUNTS.items():
            if index or claim is not AccountsClaim.ORDER:
                prove = partial(prove_account, trees, claim, index)
                yield _about(leaf, "AccountsProver", claim, words, prove, "owner")
        other = first.setdefault(leaf[:NODE], index)
        if other != index:
            prove = partial(prove_account, trees, AccountsClaim.TWICE, other, index)
            yield _about(leaf, "AccountsProver", AccountsClaim.TWICE, "it has two accounts", prove, "owner")


def _about(
    leaf: bytes, prover: str, claim: int, words: str, prove: Callable[[], bytes], who: str = "node"
) -> Suspicion:
    """Return a claim about the node or owner that a leaf begins with."""
    subject = Address(leaf[:NODE])
    return Suspicion(prover, claim, f"{who} {hex_of(subject)}: {words}", prove, subject)
