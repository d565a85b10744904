"""A made-up chain for property tests: blocks of events of every kind, drawn by dice, that make sense one after another."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from bench.synthetic_events import NETWORK, TOKEN, address, log_of, result_of
from dao.chain import events, governance_events
from dao.chain.blocks import BlockRef
from dao.chain.event_types import Event
from dao.core.engine.keccak import keccak256
from dao.core.types import ZERO_ADDRESS, Address, BlockNumber, RoundId, TaskId, Timestamp, Wei
from tests.index.dispute_tale import dispute_by_demand, dispute_gradients
from tests.support import RULES

BEGIN = 1_700_000_000
PEOPLE = tuple(address(f"person {number}") for number in range(5))
OPERATORS = tuple(address(f"operator {number}") for number in range(5))
LIVE = ("open", "closed", "posted", "frozen")


@dataclass
class State:
    """What events must fit to."""

    balances: dict[Address, int] = field(default_factory=dict)
    delegates: dict[tuple[Address, Address], Address] = field(default_factory=dict)
    stakes: dict[Address, list[int]] = field(default_factory=dict)  # active, unbonding
    replaced: set[Address] = field(default_factory=set)  # operators
    members: set[tuple[int, Address]] = field(default_factory=set)
    rounds: dict[int, list[str]] = field(default_factory=dict)  # the phases of each task's rounds
    forced: set[tuple[int, int, Address]] = field(default_factory=set)
    demands: dict[tuple[int, int, tuple[int, int, int]], str] = field(default_factory=dict)  # open or over
    twice: set[tuple[int, int, Address]] = field(default_factory=set)
    cases: dict[tuple[int, int], str] = field(default_factory=dict)  # about gradients: open or over
    versions: dict[int, int] = field(default_factory=dict)
    heads: dict[int, int] = field(default_factory=dict)
    funded: dict[int, int] = field(default_factory=dict)
    proposals: dict[int, str] = field(default_factory=dict)
    voted: set[tuple[int, Address]] = field(default_factory=set)

    def list_rounds(self, *phases: str) -> list[tuple[int, int]]:
        every = (
            (task, number, phase) for task, of in self.rounds.items() for number, phase in enumerate(of, 1)
        )
        return [(task, number) for task, number, phase in every if phase in phases]

    def copy(self) -> "State":
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        rounds = {task: list(phases) for task, phases in self.rounds.items()}
        stakes = {operator: list(stake) for operator, stake in self.stakes.items()}
        return State(
            **{name: value.copy() for name, value in values.items()} | {"rounds": rounds, "stakes": stakes}
        )


@dataclass(frozen=True)
class Told:
    """A block, its events, and what stands after it."""

    ref: BlockRef
    events: tuple[Event, ...]
    logs: tuple[dict[str, Any], ...]
    after: State


class Tale:
    """The chain: `blocks[n]` is number n. `grow` adds blocks, `fork` takes the last ones back."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        genesis = BlockRef(BlockNumber(0), keccak256(b"genesis"), keccak256(b""), Timestamp(BEGIN), Wei(0))
        self.blocks = [Told(genesis, (), (), State())]
        self._made = 0

    @property
    def head(self) -> BlockRef:
        return self.blocks[-1].ref

    def grow(self, blocks: int, most: int = 4) -> None:
        """Add blocks of up to `most` events; the network begins in the first."""
        for _ in range(blocks):
            self._made += 1
            before, parent = self.blocks[-1].after.copy(), self.head
            number = BlockNumber(parent.number + 1)
            time = Timestamp(parent.timestamp + self.dice.randrange(3))  # blocks may share a second
            ref = BlockRef(number, keccak256(b"block %d" % self._made), parent.hash, time, Wei(0))
            kinds = _founding() if number == 1 else self._drawn(before, self.dice.randrange(most + 1))
            found = tuple(
                kind(number, ref.hash, time, 2 * index, keccak256(b"tx %d %d" % (self._made, index)), *values)
                for index, (kind, values) in enumerate(kinds)
            )
            if number == 1:
                before.balances[NETWORK.timelock] = 10**9 * TOKEN
            self.blocks.append(Told(ref, found, tuple(map(log_of, found)), before))

    def fork(self, depth: int) -> None:
        """Take back the last blocks, but for the network's first."""
        del self.blocks[max(2, len(self.blocks) - depth) :]

    def _drawn(self, state: State, count: int) -> Iterator[tuple[type[Event], tuple[Any, ...]]]:
        for _ in range(count):
            yield from self.dice.choice(HAPPENINGS)(self, state)

    def pick(self, things: Any) -> Any:
        """One of them, or None where there is none."""
        ordered = sorted(things, key=repr)
        return self.dice.choice(ordered) if ordered else None


