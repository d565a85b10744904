"""How things stand after a block, as frozen records, and the book in which events change them; no I/O.

A record's fields are the columns of its table but for the key, the block and the time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from dao.chain.deployment import Deployment
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
    """A round; key (task, round). `posted_at` is when it was frozen while it is; `ended_at` 0 while undecided."""

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
    contested: int = 0
    seed: Digest | None = None
    challenger: Address | None = None
    challenge: str | None = None
    result_hash: Digest | None = None
    model_digest: Digest | None = None
    manifest_digest: Digest | None = None
    result: str | None = None  # as JSON


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A Supernode in a task; key (task, operator)."""

    owner: Address
    joined: bool


@dataclass(frozen=True, slots=True)
class AdmissionRow:
    """Whether an owner may take part; key (task, owner)."""

    admitted: bool


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """What an owner was paid of a task; key (task, owner)."""

    claimed: Wei


@dataclass(frozen=True, slots=True)
class SupernodeRow:
    """An operator's stake; key (operator)."""

    owner: Address
    registered_at: Timestamp
    active: Wei = ZERO
    unbonding: Wei = ZERO
    release_time: Timestamp = NEVER
    slashed: Wei = ZERO


@dataclass(frozen=True, slots=True)
class AccountRow:
    """Tokens and votes; key (address). `delegators` are the accounts whose tokens or stake vote by this one."""

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
    """How the DAO decides, in seconds, wei and percent; key ()."""

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
        """The votes for and abstentions that a proposal must reach whose snapshot this is."""
        return Wei((self.supply - self.reserved) * self.quorum_percent // 100)


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """The votes on a proposal; key (proposal). `quorum` is None until its snapshot is past and someone voted."""

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
    MemberRow,
    AdmissionRow,
    ClaimRow,
    SupernodeRow,
    AccountRow,
    SettingsRow,
    ProposalRow,
)
Key = tuple[Any, ...]


class Stored(Protocol):
    """What the database holds of before."""

    def newest(self, kind: type[S], key: Key) -> S | None:
        """How a thing stood."""
        ...

    def settings_at(self, when: Timestamp) -> SettingsRow:
        """The settings at a time."""
        ...


class UnitOfWork:
    """Blocks of events on top of what is stored: `get` and `put` states, `add` facts; then take the rows.

    Events come in order; `turn` to each event's block. `known` are states read ahead, with None where there are none.
    """

    def __init__(
        self, network: Deployment, stored: Stored, known: dict[tuple[type, Key], Any] | None = None
    ) -> None:
        self.network = network
        self._stored = stored
        self._states: dict[tuple[type, Key], Any] = known if known is not None else {}
        self._changed: dict[tuple[type, Key], None] = {}
        self._block: tuple[BlockNumber, Timestamp] = BlockNumber(0), Timestamp(0)
        self._versions: list[tuple[type, Key, BlockNumber, Timestamp, Any]] = []
        self._facts: list[tuple[str, dict[str, Any]]] = []

    def turn(self, block: BlockNumber, timestamp: Timestamp) -> None:
        """Go on to a block: what changed in the one before stands."""
        if block != self._block[0]:
            for kind, key in self._changed:
                self._versions.append((kind, key, *self._block, self._states[kind, key]))
            self._changed.clear()
            self._block = block, timestamp

    def find(self, kind: type[S], *key: Any) -> S | None:
        """How a thing stands; None: there is none."""
        if (kind, key) not in self._states:
            self._states[kind, key] = self._stored.newest(kind, key)
        return cast("S | None", self._states[kind, key])

    def get(self, kind: type[S], *key: Any) -> S:
        """How a thing stands that must be there; LookupError when it is not."""
        found = self.find(kind, *key)
        if found is None:
            raise LookupError(f"{kind.__name__} {key}")
        return found

    def put(self, state: object, *key: Any) -> None:
        """Say how a thing stands now."""
        self._states[type(state), key] = state
        self._changed[type(state), key] = None

    def add(self, table: str, **row: Any) -> None:
        """Say what happened in this block."""
        self._facts.append((table, {"block": self._block[0], **row}))

    def change_settings(self, change: Callable[[SettingsRow], SettingsRow]) -> None:
        """Change the settings."""
        self.put(change(self.find(SettingsRow) or SettingsRow()))

    def settings_at(self, when: Timestamp) -> SettingsRow:
        """The settings at the end of a past second."""
        for kind, _, _, timestamp, state in reversed(self._versions):
            if kind is SettingsRow and timestamp <= when:
                return cast("SettingsRow", state)
        return self._stored.settings_at(when)

    def versions(self) -> Iterator[tuple[type, Key, BlockNumber, Timestamp, Any]]:
        """Every state that changed, for each block that changed it."""
        self.turn(BlockNumber(-1), Timestamp(0))
        return iter(self._versions)

    def facts(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """All that happened, as (table, row)."""
        return iter(self._facts)
