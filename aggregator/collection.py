"""What the Superlink holds of one round: who may take part, commits, the tree they close with, reveals."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field

from aggregator.journal import HeldCommit, HeldReveal
from dao.chain.events import RoundOpened
from dao.core.constants import ROWS_DEPTH
from dao.core.errors import NotFound
from dao.core.formats.layout import Layout
from dao.core.merkle import Tree
from dao.core.types import Address, Digest, Member, RoundId, Rules, TaskId, hex_of
from dao.wire.messages import Inclusion


@dataclass(eq=False)
class Collection:
    """Grows while the round runs; `notify` wakes whoever awaits `changed`."""

    task: TaskId
    opened: RoundOpened
    rules: Rules
    layout: Layout
    members: Mapping[Address, Member]
    commits: dict[Address, HeldCommit] = field(default_factory=dict)
    forced: dict[Address, HeldCommit] = field(default_factory=dict)  # on chain, in the order of their events
    reveals: dict[Address, HeldReveal] = field(default_factory=dict)
    refused: dict[Address, str] = field(default_factory=dict)  # why a reveal that was tried did not count
    arriving: set[Address] = field(default_factory=set)  # whose update is being received
    late: set[Address] = field(default_factory=set)
    accepting: bool = True  # commits
    revealing: bool = True
    tree: Tree | None = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)  # set with the tree
    model: Digest | None = None  # the new one, as soon as it is computed
    _places: dict[Address, int] = field(default_factory=dict)  # in the tree
    _turns: dict[Address, asyncio.Lock] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def round(self) -> RoundId:
        """The round."""
        return self.opened.round

    def reopen(self, opened: RoundOpened, rules: Rules, members: Mapping[Address, Member]) -> None:
        """Go on with a round that opened anew: the commits of those who take part stand."""
        self.opened, self.rules, self.members = opened, rules, members
        self.commits = {node: held for node, held in self.commits.items() if node in members}

    def close(self, nodes: frozenset[Address]) -> None:
        """Take no more commits; the tree is over those of `nodes`."""
        self.accepting = False
        order = sorted(nodes)
        self.tree = Tree([node + self.commits[node].commitment for node in order], ROWS_DEPTH)
        self._places = {node: place for place, node in enumerate(order)}
        self.closed.set()

    def is_in_tree(self, node: Address) -> bool:
        """Whether the node's commit is in the tree."""
        return node in self._places

    def inclusion_of(self, node: Address) -> Inclusion:
        """Where a node's commit stands in the tree; NotFound when it is not there."""
        if self.tree is None or node not in self._places:
            raise NotFound(
                f"node {hex_of(node)}: its commit is not in the tree of round {self.round}; commit on chain"
            )
        place = self._places[node]
        return Inclusion(place, len(self._places), tuple(self.tree.proof(place)))

    def commitment_of(self, node: Address) -> Digest | None:
        """What a node has to reveal: its commit in the tree, or else its forced one; None without either."""
        held = (self.commits if node in self._places else self.forced).get(node)
        return held.commitment if held else None

    @property
    def expected(self) -> frozenset[Address]:
        """Who has to reveal."""
        return frozenset(self._places) | self.forced.keys()

    def announce(self, model: Digest) -> None:
        """Tell nodes of the new model, so that they have it when its result is posted."""
        self.model = model
        self.notify()

    def turn_of(self, node: Address) -> asyncio.Lock:
        """Held while something of a node is taken: one thing at a time."""
        return self._turns.setdefault(node, asyncio.Lock())

    def notify(self) -> None:
        """Wake whoever awaits `changed`."""
        event, self._changed = self._changed, asyncio.Event()
        event.set()

    def changed(self) -> Awaitable[object]:
        """What ends with the next change after this call, whenever it is awaited."""
        return self._changed.wait()
