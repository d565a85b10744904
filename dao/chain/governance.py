"""The contracts of governance as typed classes: the governor, the votes it counts, the timelock that acts for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from dao.chain.client import At
from dao.chain.contracts import Call, Contract
from dao.chain.interface import encode
from dao.core.engine.keccak import keccak256
from dao.core.types import Address, Digest, Timestamp, Wei

PROPOSER_ROLE = keccak256(b"PROPOSER_ROLE")
EXECUTOR_ROLE = keccak256(b"EXECUTOR_ROLE")
CANCELLER_ROLE = keccak256(b"CANCELLER_ROLE")
ADMIN_ROLE = Digest(bytes(32))


class ProposalState(IntEnum):
    """The state of a proposal (IGovernor.ProposalState)."""

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
    """The calls of a proposal by the timelock: `calldatas[i]` to `targets[i]` with `values[i]` wei of ether."""

    targets: tuple[Address, ...]
    values: tuple[Wei, ...]
    calldatas: tuple[bytes, ...]

    @classmethod
    def of(cls, calls: Sequence[Call]) -> "Actions":
        """Return the actions that make these calls, none of which creates a contract."""
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
        """Return an account's votes."""
        return Wei(await self._read("getVotes", account, at=at))

    async def past_votes_of(self, account: Address, when: Timestamp, at: At) -> Wei:
        """Return an account's votes at a time before that of block `at`."""
        return Wei(await self._read("getPastVotes", account, when, at=at))

    async def part(self, name: str, at: At) -> Address:
        """Return an address that it adds up or leaves out: "token", "registry", "treasury" or "escrow"."""
        return Address(await self._read(name, at=at))

    async def past_supply(self, when: Timestamp, at: At) -> Wei:
        """Return the supply that counts, without treasury and escrow, at a time before that of block `at`."""
        return Wei(await self._read("getPastTotalSupply", when, at=at))


class Governor(Contract):
    """DaoGovernor: proposals, and the votes on them."""

    name = "DaoGovernor"

    async def state_of(self, proposal: int, at: At) -> ProposalState:
        """Return the state of a proposal; Reverted when there is none."""
        return ProposalState(await self._read("state", proposal, at=at))

    async def votes_on(self, proposal: int, at: At) -> Tally:
        """Return the votes cast on a proposal."""
        return Tally(*await self._read("proposalVotes", proposal, at=at))

    async def has_voted(self, proposal: int, account: Address, at: At) -> bool:
        """Whether an account has voted on a proposal."""
        return bool(await self._read("hasVoted", proposal, account, at=at))

    async def proposer_of(self, proposal: int, at: At) -> Address:
        """Return the account that made a proposal; the zero address: there is none."""
        return Address(await self._read("proposalProposer", proposal, at=at))

    async def snapshot_of(self, proposal: int, at: At) -> Timestamp:
        """Return the time as of which votes count; voting begins after it. 0: there is no such proposal."""
        return Timestamp(await self._read("proposalSnapshot", proposal, at=at))

    async def deadline_of(self, proposal: int, at: At) -> Timestamp:
        """Return the last second of voting, extended where the quorum came late."""
        return Timestamp(await self._read("proposalDeadline", proposal, at=at))

    async def eta_of(self, proposal: int, at: At) -> Timestamp:
        """Return when a queued proposal may be executed; 0: it is not queued."""
        return Timestamp(await self._read("proposalEta", proposal, at=at))

    async def quorum_at(self, when: Timestamp, at: At) -> Wei:
        """Return the votes for and abstentions that a proposal with this snapshot must reach."""
        return Wei(await self._read("quorum", when, at=at))

    async def voting_delay(self, at: At) -> int:
        """Return the seconds from a proposal to its voting."""
        return int(await self._read("votingDelay", at=at))

    async def voting_period(self, at: At) -> int:
        """Return the seconds of voting."""
        return int(await self._read("votingPeriod", at=at))

    async def threshold(self, at: At) -> Wei:
        """Return the votes that a proposer needs, as of the second before the proposal."""
        return Wei(await self._read("proposalThreshold", at=at))

    async def quorum_percent(self, at: At) -> int:
        """Return the quorum in percent of the supply that counts."""
        return int(await self._read("quorumNumerator", at=at))

    async def late_extension(self, at: At) -> int:
        """Return the least seconds of voting that are left once the quorum is reached."""
        return int(await self._read("lateQuorumVoteExtension", at=at))

    async def nonce_of(self, account: Address, at: At) -> int:
        """Return the nonce of an account's next ballot or proposal by signature."""
        return int(await self._read("nonces", account, at=at))

    async def timelock(self, at: At) -> Address:
        """Return the timelock through which it acts."""
        return Address(await self._read("timelock", at=at))

    async def votes(self, at: At) -> Address:
        """Return the contract whose votes it counts."""
        return Address(await self._read("token", at=at))

    def propose(self, actions: Actions, description: str) -> Call:
        """Make a proposal. An account with the votes for it."""
        return self._call("propose", *_arrays(actions), description)

    def propose_by_sig(
        self, proposer: Address, actions: Actions, description: str, deadline: Timestamp, signature: bytes
    ) -> Call:
        """Make a proposal with the proposer's signature of Propose (EIP-712), good until `deadline`. Anyone."""
        return self._call("proposeBySig", proposer, *_arrays(actions), description, deadline, signature)

    def cancel(self, actions: Actions, description: str) -> Call:
        """Withdraw a proposal before its voting begins. Only the proposer."""
        return self._call("cancel", *_arrays(actions), keccak256(description.encode()))

    def vote(self, proposal: int, support: Support, reason: str = "") -> Call:
        """Vote once on a proposal. A delegate."""
        if reason:
            return self._call("castVoteWithReason", proposal, int(support), reason)
        return self._call("castVote", proposal, int(support))

    def vote_by_sig(
        self, proposal: int, support: Support, voter: Address, reason: str | None, signature: bytes
    ) -> Call:
        """Vote with the voter's signature of Ballot (`reason` None) or ExtendedBallot (EIP-712). Anyone."""
        if reason is None:
            return self._call("castVoteBySig", proposal, int(support), voter, signature)
        return self._call(
            "castVoteWithReasonAndParamsBySig", proposal, int(support), voter, reason, b"", signature
        )

    def queue(self, actions: Actions, description: str) -> Call:
        """Queue an accepted proposal: the timelock's delay begins. Anyone."""
        return self._call("queue", *_arrays(actions), keccak256(description.encode()))

    def execute(self, actions: Actions, description: str) -> Call:
        """Execute a queued proposal once the timelock's delay has passed. Anyone."""
        return self._call("execute", *_arrays(actions), keccak256(description.encode()))

    def set_voting_delay(self, seconds: int) -> Call:
        """Set the seconds from a proposal to its voting. Only the DAO."""
        return self._call("setVotingDelay", seconds)

    def set_voting_period(self, seconds: int) -> Call:
        """Set the seconds of voting. Only the DAO."""
        return self._call("setVotingPeriod", seconds)

    def set_threshold(self, votes: Wei) -> Call:
        """Set the votes that a proposer needs. Only the DAO."""
        return self._call("setProposalThreshold", votes)

    def set_quorum_percent(self, percent: int) -> Call:
        """Set the quorum in percent of the supply that counts. Only the DAO."""
        return self._call("updateQuorumNumerator", percent)

    def set_late_extension(self, seconds: int) -> Call:
        """Set the least seconds of voting once the quorum is reached. Only the DAO."""
        return self._call("setLateQuorumVoteExtension", seconds)


