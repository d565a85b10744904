"""Collects one round at the Superlink: who may take part, commits, the tree they close with, reveals."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from aggregator.journal import StoredReveal
from dao.chain.events import ForcedCommit, ForcedReveal, RoundOpened
from dao.core.commits import Reveal, SignedCommit, SignedPass, compute_forced_hash
from dao.core.constants import CONTENT_LEAF
from dao.core.engine.merkle import Tree
from dao.core.formats.cid import Cid, ContentCodec
from dao.core.formats.commit_leaves import build_commit_tree
from dao.core.formats.layout import Layout
from dao.core.formats.update import Update, compute_update_size
from dao.core.types import Address, Digest, Member, RoundId, Rules, Signature, TaskId, hex_of
from dao.errors import NotFound
from dao.wire.messages import ComputedModel, Inclusion

NAMED = 10  # members that a reason names


@dataclass(eq=False)
class Collection:
    """Grows while the round runs; `notify` wakes all who await `changed`."""

    task: TaskId
    opened: RoundOpened
    opening: Digest  # what signatures of the round bind
    rules: Rules
    layout: Layout
    members: Mapping[Address, Member]
    commits: dict[Address, SignedCommit] = field(default_factory=dict)
    passes: dict[Address, SignedPass] = field(default_factory=dict)
    forced: dict[Address, SignedCommit] = field(
        default_factory=dict
    )  # on chain, in the order of their events
    reveals: dict[Address, StoredReveal] = field(default_factory=dict)
    rejected: dict[Address, str] = field(
        default_factory=dict
    )  # why a node's last rejected reveal did not count
    opened_to_us: dict[Address, Reveal] = field(
        default_factory=dict
    )  # what nodes opened their commits with, whatever became of the content
    opened_on_chain: dict[Address, Reveal] = field(default_factory=dict)  # by forced reveals
    attested: frozenset[Address] = frozenset()  # of `doubtful`, whose update most of the members drawn have
    lost: set[Address] = field(default_factory=set)  # whose valid update was here, and is no more
    accepts_commits: bool = True
    accepts_reveals: bool = True
    accepts_forced: bool = True  # the updates of `opened_on_chain`, for some time longer
    tree: Tree | None = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)  # set with the tree
    model: ComputedModel | None = None  # the new one, as soon as it is computed
    _indexes: dict[Address, int] = field(default_factory=dict)  # in the tree
    _locks: dict[Address, asyncio.Lock] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def round(self) -> RoundId:
        """Return the round."""
        return self.opened.round

    @property
    def heard(self) -> frozenset[Address]:
        """Return the nodes that have committed, here or on chain, or passed."""
        return frozenset(self.commits.keys() | self.passes.keys() | self.forced.keys())

    @property
    def committed(self) -> int:
        """Return how many nodes have committed, here or on chain."""
        return len(self.commits.keys() | self.forced.keys())

    @property
    def forced_hash(self) -> Digest:
        """Return the hash that chains the forced commits, as the coordinator has it."""
        return compute_forced_hash(self.forced.values())

    def take_forced(self, events: Iterable[ForcedCommit]) -> None:
        """Take all forced commits of the round, in order, instead of those known so far."""
        self.forced = {
            event.node: SignedCommit(
                *(event.task, event.round, self.opening, event.node),
                *(event.commitment, Signature(event.signature)),
            )
            for event in events
        }
        self.notify()

    def take_forced_reveals(self, events: Iterable[ForcedReveal]) -> None:
        """Take what was opened on chain, instead of what is known so far: of whom a commit counts here."""
        is_one_leaf = compute_update_size(self.layout, self.rules.codec) <= CONTENT_LEAF
        kind = ContentCodec.RAW if is_one_leaf else ContentCodec.DAG_PB  # of a valid update
        self.opened_on_chain = {
            event.node: Reveal(Cid(kind, event.cid), event.body_root, event.salt)
            for event in events
            if event.node in self.expected
            and (commit := self.commit_of(event.node)) is not None
            and commit.commitment == event.commitment
        }
        self.notify()

    @property
    def awaited_by_chain(self) -> frozenset[Address]:
        """Return the nodes that opened their commits on chain, and whose updates are not here."""
        return frozenset(self.opened_on_chain.keys() - self.reveals.keys())

    @property
    def doubtful(self) -> frozenset[Address]:
        """Return the nodes that opened their commits on chain, and whose updates are not here, or not valid by no fault of a value."""
        return frozenset(
            node
            for node in self.opened_on_chain
            if (stored := self.reveals.get(node)) is None
            or (stored.failure is not None and stored.failure.fault is None)
        )

    def reveal_of(self, node: Address) -> Reveal | None:
        """Return what a node's commit was opened with, here or on chain; None where it was not."""
        stored = self.reveals.get(node)
        return stored.reveal if stored else self.opened_on_chain.get(node) or self.opened_to_us.get(node)

    def has_all_reveals(self) -> bool:
        """Return whether every update that still may come is here."""
        waits_for = self.expected if self.accepts_reveals else frozenset(self.opened_on_chain)
        return not (self.accepts_forced and waits_for - self.reveals.keys())

    def accepts_reveal_of(self, node: Address) -> bool:
        """Return whether a node's update may still come: what was opened on chain in time, until it is settled."""
        return self.accepts_reveals or (self.accepts_forced and node in self.opened_on_chain)

    def build_tree(self, nodes: frozenset[Address]) -> Tree:
        """Build the tree over the commits and passes of `nodes`."""
        return build_commit_tree(*self._split(nodes))

    def explain_quorum(self) -> str:
        """Say why there are fewer commits than the quorum: the members that neither committed nor passed."""
        missing = sorted(self.members.keys() - self.heard)
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        names = " ".join(map(hex_of, missing[:NAMED])) or "none"
        return f"fewer commits than the quorum of {self.rules.quorum}; not heard: {names}{more}"

    def count(self, nodes: frozenset[Address]) -> tuple[int, int]:
        """Return how many of `nodes` committed, and how many passed."""
        commits, passes = self._split(nodes)
        return len(commits), len(passes)

    def close(self, nodes: frozenset[Address]) -> None:
        """Take no more commits; the tree is over those of `nodes`, and their passes."""
        self.accepts_commits = False
        self.tree = self.build_tree(nodes)
        self._indexes = {node: index for index, node in enumerate(sorted(nodes))}
        # of another commit, which counted until a reorg took a closing back
        self.reveals = {node: stored for node, stored in self.reveals.items() if self._opens(node, stored)}
        self.closed.set()

    def _opens(self, node: Address, stored: StoredReveal) -> bool:
        commit = self.commit_of(node)
        return commit is not None and commit.commitment == stored.reveal.commitment

    def _split(self, nodes: frozenset[Address]) -> tuple[list[SignedCommit], list[SignedPass]]:
        """Return the commits and the passes of nodes; who has both had committed first."""
        commits = [self.commits[node] for node in nodes if node in self.commits]
        return commits, [self.passes[node] for node in nodes if node not in self.commits]

    def is_in_tree(self, node: Address) -> bool:
        """Return whether the node's commit is in the tree."""
        return node in self._indexes and node in self.commits

    @property
    def closed_passes(self) -> list[SignedPass]:
        """Return the passes in the tree."""
        return self._split(frozenset(self._indexes))[1]

    def inclusion_of(self, node: Address) -> Inclusion:
        """Return where a node's commit is in the tree, with its proof; NotFound when it is not there."""
        if self.tree is None or not self.is_in_tree(node):
            raise NotFound(f"node {hex_of(node)}: its commit is not in the tree of round {self.round}")
        index = self._indexes[node]
        return Inclusion(index, len(self._indexes), tuple(self.tree.proof(index)))

    def commit_of(self, node: Address) -> SignedCommit | None:
        """Return the commit that a node has to reveal: in the tree, or else forced; None without either."""
        return (self.commits if self.is_in_tree(node) else self.forced).get(node)

    def updates(self) -> dict[Address, Update]:
        """Return the decoded updates, by node."""
        return {node: stored.update for node, stored in self.reveals.items() if stored.update is not None}

    def release_updates(self) -> None:
        """Let go of the decoded updates and the files that they map; the reveals stay."""
        self.reveals = {node: replace(stored, update=None) for node, stored in self.reveals.items()}

    @property
    def expected(self) -> frozenset[Address]:
        """Return the nodes that have to reveal."""
        return frozenset(filter(self.is_in_tree, self._indexes)) | self.forced.keys()

    def announce(self, shard: Digest, model: Digest, step: Digest) -> None:
        """Publish the digests of the new model, its step and the round's shard, so that nodes have them when the result is posted."""
        self.model = ComputedModel(model, step, shard)
        self.notify()

    def lock_of(self, node: Address) -> asyncio.Lock:
        """Return the lock under which a node's commit or reveal is taken: one at a time."""
        return self._locks.setdefault(node, asyncio.Lock())

    def notify(self) -> None:
        """Wake all who await `changed`."""
        event, self._changed = self._changed, asyncio.Event()
        event.set()

    def changed(self) -> Awaitable[object]:
        """Return an awaitable that ends with the next change after this call, whenever it is awaited."""
        return self._changed.wait()
