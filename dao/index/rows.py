"""The state of each thing after a block, as frozen rows: a row's fields are its table's columns but for key, block, time."""

from dataclasses import dataclass, fields
from functools import cache
from typing import Any, TypeVar

from dao.core.types import Address, BlockNumber, Digest, Phase, RoundId, Timestamp, Wei

ZERO = Wei(0)
NO_ROUND = RoundId(0)
NEVER = Timestamp(0)


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task; key (task)."""

    superlink: Address
    version: int = 1  # of the rules that the next round opens with
    closed: bool = False
    active: int = 0
    last_round: RoundId = NO_ROUND
    head: RoundId = NO_ROUND
    in_flight: int = 0
    finalized: RoundId = NO_ROUND
    funded: Wei = ZERO
    rewarded: Wei = ZERO
    claimed: Wei = ZERO


@dataclass(frozen=True, slots=True)
class RoundRow:
    """A round; key (task, round). While it is frozen, `posted_at` is when it froze; `ended_at` is 0 until it is decided."""

    phase: Phase
    superlink: Address
    version: int  # of its rules
    open_block: BlockNumber
    opened_at: Timestamp
    parent: RoundId
    eligible: int
    closed_at: Timestamp = NEVER
    posted_at: Timestamp = NEVER
    ended_at: Timestamp = NEVER
    commits: int = 0
    forced: int = 0
    passes: int = 0
    seed: Digest | None = None
    challenger: Address | None = None
    challenge: str | None = None
    result_hash: Digest | None = None
    model_digest: Digest | None = None
    manifest_digest: Digest | None = None
    result: str | None = None  # as JSON


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A dispute of a round; key (task, round, number), from 1. Cases of one `subject` are about one thing in the round.

    `kind` and `verdict` are those of case_reducer. `bond`, in the chain's coin, and the end of a turn, `until`, where an
    event states them. `slashed` of the accused's stake, of which the accuser got `paid`.
    """

    place: int  # of the event that opened it
    kind: str
    accuser: Address
    accused: Address
    opened_at: Timestamp
    opened_tx: Digest
    subject: str = ""
    bond: Wei | None = None
    until: Timestamp = NEVER
    reason: str = ""
    prover: Address | None = None
    claim: int | None = None
    slashed: Wei | None = None
    paid: Wei | None = None
    verdict: str | None = None
    ended_at: Timestamp = NEVER
    ended_tx: Digest | None = None


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A Supernode in a task; key (task, operator)."""

    owner: Address
    joined: bool


@dataclass(frozen=True, slots=True)
class AdmissionRow:
    """Whether an owner is admitted to a task; key (task, owner)."""

    admitted: bool


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """The wei that an owner has claimed of a task; key (task, owner)."""

    claimed: Wei


@dataclass(frozen=True, slots=True)
class SupernodeRow:
    """An operator's stake; key (operator). One that was replaced has none, but a `successor`."""

    owner: Address
    registered_at: Timestamp
    active: Wei = ZERO
    unbonding: Wei = ZERO
    release_time: Timestamp = NEVER
    slashed: Wei = ZERO
    revoked: bool = False
    successor: Address | None = None


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account's tokens and votes; key (address). `delegators` counts accounts whose tokens or stake vote by this one."""

    balance: Wei = ZERO
    staked: Wei = ZERO
    votes: Wei = ZERO
    token_votes: Wei = ZERO
    registry_votes: Wei = ZERO
    token_delegate: Address | None = None
    registry_delegate: Address | None = None
    delegators: int = 0


@dataclass(frozen=True, slots=True)
class SettingsRow:
    """The DAO's settings, in seconds, wei and percent; key ()."""

    voting_delay: int = 0
    voting_period: int = 0
    threshold: Wei = ZERO
    quorum_percent: int = 0
    late_extension: int = 0
    timelock_delay: int = 0
    supply: Wei = ZERO
    reserved: Wei = ZERO
    tasks_paused: bool = False
    staking_paused: bool = False

    @property
    def quorum(self) -> Wei:
        """Votes for and abstentions that a proposal must reach whose snapshot these settings are, in wei."""
        return Wei((self.supply - self.reserved) * self.quorum_percent // 100)


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """The tally of a proposal; key (proposal). `quorum` is None until the first vote."""

    starts_at: Timestamp
    ends_at: Timestamp
    in_favour: Wei = ZERO
    against: Wei = ZERO
    abstain: Wei = ZERO
    quorum: Wei | None = None
    passing: bool = False
    eta: Timestamp = NEVER
    canceled: bool = False
    executed: bool = False
    queued_tx: Digest | None = None
    ended_tx: Digest | None = None


S = TypeVar(
    "S",
    TaskRow,
    RoundRow,
    CaseRow,
    MemberRow,
    AdmissionRow,
    ClaimRow,
    SupernodeRow,
    AccountRow,
    SettingsRow,
    ProposalRow,
)
Key = tuple[Any, ...]


def parse_row(kind: type[S], row: Any) -> S:
    """Parse a row of a kind from a row of the database."""
    any_kind: Any = kind
    values = {name: row[name] for name in list_fields(any_kind)}
    if kind is RoundRow:
        values["phase"] = Phase(values["phase"])
    return kind(**values)


@cache
def list_fields(kind: Any) -> tuple[str, ...]:
    """List the names of a row's fields."""
    return tuple(field.name for field in fields(kind))