class Timelock(Contract):
    """TimelockController: the owner of everything, which makes the calls of accepted proposals after a delay."""

    name = "TimelockController"

    async def min_delay(self, at: At) -> int:
        """Return the least delay, in seconds."""
        return int(await self._read("getMinDelay", at=at))

    async def ready_time(self, operation: Digest, at: At) -> Timestamp:
        """Return when an operation may be executed; 0: unknown, 1: done."""
        return Timestamp(await self._read("getTimestamp", operation, at=at))

    async def operation(self, calls: Sequence[Call], salt: Digest, at: At) -> Digest:
        """Return the id of a batch."""
        return Digest(await self._read("hashOperationBatch", *_batch(calls), bytes(32), salt, at=at))

    def operation_of(self, actions: Actions, description: str) -> Digest:
        """Return the id of a queued proposal's batch, whose salt binds the governor (OpenZeppelin's GovernorTimelockControl)."""
        governor = self._chain.deployment.governor.ljust(32, b"\0")
        salt = bytes(a ^ b for a, b in zip(governor, keccak256(description.encode()), strict=True))
        types = ("address[]", "uint256[]", "bytes[]", "bytes32", "bytes32")
        return keccak256(encode(types, (*_arrays(actions), bytes(32), salt), "operation"))

    def schedule(self, calls: Sequence[Call], salt: Digest, delay: int) -> Call:
        """Schedule all calls at once, `delay` seconds from now. A proposer."""
        return self._call(
            "scheduleBatch", *_batch(calls), bytes(32), salt, delay, label=_label("schedule", calls)
        )

    def execute(self, calls: Sequence[Call], salt: Digest) -> Call:
        """Make all calls of a batch that is ready. An executor."""
        return self._call("executeBatch", *_batch(calls), bytes(32), salt, label=_label("execute", calls))

    async def has_role(self, role: Digest, account: Address, at: At) -> bool:
        """Whether an account has a role; the zero address as executor stands for everyone."""
        return bool(await self._read("hasRole", role, account, at=at))

    async def is_pending(self, operation: Digest, at: At) -> bool:
        """Whether an operation is scheduled and neither done nor cancelled."""
        return bool(await self._read("isOperationPending", operation, at=at))

    def update_delay(self, seconds: int) -> Call:
        """Set the least delay, in seconds. Only the DAO."""
        return self._call("updateDelay", seconds)

    def grant_role(self, role: Digest, account: Address) -> Call:
        """Give an account a role. Only the timelock itself."""
        return self._call("grantRole", role, account)

    def revoke_role(self, role: Digest, account: Address) -> Call:
        """Take a role from an account. Only the timelock itself."""
        return self._call("revokeRole", role, account)


def _arrays(actions: Actions) -> tuple[list[Address], list[Wei], list[bytes]]:
    return list(actions.targets), list(actions.values), list(actions.calldatas)


def _batch(calls: Sequence[Call]) -> tuple[list[Address | None], list[int], list[bytes]]:
    return [call.to for call in calls], [0] * len(calls), [call.data for call in calls]


def _label(verb: str, calls: Sequence[Call]) -> str:
    names = dict.fromkeys(call.label for call in calls)
    return f"{verb} {', '.join(names)}"
