"""The contract of votes on gradients: Supernodes drawn by lot say whether a result's gradients are the app's."""

from dataclasses import dataclass, replace
from enum import IntEnum

from dao.chain.client import At, Chain
from dao.chain.contracts import Call, Contract, Coordinator
from dao.chain.interface import encode
from dao.chain.sender import Sender
from dao.chain.vote_events import GradientAccused
from dao.core.engine.keccak import keccak256
from dao.core.types import (
    Address,
    BlockNumber,
    Digest,
    RoundId,
    TaskId,
    Timestamp,
    Wei,
)


class GradientVerdict(IntEnum):
    """How a case ended (IGradientVote.Verdict)."""

    NONE = 0  # there is no case, or it is under way
    WRONG = 1  # the round is void, unless it was final
    RIGHT = 2  # the accuser lost the bond
    UNDECIDED = 3  # too few voted, or as many for as against
    LAPSED = 4  # the round was void before


@dataclass(frozen=True, slots=True)
class GradientCase:
    """A case on chain (IGradientVote.GradientCase); all 0 where there is none."""

    accuser: Address
    open_block: BlockNumber
    commit_end: Timestamp
    reveal_end: Timestamp
    commits: int
    votes: int
    verdict: GradientVerdict
    bond: Wei
    seed: Digest
    for_wrong: int
    for_right: int

    @property
    def is_open(self) -> bool:
        """Whether there is a case that nobody has judged."""
        return any(self.accuser) and self.verdict is GradientVerdict.NONE

    def is_heard(self, time: Timestamp) -> bool:
        """Whether it may be judged at a block time."""
        return time >= self.reveal_end or (time >= self.commit_end and 0 < self.votes == self.commits)


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a juror did in a case (IGradientVote.Ballot)."""

    commitment: Digest
    is_revealed: bool
    is_wrong: bool  # its vote
    is_fined: bool


def compute_vote_commitment(
    juror: Address, task: TaskId, round_id: RoundId, salt: Digest, *, is_wrong: bool
) -> Digest:
    """Return what a juror commits to before it tells its vote."""
    types = ("address", "uint64", "uint64", "bool", "bytes32")
    return Digest(keccak256(encode(types, (juror, task, round_id, is_wrong, salt), "vote")))


class GradientVotes(Contract):
    """GradientVote: cases about the gradients of results, their jurors, their votes."""

    name = "GradientVote"

    async def part(self, name: str, at: At) -> Address:
        """Return an address that it works with: "token", "registry", "coordinator" or "disputes"."""
        return Address(await self._read(name, at=at))

    async def case_of(self, task: TaskId, round_id: RoundId, at: At) -> GradientCase:
        """Return the case of a round."""
        case = GradientCase(*await self._read("caseOf", task, round_id, at=at))
        return replace(case, verdict=GradientVerdict(case.verdict))

    async def ballot_of(self, task: TaskId, round_id: RoundId, juror: Address, at: At) -> Ballot:
        """Return what a juror did in the case of a round."""
        return Ballot(*await self._read("ballotOf", task, round_id, juror, at=at))

    async def weight_of(self, task: TaskId, round_id: RoundId, account: Address, at: At) -> int:
        """Return the weight of an account's vote; 0 of who is no juror, and of all while the seed cannot be had."""
        return int(await self._read("weightOf", task, round_id, account, at=at))

    async def bonds_of(self, accuser: Address, at: At) -> Wei:
        """Return what an account's open cases ask of its stake."""
        return Wei(await self._read("bondsOf", accuser, at=at))

    def accuse(self, task: TaskId, round_id: RoundId, result: Digest) -> Call:
        """Accuse the gradients of a posted or frozen result, by its hash, for a bond of the sender's stake. Any Supernode's operator."""
        return self._call("accuse", task, round_id, result, label="accuse gradients")

    def draw(self, task: TaskId, round_id: RoundId) -> Call:
        """Keep the seed of a case. Anyone, within 256 blocks of it."""
        return self._call("draw", task, round_id, label="draw jurors")

    def commit_vote(self, task: TaskId, round_id: RoundId, result: Digest, commitment: Digest) -> Call:
        """Commit to a vote on the result with this hash; see `compute_vote_commitment`. Only a juror, once."""
        return self._call("commitVote", task, round_id, result, commitment, label="commit to a vote")

    def reveal_vote(self, task: TaskId, round_id: RoundId, salt: Digest, *, is_wrong: bool) -> Call:
        """Reveal a vote, once commits have ended. Only the juror that committed to it."""
        return self._call("revealVote", task, round_id, is_wrong, salt, label="reveal a vote")

    def judge(self, task: TaskId, round_id: RoundId) -> Call:
        """End a case that is heard. Anyone."""
        return self._call("judge", task, round_id, label="judge gradients")

    def fine(self, task: TaskId, round_id: RoundId, juror: Address) -> Call:
        """Fine a juror that did not vote, or with the minority. Anyone."""
        return self._call("fine", task, round_id, juror, label="fine a juror")


async def accuse_gradients(
    chain: Chain,
    sender: Sender,
    task: TaskId,
    round_id: RoundId,
    result: Digest | None = None,
    *,
    most_gas: int | None = None,
) -> GradientAccused:
    """Accuse the gradients of a round's result, and return until when jurors vote; Reverted where that is not possible now.

    `result` is its hash; None: whichever the round has now. Sent once, also after a restart, and whichever part of a program asks for it.
    """
    if result is None:
        result = (await Coordinator(chain).round_of(task, round_id, chain.final())).result_hash
    call = GradientVotes(chain).accuse(task, round_id, result)
    receipt = await sender.send(call, f"accuse:{result.hex()}:{task}:{round_id}", most_gas=most_gas)
    return receipt.get_event(GradientAccused, "accuse", "the address of GradientVote")
