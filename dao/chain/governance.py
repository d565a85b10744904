"""The DAO's own contracts as typed classes: the governor that decides, the votes it counts, the timelock that acts."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from dao.chain.client import At
from dao.chain.contracts import Call, Contract
from dao.chain.interface import encode
from dao.core.keccak import keccak256
from dao.core.types import Address, Digest, Timestamp, Wei

PROPOSER_ROLE = keccak256(b"PROPOSER_ROLE")
EXECUTOR_ROLE = keccak256(b"EXECUTOR_ROLE")
CANCELLER_ROLE = keccak256(b"CANCELLER_ROLE")
ADMIN_ROLE = Digest(bytes(32))


class ProposalState(IntEnum):
    """Where a proposal stands (IGovernor.ProposalState)."""

    PENDING = 0
    ACTIVE = 1
    CANCELED = 2
    DEFEATED = 3
    SUCCEEDED = 4
    QUEUED = 5
    EXPIRED = 6
    EXECUTED = 7


class Support(IntEnum):
    """A vote."""

    AGAINST = 0
    FOR = 1
    ABSTAIN = 2


@dataclass(frozen=True, slots=True)
class Tally:
    """The votes cast on a proposal, in wei."""

    against: Wei
    in_favour: Wei
    abstain: Wei


@dataclass(frozen=True, slots=True)
class Actions:
    """What a proposal has the timelock do: `calldatas[i]` to `targets[i]` with `values[i]` wei of ether."""

    targets: tuple[Address, ...]
    values: tuple[Wei, ...]
    calldatas: tuple[bytes, ...]

    @classmethod
    def of(cls, calls: Sequence[Call]) -> "Actions":
        """The actions that make these calls, none of which creates a contract."""
        targets, values, calldatas = _batch(calls)
        return cls(
            tuple(target for target in targets if target is not None),
            tuple(map(Wei, values)),
            tuple(calldatas),
        )


class VotingPower(Contract):
    """VotingPower: the votes that the governor counts, those of wallets and those of stakes together."""

    name = "VotingPower"

    async def votes_of(self, account: Address, at: At) -> Wei:
        """An account's votes."""
        return Wei(await self._read("getVotes", account, at=at))

    async def past_votes_of(self, account: Address, when: Timestamp, at: At) -> Wei:
        """An account's votes at a time before that of block `at`."""
        return Wei(await self._read("getPastVotes", account, when, at=at))

    async def part(self, name: str, at: At) -> Address:
        """What it adds up or leaves out: "token", "registry", "treasury" or "escrow"."""
        return Address(await self._read(name, at=at))

    async def past_supply(self, when: Timestamp, at: At) -> Wei:
        """The supply that counts, without treasury and escrow, at a time before that of block `at`."""
        return Wei(await self._read("getPastTotalSupply", when, at=at))


class Governor(Contract):
    """DaoGovernor: proposals, and the votes on them."""

    name = "DaoGovernor"

    async def state_of(self, proposal: int, at: At) -> ProposalState:
        """Where a proposal stands; Reverted when there is none."""
        return ProposalState(await self._read("state", proposal, at=at))

    async def votes_on(self, proposal: int, at: At) -> Tally:
        """The votes cast on a proposal."""
        return Tally(*await self._read("proposalVotes", proposal, at=at))

    async def has_voted(self, proposal: int, account: Address, at: At) -> bool:
        """Whether an account has voted on a proposal."""
        return bool(await self._read("hasVoted", proposal, account, at=at))

    async def proposer_of(self, proposal: int, at: At) -> Address:
        """Whose proposal it is; the zero address: there is none."""
        return Address(await self._read("proposalProposer", proposal, at=at))

    async def snapshot_of(self, proposal: int, at: At) -> Timestamp:
        """The time as of which votes count; voting begins after it. 0: there is no such proposal."""
        return Timestamp(await self._read("proposalSnapshot", proposal, at=at))

    async def deadline_of(self, proposal: int, at: At) -> Timestamp:
        """The last second of voting, extended where the quorum came late."""
        return Timestamp(await self._read("proposalDeadline", proposal, at=at))

    async def eta_of(self, proposal: int, at: At) -> Timestamp:
        """From when on a queued proposal may be executed; 0: it is not queued."""
        return Timestamp(await self._read("proposalEta", proposal, at=at))

    async def quorum_at(self, when: Timestamp, at: At) -> Wei:
        """The votes for and abstentions that a proposal with this snapshot must reach."""
        return Wei(await self._read("quorum", when, at=at))

    async def voting_delay(self, at: At) -> int:
        """Seconds from a proposal to its voting."""
        return int(await self._read("votingDelay", at=at))

    async def voting_period(self, at: At) -> int:
        """Seconds of voting."""
        return int(await self._read("votingPeriod", at=at))

    async def threshold(self, at: At) -> Wei:
        """The votes that a proposer needs, as of the second before the proposal."""
        return Wei(await self._read("proposalThreshold", at=at))

    async def quorum_percent(self, at: At) -> int:
        """The quorum in percent of the supply that counts."""
        return int(await self._read("quorumNumerator", at=at))

    async def late_extension(self, at: At) -> int:
        """Least seconds of voting that are left once the quorum is reached."""
        return int(await self._read("lateQuorumVoteExtension", at=at))

    async def nonce_of(self, account: Address, at: At) -> int:
        """The nonce of an account's next ballot or proposal by signature."""
        return int(await self._read("nonces", account, at=at))

    async def timelock(self, at: At) -> Address:
        """The timelock through which it acts."""
        return Address(await self._read("timelock", at=at))

    async def votes(self, at: At) -> Address:
        """The contract whose votes it counts."""
        return Address(await self._read("token", at=at))

    def propose(self, actions: Actions, description: str) -> Call:
        """By an account with the votes for it."""
        return self._call("propose", *_arrays(actions), description)

    def propose_by_sig(
        self, proposer: Address, actions: Actions, description: str, deadline: Timestamp, signature: bytes
    ) -> Call:
        """By anyone, with the proposer's signature of Propose (EIP-712), until `deadline`."""
        return self._call("proposeBySig", proposer, *_arrays(actions), description, deadline, signature)

    def cancel(self, actions: Actions, description: str) -> Call:
        """By the proposer, before voting begins."""
        return self._call("cancel", *_arrays(actions), keccak256(description.encode()))

    def vote(self, proposal: int, support: Support, reason: str = "") -> Call:
        """By a delegate, once for each proposal."""
        if reason:
            return self._call("castVoteWithReason", proposal, int(support), reason)
        return self._call("castVote", proposal, int(support))

    def vote_by_sig(
        self, proposal: int, support: Support, voter: Address, reason: str | None, signature: bytes
    ) -> Call:
        """By anyone, with the voter's signature of Ballot (`reason` None) or ExtendedBallot (EIP-712)."""
        if reason is None:
            return self._call("castVoteBySig", proposal, int(support), voter, signature)
        return self._call(
            "castVoteWithReasonAndParamsBySig", proposal, int(support), voter, reason, b"", signature
        )

    def queue(self, actions: Actions, description: str) -> Call:
        """By anyone, once accepted: starts the timelock's delay."""
        return self._call("queue", *_arrays(actions), keccak256(description.encode()))

    def execute(self, actions: Actions, description: str) -> Call:
        """By anyone, once the timelock's delay has passed."""
        return self._call("execute", *_arrays(actions), keccak256(description.encode()))

    def set_voting_delay(self, seconds: int) -> Call:
        """By the DAO."""
        return self._call("setVotingDelay", seconds)

    def set_voting_period(self, seconds: int) -> Call:
        """By the DAO."""
        return self._call("setVotingPeriod", seconds)

    def set_threshold(self, votes: Wei) -> Call:
        """By the DAO."""
        return self._call("setProposalThreshold", votes)

    def set_quorum_percent(self, percent: int) -> Call:
        """By the DAO."""
        return self._call("updateQuorumNumerator", percent)

    def set_late_extension(self, seconds: int) -> Call:
        """By the DAO."""
        return self._call("setLateQuorumVoteExtension", seconds)


