"""The cases of proofs.json that `CommitsProver` convicts, each of one lie in a round of four members."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dao.chain.signer import Signer
from dao.core.commits import SignedCommit, SignedPass, compute_forced_hash
from dao.core.constants import PASS_KIND, ROWS_DEPTH
from dao.core.engine.merkle import Tree
from dao.core.formats.commit_leaves import build_commit_tree, encode_commit_row
from dao.core.formats.signed_messages import (
    compute_commit_digest,
    compute_pass_digest,
    compute_receipt_digest,
)
from dao.core.types import ZERO_DIGEST, Address, Digest, Domain, PassReason, RoundId, Signature, TaskId
from dao.proofs import commit_trees as prove
from tests.vectors.dice import Dice
from tests.vectors.make import CHAIN_ID
from tests.vectors.proof_case import COORDINATOR, RESULT, ROUND, STATEMENT, Case, encode_words, make_case

TASK, ROUND_ID = TaskId(7), RoundId(3)  # as the tests of provers have them
DOMAIN = Domain(CHAIN_ID, Address(COORDINATOR))
DICE = Dice("commit proofs")
OPENING = DICE.digest()
SUPERLINK = Signer(DICE.digest())
MEMBERS = sorted((Signer(DICE.digest()) for _ in range(4)), key=lambda signer: signer.address)
PLACE = (DOMAIN, TASK, ROUND_ID, OPENING)


def commit_of(member: int, signer: int | None = None) -> SignedCommit:
    """The commit of a member, signed by itself or by another one."""
    node, commitment = MEMBERS[member].address, Dice(f"commitment {member}").digest()
    key = MEMBERS[member if signer is None else signer]
    signature = Signature(key.sign(compute_commit_digest(*PLACE, node, commitment)))
    return SignedCommit(TASK, ROUND_ID, OPENING, node, commitment, signature)


def pass_of(member: int) -> SignedPass:
    """The pass of a member."""
    node = MEMBERS[member].address
    signature = Signature(MEMBERS[member].sign(compute_pass_digest(*PLACE, node)))
    return SignedPass(TASK, ROUND_ID, OPENING, node, signature, PassReason.NO_TIME)


def encode_pass_row(node_pass: SignedPass) -> bytes:
    """The leaf of a pass."""
    return node_pass.node + bytes([PASS_KIND]) + ZERO_DIGEST + node_pass.signature


@dataclass(frozen=True)
class Closed:
    """A closed round that all but its lie is honest in."""

    leaves: Sequence[bytes]
    forced: Sequence[SignedCommit] = ()
    commits: int = 2
    early: bool = False
    close_share: int = 100
    members: Sequence[int] = (0, 1, 2, 3)

    def case(self, claim: int, proof: bytes) -> Case:
        """The case of a proof."""
        state = encode_words(
            ROUND,
            opened_at=1000,
            closed_at=1059 if self.early else 1060,
            eligible=len(self.members),
            commits=self.commits,
            opening=OPENING,
        )
        root, forced_hash = Tree(self.leaves, ROWS_DEPTH).root, compute_forced_hash(self.forced)
        return make_case(
            "CommitsProver",
            claim,
            proof,
            superlink=SUPERLINK.address,
            commit_period=60,
            close_after=60,
            close_share=self.close_share,
            members=b"".join(MEMBERS[member].address for member in self.members),
            forced=len(self.forced),
            round=state,
            result=encode_words(RESULT, commits_root=root, forced_hash=forced_hash),
            statement=encode_words(STATEMENT, rows=2 + len(self.forced)),
        )


def commits() -> Iterator[tuple[str, Case]]:
    """One lie for each claim."""
    leaves = [encode_commit_row(commit_of(0)), encode_commit_row(commit_of(1)), encode_pass_row(pass_of(2))]
    forced = [commit_of(3)]
    assert Tree(leaves, ROWS_DEPTH).root == build_commit_tree([commit_of(0), commit_of(1)], [pass_of(2)]).root

    twice = Closed([*leaves, leaves[2]])
    yield "order", twice.case(prove.ORDER, prove.prove_order(2, 3, twice.leaves))
    more = Closed([*leaves, encode_commit_row(commit_of(3))], forced)
    yield "count_more", more.case(prove.COUNT, prove.prove_count(3, more.leaves))
    fewer = Closed(leaves[:1], forced)
    yield "count_fewer", fewer.case(prove.COUNT, prove.prove_count(1, fewer.leaves))
    claimed = Closed(leaves, forced, commits=3)
    yield "count_rows", claimed.case(prove.COUNT, prove.prove_row_count())
    kind = Closed([leaves[0], leaves[1][:20] + bytes([2]) + leaves[1][21:]], forced)
    yield "kind", kind.case(prove.KIND, prove.prove_leaf(1, kind.leaves))
    unsigned = Closed([leaves[0], encode_commit_row(commit_of(1, signer=3)), leaves[2]], forced)
    yield "signature", unsigned.case(prove.SIGNATURE, prove.prove_leaf(1, unsigned.leaves))
    stranger = Closed(leaves, forced, members=(0, 1, 3))
    yield "member", stranger.case(prove.MEMBER, prove.prove_leaf(2, stranger.leaves))
    both = Closed(leaves, [*forced, commit_of(1)])
    yield "forced", both.case(prove.FORCED, prove.prove_forced(1, both.leaves, both.forced))

    node, commitment = MEMBERS[1].address, commit_of(1).commitment
    without = Closed([leaves[0], leaves[2]], forced, commits=1, early=True)
    opened = (without.leaves, without.forced)
    yield (
        "receipt",
        without.case(
            prove.RECEIPT, prove.prove_receipt(node, commitment, _receipt(node, commitment), *opened)
        ),
    )
    half = Closed([leaves[0], leaves[2]], forced, commits=1, early=True, close_share=50)
    yield "early_by_share", half.case(prove.EARLY, prove.prove_early(node, *opened))
    yield "early", without.case(prove.EARLY, prove.prove_early(node, *opened))
    other = Digest(bytes(31) + b"x")
    replaced = Closed(leaves, forced)
    proof = prove.prove_receipt(node, other, _receipt(node, other), replaced.leaves, replaced.forced)
    yield "receipt_of_another", replaced.case(prove.RECEIPT, proof)


def _receipt(node: Address, commitment: Digest) -> Signature:
    return Signature(SUPERLINK.sign(compute_receipt_digest(*PLACE, node, commitment)))