Events = Iterator[tuple[type[Event], tuple[Any, ...]]]


def _founding() -> Events:
    net, supply = NETWORK, 10**9 * TOKEN
    yield governance_events.Transfer, (ZERO_ADDRESS, net.timelock, Wei(supply))
    yield governance_events.DelegateChanged, (net.token, net.timelock, ZERO_ADDRESS, net.timelock)
    yield governance_events.DelegateVotesChanged, (net.token, net.timelock, Wei(0), Wei(supply))
    yield governance_events.MinDelayChange, (0, 2**200)  # which nothing keeps from being absurd
    yield governance_events.VotingDelaySet, (0, 1)
    yield governance_events.VotingPeriodSet, (0, 9)
    yield governance_events.ProposalThresholdSet, (0, TOKEN)
    yield governance_events.QuorumNumeratorUpdated, (0, 4)
    yield governance_events.LateQuorumVoteExtensionSet, (0, 3)


def _task(tale: Tale, state: State) -> Events:
    task = TaskId(len(state.rounds) + 1)
    state.rounds[task], state.heads[task], state.funded[task] = [], 0, 0
    yield events.TaskCreated, (task, RULES.app_hash, RULES)


def _of_task(tale: Tale, state: State) -> Events:
    task = tale.pick(state.rounds)
    if task is None:
        return
    person, amount = tale.dice.choice(PEOPLE), tale.dice.randrange(100 * TOKEN)
    match tale.dice.randrange(8):
        case 0:
            yield events.TaskClosed, (task, Wei(0))
        case 6:
            state.versions[task] = state.versions.get(task, 1) + 1
            yield events.RulesChanged, (task, state.versions[task], replace(RULES, superlink=person))
        case 1:
            yield events.SuperlinkReplaced, (task, person)
        case 2:
            yield events.Admitted, (task, person, tale.dice.random() < 0.5)
        case 3:
            state.funded[task] += amount
            yield events.Funded, (task, person, Wei(amount))
        case 4:
            amount = tale.dice.randrange(state.funded[task] + 1)
            state.funded[task] -= amount
            yield events.Refunded, (task, person, Wei(amount))
        case 7:
            amount = tale.dice.randrange(state.funded[task] + 1)
            state.funded[task] -= amount
            yield events.Recovered, (task, person, Wei(amount))
        case _:
            yield events.Claimed, (task, person, Wei(amount), Wei(2 * amount))


def _member(tale: Tale, state: State) -> Events:
    task, operator = tale.pick(state.rounds), tale.pick(state.stakes)
    if task is None or operator is None:
        return
    if (task, operator) in state.members:
        state.members.remove((task, operator))
        yield events.Left, (task, operator)
    else:
        state.members.add((task, operator))
        yield events.Joined, (task, operator, _owner_of(operator))


def _round(tale: Tale, state: State) -> Events:
    task = tale.pick(state.rounds)
    if task is not None:
        state.rounds[task].append("open")
        yield events.RoundOpened, (task, RoundId(len(state.rounds[task])), RoundId(state.heads[task]), 3)


