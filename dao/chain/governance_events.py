"""Events of governance: delegations and votes, proposals and their settings, the timelock's roles."""

from dataclasses import dataclass

from dao.chain.event_types import Event, SharedEvent
from dao.core.types import Address, Digest, Timestamp, Wei

# of votes, by the DaoToken (tokens in wallets) and the SupernodeRegistry (staked tokens)


@dataclass(frozen=True, slots=True)
class Transfer(Event):
    """Tokens moved; from the zero address: minted, to it: burned."""

    sender: Address
    receiver: Address
    value: Wei


@dataclass(frozen=True, slots=True)
class Approval(Event):
    """A spender may take that many of the owner's tokens."""

    owner: Address
    spender: Address
    value: Wei


@dataclass(frozen=True, slots=True)
class DelegateChanged(SharedEvent):
    """An account's tokens vote for another delegate; the zero address: for none."""

    delegator: Address
    from_delegate: Address
    to_delegate: Address


@dataclass(frozen=True, slots=True)
class DelegateVotesChanged(SharedEvent):
    """A delegate's votes at this contract, from this event's time on."""

    delegate: Address
    previous_votes: Wei
    new_votes: Wei


# of entries, by the SupernodeRegistry and the TrainingCoordinator


@dataclass(frozen=True, slots=True)
class Paused(SharedEvent):
    """Entries are stopped."""

    account: Address


@dataclass(frozen=True, slots=True)
class Unpaused(SharedEvent):
    """Entries work again."""

    account: Address


# of proposals, by the DaoGovernor


@dataclass(frozen=True, slots=True)
class ProposalCreated(Event):
    """A proposal to have the timelock make calls; votes as of `vote_start`, cast until `vote_end` (Unix seconds)."""

    proposal_id: int
    proposer: Address
    targets: tuple[Address, ...]
    values: tuple[Wei, ...]
    signatures: tuple[str, ...]  # empty texts
    calldatas: tuple[bytes, ...]
    vote_start: Timestamp
    vote_end: Timestamp
    description: str


@dataclass(frozen=True, slots=True)
class VoteCast(Event):
    """A delegate voted: `support` 0 against, 1 for, 2 abstain."""

    voter: Address
    proposal_id: int
    support: int
    weight: Wei
    reason: str


@dataclass(frozen=True, slots=True)
class VoteCastWithParams(Event):
    """A delegate voted, with parameters that this governor does not look at."""

    voter: Address
    proposal_id: int
    support: int
    weight: Wei
    reason: str
    params: bytes


@dataclass(frozen=True, slots=True)
class ProposalQueued(Event):
    """An accepted proposal is in the timelock; anyone may execute it from `eta_seconds` on (Unix seconds)."""

    proposal_id: int
    eta_seconds: Timestamp


@dataclass(frozen=True, slots=True)
class ProposalExecuted(Event):
    """The calls of a proposal are made."""

    proposal_id: int


@dataclass(frozen=True, slots=True)
class ProposalCanceled(Event):
    """A proposal was withdrawn."""

    proposal_id: int


@dataclass(frozen=True, slots=True)
class ProposalExtended(Event):
    """The quorum came late: votes are cast until `extended_deadline` (Unix seconds)."""

    proposal_id: int
    extended_deadline: Timestamp


@dataclass(frozen=True, slots=True)
class VotingDelaySet(Event):
    """Seconds from a proposal to its voting."""

    old_voting_delay: int
    new_voting_delay: int


@dataclass(frozen=True, slots=True)
class VotingPeriodSet(Event):
    """Seconds of voting."""

    old_voting_period: int
    new_voting_period: int


@dataclass(frozen=True, slots=True)
class ProposalThresholdSet(Event):
    """Votes that a proposer needs."""

    old_proposal_threshold: Wei
    new_proposal_threshold: Wei


@dataclass(frozen=True, slots=True)
class QuorumNumeratorUpdated(Event):
    """Percent of the supply that counts which a proposal must reach."""

    old_quorum_numerator: int
    new_quorum_numerator: int


@dataclass(frozen=True, slots=True)
class LateQuorumVoteExtensionSet(Event):
    """Least seconds of voting that are left once the quorum is reached."""

    old_vote_extension: int
    new_vote_extension: int


@dataclass(frozen=True, slots=True)
class TimelockChange(Event):
    """Another timelock executes proposals."""

    old_timelock: Address
    new_timelock: Address


# by the TimelockController


@dataclass(frozen=True, slots=True)
class MinDelayChange(Event):
    """The least seconds between a decision and its calls."""

    old_duration: int
    new_duration: int


@dataclass(frozen=True, slots=True)
class RoleGranted(Event):
    """An account has a role."""

    role: Digest
    account: Address
    sender: Address


@dataclass(frozen=True, slots=True)
class RoleRevoked(Event):
    """An account has a role no longer."""

    role: Digest
    account: Address
    sender: Address


@dataclass(frozen=True, slots=True)
class CallScheduled(Event):
    """A call, number `index` of the operation `id`, may be made by anyone with the role once `delay` seconds passed."""

    id: Digest
    index: int
    target: Address
    value: Wei
    data: bytes
    predecessor: Digest
    delay: int
