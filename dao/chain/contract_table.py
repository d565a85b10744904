"""The contracts of a network, a row each: what lists addresses, interfaces or events is made from these rows."""

from dataclasses import dataclass

from dao.chain.event_types import Event
from dao.chain.events import (
    Aborted,
    Activated,
    Admitted,
    Answered,
    Attested,
    Challenged,
    Claimed,
    CommitsClosed,
    Conceded,
    Convicted,
    Demanded,
    DisputesSet,
    Equivocated,
    Expired,
    Finalized,
    ForcedCommit,
    ForcedReveal,
    Funded,
    Joined,
    Left,
    ProverSet,
    Recovered,
    Refunded,
    Registered,
    Resolved,
    ResultPosted,
    Revoked,
    Rotated,
    RoundOpened,
    RulesChanged,
    Slashed,
    SlasherSet,
    StakeAdded,
    SuperlinkReplaced,
    TaskClosed,
    TaskCreated,
    Unbonding,
    Voided,
    Withdrawn,
)
from dao.chain.governance_events import (
    Approval,
    CallScheduled,
    DelegateChanged,
    DelegateVotesChanged,
    LateQuorumVoteExtensionSet,
    MinDelayChange,
    Paused,
    ProposalCanceled,
    ProposalCreated,
    ProposalExecuted,
    ProposalExtended,
    ProposalQueued,
    ProposalThresholdSet,
    QuorumNumeratorUpdated,
    RoleGranted,
    RoleRevoked,
    TimelockChange,
    Transfer,
    Unpaused,
    VoteCast,
    VoteCastWithParams,
    VotingDelaySet,
    VotingPeriodSet,
)
from dao.chain.vote_events import (
    GradientAccused,
    GradientJudged,
    JurorFined,
    VoteCommitted,
    VoteRevealed,
)


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A contract: its field in Deployment, its name in Solidity (and of dao/chain/abi/NAME.json), the events it emits."""

    field: str
    name: str
    events: tuple[type[Event], ...] = ()


CONTRACTS = (
    ContractRow("token", "DaoToken", (Transfer, Approval, DelegateChanged, DelegateVotesChanged)),
    ContractRow(
        "registry",
        "SupernodeRegistry",
        (
            *(Registered, Rotated, Revoked, StakeAdded, Unbonding, Withdrawn, Slashed, SlasherSet),
            *(DelegateChanged, DelegateVotesChanged, Paused, Unpaused),
        ),
    ),
    ContractRow(
        "coordinator",
        "TrainingCoordinator",
        (
            *(TaskCreated, TaskClosed, RulesChanged, SuperlinkReplaced, Admitted, Joined, Left),
            *(RoundOpened, ForcedCommit, CommitsClosed, ResultPosted, Challenged),
            *(Resolved, Conceded, DisputesSet, Finalized, Aborted, Voided, Paused, Unpaused),
        ),
    ),
    ContractRow("distributor", "RewardDistributor", (Funded, Activated, Claimed, Refunded, Recovered)),
    ContractRow("forced_reveals", "ForcedReveals", (ForcedReveal, Attested)),
    ContractRow("disputes", "Disputes", (Convicted, ProverSet, Demanded, Answered, Expired, Equivocated)),
    ContractRow(
        "gradient_vote",
        "GradientVote",
        (GradientAccused, VoteCommitted, VoteRevealed, GradientJudged, JurorFined),
    ),
    ContractRow("timelock", "TimelockController", (MinDelayChange, RoleGranted, RoleRevoked, CallScheduled)),
    ContractRow("voting_power", "VotingPower"),
    ContractRow(
        "governor",
        "DaoGovernor",
        (
            *(ProposalCreated, VoteCast, VoteCastWithParams, ProposalQueued, ProposalExecuted),
            *(ProposalCanceled, ProposalExtended, VotingDelaySet, VotingPeriodSet, ProposalThresholdSet),
            *(QuorumNumeratorUpdated, LateQuorumVoteExtensionSet, TimelockChange),
        ),
    ),
)

# contracts/provers, which show that a result is wrong: each is made for the coordinator, and set at the disputes
PROVERS = (
    *("AccountsProver", "AvailabilityProver", "CommitsProver", "ModelProver", "ProductsProver"),
    *("RowsProver", "ScoresProver", "ShapeProver", "ShardsProver", "SumProver", "WeightsProver"),
)

FIELDS = {row.name: row.field for row in CONTRACTS}  # of Deployment, by a contract's name in Solidity
NAMES = {row.field: row.name for row in CONTRACTS}
EVENTS: tuple[type[Event], ...] = tuple(dict.fromkeys(kind for row in CONTRACTS for kind in row.events))


def list_emitters(kinds: tuple[type[Event], ...]) -> list[ContractRow]:
    """Return the contracts that emit some of these events."""
    return [row for row in CONTRACTS if not set(kinds).isdisjoint(row.events)]
