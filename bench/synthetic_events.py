"""A made-up history of a network, as its contracts' logs would tell it: for filling and measuring an index.

It grows event by event from a seed, in bounded memory: members get tokens, stake, join, delegate; rounds run one after
another in every task; proposals are made and voted on. `log_of` writes an event as the chain's node would.
"""

import random
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field, fields
from typing import Any

from dao.chain import events, governance_events
from dao.chain.contract_table import PROVERS, list_emitters
from dao.chain.deployment import Deployment
from dao.chain.event_types import Event, SharedEvent
from dao.chain.interface import encode, load
from dao.chain.structs import rules_fields
from dao.core.engine.keccak import keccak256
from dao.core.types import (
    ZERO_ADDRESS,
    Address,
    BlockNumber,
    Codec,
    Digest,
    Result,
    RoundId,
    Rules,
    TaskId,
    Timestamp,
    Wei,
    hex_of,
)

TOKEN = 10**18
BLOCK_SECONDS = 12
PER_BLOCK = 10  # events
_SUPPLY = 10**9 * TOKEN
_VOTING_DELAY, _VOTING_PERIOD = 3600, 2 * 86_400
_BEGIN = 1_700_000_000


def address(name: str) -> Address:
    """A made-up address."""
    return Address(keccak256(name.encode())[:20])


NETWORK = Deployment(
    31337,
    BlockNumber(1),
    *map(
        address,
        (
            "token",
            "registry",
            "coordinator",
            "distributor",
            "forced reveals",
            "disputes",
            "gradient vote",
            "timelock",
            "voting power",
            "governor",
        ),
    ),
    provers={name: address(name) for name in PROVERS},
)