def _of_round(tale: Tale, state: State) -> Events:
    live = state.list_rounds(*LIVE)
    if not live:
        return
    task, number = of = tale.pick(live)
    phase, person = state.rounds[task][number - 1], tale.dice.choice(PEOPLE)
    digest = keccak256(repr((of, tale.dice.random())).encode())
    turns: dict[str, list[tuple[str, type[Event], tuple[Any, ...]]]] = {
        "open": [
            ("open", events.ForcedCommit, (tale.dice.choice(OPERATORS), digest, bytes(65))),
            ("closed", events.CommitsClosed, (3, 1, digest, digest)),
            ("aborted", events.Aborted, ()),
        ],
        "closed": [
            ("closed", events.ForcedReveal, (tale.dice.choice(OPERATORS), *[digest] * 4)),
            ("closed", events.Attested, (tale.dice.choice(OPERATORS), tale.dice.choice(OPERATORS))),
            ("posted", events.ResultPosted, (result_of(task, number, tale.dice.randrange(TOKEN)),)),
            ("aborted", events.Aborted, ()),
        ],
        "posted": [
            ("frozen", events.Challenged, (person, "wrong \0 sum")),
            ("final", events.Finalized, (digest, Wei(number))),
            ("void", events.Voided, ()),
            ("void", events.Conceded, ()),
            ("void", events.Convicted, (person, 1, person, Wei(9), Wei(1))),
        ],
        "frozen": [
            ("posted", events.Resolved, (True,)),
            ("void", events.Resolved, (False,)),
            ("void", events.Convicted, (person, 2, person, Wei(0), Wei(0))),
        ],
    }
    phase, kind, values = tale.dice.choice(turns[phase])
    if kind is events.ForcedCommit:
        if (*of, values[0]) in state.forced:
            return
        state.forced.add((*of, values[0]))
    state.rounds[task][number - 1] = phase
    if kind is events.ResultPosted:
        state.heads[task] = number
    yield kind, (task, RoundId(number), *values)
    if phase == "void" and kind is not events.Voided:
        yield events.Voided, (task, RoundId(number))
    if kind is events.Finalized:
        yield events.Activated, (task, Wei(number))


def _demand(tale: Tale, state: State) -> Events:
    return dispute_by_demand(tale, state, tale.dice.choice(PEOPLE))


def _equivocate(tale: Tale, state: State) -> Events:
    node, task = tale.dice.choice(OPERATORS), tale.pick(state.rounds)
    if task is None or not state.rounds[task]:
        return
    number = len(state.rounds[task])
    if (task, number, node) not in state.twice:
        state.twice.add((task, number, node))
        yield events.Equivocated, (task, RoundId(number), node, tale.dice.choice(PEOPLE), Wei(9), Wei(1))


def _gradients(tale: Tale, state: State) -> Events:
    return dispute_gradients(tale, state, tale.dice.choice(PEOPLE))


def _owner_of(operator: Address) -> Address:
    return PEOPLE[OPERATORS.index(operator)] if operator in OPERATORS else PEOPLE[0]


