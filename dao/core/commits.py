"""A commit, the pass instead of it, and the reveal that opens it: one shape of each, from the journals to settlement."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from dao.core.engine.keccak import keccak256
from dao.core.formats.abi import encode
from dao.core.formats.cid import Cid
from dao.core.formats.fault import Fault
from dao.core.types import (
    ZERO_DIGEST,
    Address,
    BlockNumber,
    Digest,
    Member,
    PassReason,
    RoundId,
    Signature,
    Status,
    TaskId,
)

MISSING = (Status.LATE, Status.WITHHELD, Status.UNAVAILABLE)
FAILED = (*MISSING, Status.INVALID)


class NodeCommitment(Protocol):
    """Anything that carries a node and its commitment: a signed commit, an event of one, a manifest's row."""

    @property
    def node(self) -> Address:
        """The node that committed."""

    @property
    def commitment(self) -> Digest:
        """The commitment, as `compute_commitment` makes it."""


@dataclass(frozen=True, slots=True)
class SignedCommit:
    """A commit as its node signed it (EIP-712 `Commit`), to the opening of the round that `opening` names."""

    task: TaskId
    round: RoundId
    opening: Digest
    node: Address
    commitment: Digest
    signature: Signature


@dataclass(frozen=True, slots=True)
class SignedPass:
    """A node's word that it sits this round out (EIP-712 `Pass`); `reason` is for people, and nothing binds it."""

    task: TaskId
    round: RoundId
    opening: Digest
    node: Address
    signature: Signature
    reason: PassReason


@dataclass(frozen=True, slots=True)
class Reveal:
    """What opens a commit: the update's CID, the root of its body, the salt of 32 random bytes."""

    cid: Cid
    body_root: Digest
    salt: Digest

    @property
    def commitment(self) -> Digest:
        """The commitment that this reveal opens."""
        return compute_commitment(self.cid.digest, self.body_root, self.salt)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a commit has no weight; of an invalid update the value that no decoder takes, if that is what is wrong."""

    status: Status
    detail: str = ""
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """A node's commit in its round, and what became of it until its update is weighed.

    `forced`: it counts by a forced commit alone, so that it is not under the commits root. Without a failure there is
    a reveal whose update is valid; with one there may be a reveal.
    """

    member: Member
    commit: SignedCommit
    forced: bool
    reveal: Reveal | None
    failure: Failure | None

    @property
    def node(self) -> Address:
        """The node that committed."""
        return self.commit.node


@dataclass(frozen=True, slots=True)
class PassRecord:
    """A node's pass in its round."""

    member: Member
    signed: SignedPass


def compute_commitment(cid_digest: Digest, body_root: Digest, salt: Digest) -> Digest:
    """Bind an update's content and body, without showing either: the salt is 32 random bytes."""
    return keccak256(encode(cid_digest, body_root, salt))


def compute_opening(parent_result: Digest, open_block: BlockNumber) -> Digest:
    """Name the opening of a round, which its signatures bind: 32 zero bytes stand for the result of no parent."""
    return keccak256(encode(parent_result, open_block))


def compute_forced_hash(commits: Iterable[NodeCommitment], start: Digest = ZERO_DIGEST) -> Digest:
    """Chain forced commits, in the order of their events, on `start`."""
    chained = start
    for commit in commits:
        chained = keccak256(encode(chained, commit.node, commit.commitment))
    return chained


def compute_closing_hash(commits_root: Digest, seed: Digest) -> Digest:
    """Return what the coordinator stores at the closing: a result is only taken for the same tree and seed."""
    return keccak256(encode(commits_root, seed))