class Timelock(Contract):
    """TimelockController: owns everything, and does what the DAO decided after a delay."""

    name = "TimelockController"

    async def min_delay(self, at: At) -> int:
        """The least delay, in seconds."""
        return int(await self._read("getMinDelay", at=at))

    async def ready_time(self, operation: Digest, at: At) -> Timestamp:
        """When an operation may be executed; 0: unknown, 1: done."""
        return Timestamp(await self._read("getTimestamp", operation, at=at))

    async def operation(self, calls: Sequence[Call], salt: Digest, at: At) -> Digest:
        """The id of a batch."""
        return Digest(await self._read("hashOperationBatch", *_batch(calls), bytes(32), salt, at=at))

    def operation_of(self, actions: Actions, description: str) -> Digest:
        """The id of a queued proposal's batch, whose salt binds the governor (OpenZeppelin's GovernorTimelockControl)."""
        governor = self._chain.deployment.governor.ljust(32, b"\0")
        salt = bytes(a ^ b for a, b in zip(governor, keccak256(description.encode()), strict=True))
        types = ("address[]", "uint256[]", "bytes[]", "bytes32", "bytes32")
        return keccak256(encode(types, (*_arrays(actions), bytes(32), salt), "operation"))

    def schedule(self, calls: Sequence[Call], salt: Digest, delay: int) -> Call:
        """By a proposer: all calls at once, `delay` seconds from now."""
        return self._call(
            "scheduleBatch", *_batch(calls), bytes(32), salt, delay, label=_label("schedule", calls)
        )

    def execute(self, calls: Sequence[Call], salt: Digest) -> Call:
        """By an executor, once ready."""
        return self._call("executeBatch", *_batch(calls), bytes(32), salt, label=_label("execute", calls))

    async def has_role(self, role: Digest, account: Address, at: At) -> bool:
        """Whether an account has a role; the zero address as executor stands for everyone."""
        return bool(await self._read("hasRole", role, account, at=at))

    async def is_pending(self, operation: Digest, at: At) -> bool:
        """Whether an operation is scheduled and neither done nor cancelled."""
        return bool(await self._read("isOperationPending", operation, at=at))

    def update_delay(self, seconds: int) -> Call:
        """By the DAO."""
        return self._call("updateDelay", seconds)

    def grant_role(self, role: Digest, account: Address) -> Call:
        """By the timelock itself."""
        return self._call("grantRole", role, account)

    def revoke_role(self, role: Digest, account: Address) -> Call:
        """By the timelock itself."""
        return self._call("revokeRole", role, account)


def _arrays(actions: Actions) -> tuple[list[Address], list[Wei], list[bytes]]:
    return list(actions.targets), list(actions.values), list(actions.calldatas)


def _batch(calls: Sequence[Call]) -> tuple[list[Address | None], list[int], list[bytes]]:
    return [call.to for call in calls], [0] * len(calls), [call.data for call in calls]


def _label(verb: str, calls: Sequence[Call]) -> str:
    names = dict.fromkeys(call.label for call in calls)
    return f"{verb} {', '.join(names)}"