def _stake(tale: Tale, state: State) -> Events:
    operator = tale.dice.choice(OPERATORS)
    owner = _owner_of(operator)
    if operator in state.replaced:
        return
    if operator not in state.stakes:
        state.stakes[operator] = [TOKEN, 0]
        yield events.Registered, (operator, owner, Wei(TOKEN))
        return
    active, unbonding = stake = state.stakes[operator]
    match tale.dice.randrange(6):
        case 4:
            yield events.Revoked, (operator,)
        case 5:
            successor = address(f"successor {len(state.replaced)} of {operator.hex()}")
            state.stakes[successor] = state.stakes.pop(operator)
            state.replaced.add(operator)
            yield events.Rotated, (operator, successor)
        case 0:
            stake[0] += TOKEN
            yield events.StakeAdded, (operator, Wei(TOKEN))
        case 1:
            amount = tale.dice.randrange(active + 1)
            stake[:] = active - amount, unbonding + amount
            yield events.Unbonding, (operator, Wei(amount), Timestamp(BEGIN + 50))
        case 2:
            stake[1] = 0
            yield events.Withdrawn, (operator, owner, Wei(unbonding))
        case _:
            amount = tale.dice.randrange(active + unbonding + 1)
            taken = min(amount, active)
            stake[:] = active - taken, unbonding - (amount - taken)
            yield events.Slashed, (operator, Wei(amount), tale.dice.choice(PEOPLE), Wei(amount // 2))


def _transfer(tale: Tale, state: State) -> Events:
    sender = tale.pick(who for who, balance in state.balances.items() if balance)
    receiver = tale.dice.choice((*PEOPLE, ZERO_ADDRESS, NETWORK.distributor))
    value, old = tale.dice.randrange(state.balances[sender] + 1), state.balances[sender]
    state.balances[sender] -= value
    if receiver != ZERO_ADDRESS:
        state.balances[receiver] = state.balances.get(receiver, 0) + value
    yield governance_events.Transfer, (sender, receiver, Wei(value))
    if sender == NETWORK.timelock:  # whose votes are what no quorum counts
        yield governance_events.DelegateVotesChanged, (NETWORK.token, sender, Wei(old), Wei(old - value))


def _delegate(tale: Tale, state: State) -> Events:
    contract = tale.dice.choice((NETWORK.token, NETWORK.registry))
    who, to = tale.dice.choice(PEOPLE), tale.dice.choice((*PEOPLE, ZERO_ADDRESS))
    old = state.delegates.get((contract, who), ZERO_ADDRESS)
    state.delegates[contract, who] = to
    yield governance_events.DelegateChanged, (contract, who, old, to)


def _votes(tale: Tale, state: State) -> Events:
    contract = tale.dice.choice((NETWORK.token, NETWORK.registry))
    who = tale.dice.choice(PEOPLE)
    yield (
        governance_events.DelegateVotesChanged,
        (contract, who, Wei(0), Wei(tale.dice.randrange(10**9 * TOKEN))),
    )


def _proposal(tale: Tale, state: State) -> Events:
    number = int.from_bytes(keccak256(b"proposal %d %f" % (len(state.proposals), tale.dice.random())))
    state.proposals[number] = "live"
    now = tale.head.timestamp
    lists = ((PEOPLE[0],), (Wei(0),), ("",), (b"\1\2\3",))
    texts = "# Title\n\nwith \0", "", "\n\n<script>"
    what = (number, PEOPLE[0], *lists, Timestamp(now + 1), Timestamp(now + 9), tale.dice.choice(texts))
    yield governance_events.ProposalCreated, what


def _of_proposal(tale: Tale, state: State) -> Events:
    number = tale.pick(key for key, stands in state.proposals.items() if stands != "ended")
    if number is None:
        return
    voter, weight = tale.dice.choice(PEOPLE), Wei(tale.dice.randrange(10**8 * TOKEN))
    turn = tale.dice.randrange(7)
    if turn < 3:
        if (number, voter) not in state.voted:
            state.voted.add((number, voter))
            vote = (voter, number, tale.dice.randrange(3), weight, "why \0 not")
            yield (
                (governance_events.VoteCastWithParams, (*vote, b"\0"))
                if turn
                else (governance_events.VoteCast, vote)
            )
    elif turn == 3:
        yield governance_events.ProposalExtended, (number, Timestamp(tale.head.timestamp + 20))
    elif turn == 4:
        yield governance_events.ProposalQueued, (number, Timestamp(tale.head.timestamp + 5))
    else:
        state.proposals[number] = "ended"
        yield (
            (governance_events.ProposalExecuted if turn == 5 else governance_events.ProposalCanceled),
            (number,),
        )


def _setting(tale: Tale, state: State) -> Events:
    kinds = (
        *(
            governance_events.VotingDelaySet,
            governance_events.VotingPeriodSet,
            governance_events.ProposalThresholdSet,
        ),
        *(
            governance_events.QuorumNumeratorUpdated,
            governance_events.LateQuorumVoteExtensionSet,
            governance_events.MinDelayChange,
        ),
    )
    yield tale.dice.choice(kinds), (0, tale.dice.randrange(50))


def _pause(tale: Tale, state: State) -> Events:
    contract = tale.dice.choice((NETWORK.registry, NETWORK.coordinator))
    yield (
        tale.dice.choice((governance_events.Paused, governance_events.Unpaused)),
        (contract, NETWORK.timelock),
    )


HAPPENINGS: tuple[Callable[[Tale, State], Events], ...] = (
    *(_task, _of_task, _member, _round, _of_round, _of_round, _of_round, _stake, _transfer, _delegate),
    *(
        _demand,
        _demand,
        _gradients,
        _equivocate,
        _votes,
        _proposal,
        _of_proposal,
        _of_proposal,
        _setting,
        _pause,
    ),
)
