"""The state of the demonstration: filled from the Superlink's status, shown by the view, written by the report."""

from dataclasses import dataclass, field

from dao.demo.plan import DemoMember

MEMORY = "memory"  # the store of rounds that are played without a chain


@dataclass
class SeatRound:
    """One Supernode in one round."""

    committed: bool = False
    revealed: bool = False
    status: str = ""
    weight: int = 0
    score: int = 0  # millionths of loss
    reward_wei: int = 0
    reason: str = ""


@dataclass
class RoundView:
    """One round, finished or not."""

    round: int
    phase: str = "opening"
    deadline: float | None = None  # Unix seconds
    started: float = 0.0
    seconds: float = 0.0  # from opening to the posted result
    accuracy: float | None = None  # on test data outside training and scoring, 0 to 1
    loss: float | None = None
    losses: tuple[float, float] | None = None  # on the round's validation rows, before and after
    budget_wei: int = 0
    refunded_wei: int = 0
    gas_superlink: int = 0
    gas_participants: int = 0
    audit: str = ""
    model: str = ""  # the CID of what the round led to
    manifest: str = ""  # the CID of what says how
    figures: dict[str, float] = field(default_factory=dict)  # the app's own metrics, on the test data
    nodes: dict[str, SeatRound] = field(default_factory=dict)  # operator address → its part


@dataclass
class Seat:
    """One Supernode of the demonstration and its keys' addresses (0x…)."""

    member: DemoMember
    owner: str
    operator: str


@dataclass
class DemoState:
    """Task, seats and rounds."""

    task: int
    store: str
    rounds_wanted: int
    seats: list[Seat]
    rounds: list[RoundView] = field(default_factory=list)
    claimed_wei: dict[str, int] = field(default_factory=dict)  # owner → wei
    note: str = ""
    page: str = ""  # its address, where it is served

    def total_wei(self, operator: str) -> int:
        """Return what this Supernode has earned so far."""
        return sum(r.nodes[operator].reward_wei for r in self.rounds if operator in r.nodes)