@dataclass
class SyntheticHistory:
    """What has happened so far. `members` stake behind one operator each and take part in one of `tasks`."""

    members: int = 500
    tasks: int = 5
    seed: int = 1
    block: int = 1
    _log: int = 0
    _dice: random.Random = field(default_factory=random.Random)
    _votes: dict[tuple[Address, Address], int] = field(default_factory=dict)
    _rounds: dict[int, int] = field(default_factory=dict)
    _rewarded: dict[int, int] = field(default_factory=dict)
    _proposals: int = 0

    def events(self, count: int) -> Iterator[Event]:
        """The first `count` events, a few more until the last block is full."""
        self._dice.seed(self.seed)
        for made, event in enumerate(self._endless()):
            if made >= count and event.log_index == 0:
                return
            yield event

    def _endless(self) -> Iterator[Event]:
        yield from self._founding()
        for number in range(self.members):
            yield from self._new_member(number)
        while True:
            for task in range(1, self.tasks + 1):
                yield from self._round(task)
            yield from self._proposal()
            for _ in range(20):
                yield from self._transfer()

    def _at(self, kind: type[Event], *values: Any) -> Event:
        """An event in its place."""
        if self._log == PER_BLOCK:
            self.block, self._log = self.block + 1, 0
        place = self.block, block_hash(self.block), time_of(self.block), self._log
        self._log += 1
        return kind(*place, keccak256(b"tx %d %d" % (self.block, self._log // 3)), *values)  # type: ignore[arg-type]

    def _founding(self) -> Iterator[Event]:
        net = NETWORK
        yield self._at(governance_events.MinDelayChange, 0, 3600)
        yield self._at(governance_events.Transfer, ZERO_ADDRESS, net.timelock, _SUPPLY)
        for who, votes in ((net.timelock, _SUPPLY), (net.distributor, 0)):
            yield self._at(governance_events.DelegateChanged, net.token, who, ZERO_ADDRESS, who)
            yield from self._votes_by(net.token, who, votes)
        yield self._at(governance_events.VotingDelaySet, 0, _VOTING_DELAY)
        yield self._at(governance_events.VotingPeriodSet, 0, _VOTING_PERIOD)
        yield self._at(governance_events.ProposalThresholdSet, 0, TOKEN)
        yield self._at(governance_events.QuorumNumeratorUpdated, 0, 4)
        for task in range(1, self.tasks + 1):
            yield self._at(events.TaskCreated, TaskId(task), _RULES.app_hash, _RULES)
            funds = 10**6 * TOKEN
            yield self._at(events.Funded, TaskId(task), net.timelock, Wei(funds))
            yield from self._move(net.timelock, net.distributor, funds)

    def _new_member(self, number: int) -> Iterator[Event]:
        net, owner, operator = NETWORK, owner_of(number), operator_of(number)
        yield from self._move(net.timelock, owner, 2000 * TOKEN)
        yield self._at(governance_events.DelegateChanged, net.token, owner, ZERO_ADDRESS, owner)
        yield from self._votes_by(net.token, owner, 2000 * TOKEN)
        yield self._at(governance_events.DelegateChanged, net.registry, owner, ZERO_ADDRESS, owner)
        yield self._at(events.Registered, operator, owner, Wei(100 * TOKEN))
        yield from self._votes_by(net.registry, owner, 100 * TOKEN)
        yield from self._move(owner, net.registry, 100 * TOKEN)
        yield self._at(events.Joined, TaskId(1 + number % self.tasks), operator, owner)

    def _round(self, task: int) -> Iterator[Event]:
        number = self._rounds.get(task, 0) + 1
        self._rounds[task] = number
        of = TaskId(task), RoundId(number)
        nodes = self.members // self.tasks
        yield self._at(events.RoundOpened, *of, RoundId(number - 1), nodes)
        seed = keccak256(b"seed %d %d" % of)
        yield self._at(events.CommitsClosed, *of, nodes, 0, seed, seed)
        self._rewarded[task] = self._rewarded.get(task, 0) + 100 * TOKEN
        yield self._at(events.ResultPosted, *of, result_of(task, number, self._rewarded[task]))
        yield self._at(events.Finalized, *of, seed, Wei(self._rewarded[task]))
        yield self._at(events.Activated, of[0], Wei(self._rewarded[task]))
        owner = owner_of((number * self.tasks + task - 1) % self.members)
        yield self._at(events.Claimed, of[0], owner, Wei(TOKEN), Wei(number * TOKEN))
        yield from self._move(NETWORK.distributor, owner, TOKEN)

    def _proposal(self) -> Iterator[Event]:
        net = NETWORK
        self._proposals += 1
        number = int.from_bytes(keccak256(b"proposal %d" % self._proposals), "big")
        proposer = owner_of(self._proposals % self.members)
        start = Timestamp(time_of(self.block) + _VOTING_DELAY)
        end = Timestamp(start + _VOTING_PERIOD)
        text = f"# Grant number {self._proposals}\n\nFor what was done; see the minutes of our last meeting."
        lists = (net.token,), (Wei(0),), ("",), (bytes(68),)
        yield self._at(governance_events.ProposalCreated, number, proposer, *lists, start, end, text)
        for voter in self._dice.sample(range(self.members), min(30, self.members)):
            who, support = owner_of(voter), self._dice.randrange(3)
            yield self._at(
                governance_events.VoteCast, who, number, support, Wei(2000 * TOKEN), "as we agreed"
            )
        if self._proposals % 3 == 0:
            yield self._at(governance_events.ProposalQueued, number, Timestamp(end + 3600))
            yield self._at(governance_events.ProposalExecuted, number)

    def _transfer(self) -> Iterator[Event]:
        one, other = self._dice.sample(range(self.members), 2)
        yield from self._move(owner_of(one), owner_of(other), 10**15)

    def _move(self, sender: Address, receiver: Address, value: int) -> Iterator[Event]:
        token = NETWORK.token
        yield self._at(governance_events.Transfer, sender, receiver, Wei(value))
        for who, change in ((sender, -value), (receiver, value)):
            if (token, who) in self._votes:
                yield from self._votes_by(token, who, change)

    def _votes_by(self, contract: Address, who: Address, change: int) -> Iterator[Event]:
        old = self._votes.get((contract, who), 0)
        self._votes[contract, who] = old + change
        yield self._at(governance_events.DelegateVotesChanged, contract, who, Wei(old), Wei(old + change))


_RULES = Rules(
    superlink=address("superlink"),
    commit_period=60,
    reveal_period=30,
    result_period=120,
    challenge_period=600,
    resolve_period=1000,
    quorum=1,
    shards=100,
    body_depth=10,
    codec=Codec.INT8,
    admitted_only=False,
    close_after=60,
    close_share=100,
    max_in_flight=64,
    min_stake=Wei(TOKEN),
    max_stake=Wei(1000 * TOKEN),
    round_budget=Wei(100 * TOKEN),
    superlink_bond=Wei(5 * TOKEN),
    challenge_bond=Wei(5 * TOKEN),
    app_hash=keccak256(b"app"),
    base_model=keccak256(b"base model"),
    validation_root=keccak256(b"shards"),
    chunks=1024,
    scored_chunks=1024,
    card=keccak256(b"card"),
    base_model_root=keccak256(b"chunks"),
)


def owner_of(member: int) -> Address:
    """The owner of a member's Supernode."""
    return address(f"owner {member}")


def operator_of(member: int) -> Address:
    """A member's Supernode."""
    return address(f"operator {member}")


def block_hash(block: int) -> Digest:
    """A block's hash."""
    return keccak256(b"block %d" % block)


def time_of(block: int) -> Timestamp:
    """A block's time."""
    return Timestamp(_BEGIN + BLOCK_SECONDS * block)


def result_of(task: int, round_: int, total: int) -> Result:
    """A made-up result of a round."""
    roots = [keccak256(b"root %d %d %d" % (task, round_, number)) for number in range(7)]
    names = [field.name for field in fields(Result)]
    values = zip(names, (*roots, 100, 100, 1 << 20, Wei(total)), strict=True)
    return Result(**dict(values))  # type: ignore[arg-type]


def log_of(event: Event) -> dict[str, Any]:
    """An event as JSON-RPC gives its log."""
    kind = type(event)
    contract = list_emitters((kind,))[0].name
    codec = load(contract).events[kind.__name__]
    own = fields(event)[len(fields(SharedEvent if isinstance(event, SharedEvent) else Event)) :]
    values = [_plain(getattr(event, item.name)) for item in own]
    topics, types, plain = [codec.topic], [], []
    for (_, abi, indexed), value in zip(codec.fields, values, strict=True):
        if indexed:
            topics.append(encode([abi], [value], kind.__name__))
        else:
            types.append(abi)
            plain.append(value)
    emitter = event.contract if isinstance(event, SharedEvent) else NETWORK.coordinator
    return {
        "address": hex_of(emitter),
        "topics": [hex_of(topic) for topic in topics],
        "data": hex_of(encode(types, plain, kind.__name__)),
        "blockNumber": hex(event.block),
        "blockHash": hex_of(event.block_hash),
        "blockTimestamp": hex(event.timestamp),
        "transactionHash": hex_of(event.tx_hash),
        "transactionIndex": "0x0",
        "logIndex": hex(event.log_index),
        "removed": False,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Rules):
        return rules_fields(value)
    return astuple(value) if isinstance(value, Result) else value
