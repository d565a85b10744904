"""An index that runs beside a real chain, and rounds whose results a test makes up."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from sqlalchemy import Engine, select

from dao.chain.client import Chain
from dao.core.aggregate import AggregateRoots
from dao.core.commits import CommitRecord, Reveal, SignedCommit
from dao.core.formats.commit_leaves import compute_commits_root
from dao.core.formats.manifest import Manifest, MeasuredMetric, Shard
from dao.core.score import NodeScore, Scoring
from dao.core.transition import RoundInputs, RoundOutcome, get_post_state, settle_round
from dao.core.types import (
    ZERO_DIGEST,
    Address,
    Digest,
    Domain,
    MicroScore,
    RoundId,
    Signature,
    Status,
    TaskId,
    Wei,
)
from dao.core.types import Member as AsMember
from dao.core.weigh import NodeWeight, Weighing
from dao.index import schema
from dao.index.change_notices import ChangeNotice
from dao.index.indexer import Indexer
from dao.index.reads import Reads
from dao.store.cid import cid_of_bytes
from dao.store.source import Source
from tests.support import RULES, Member, Network

LIMIT = 60.0
MODEL = cid_of_bytes(b"model")


@dataclass
class Indexed:
    """A running index."""

    chain: Chain
    reads: Reads
    indexer: Indexer = field(init=False)
    changes: list[ChangeNotice] = field(default_factory=list)
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, change: ChangeNotice) -> None:
        self.changes.append(change)
        self._told.set()

    async def caught_up(self) -> None:
        """Wait until the block that is now the chain's head can be read."""
        head = int(await self.chain.request("eth_blockNumber"), 16)
        await self.chain.reach(head, limit=LIMIT)  # type: ignore[arg-type]
        async with asyncio.timeout(LIMIT):
            while self.indexer.at is None or self.indexer.at.hash != self.chain.head().hash:
                await self.next_change()

    async def pass_time(self, network: Network, seconds: int) -> None:
        """Have seconds pass on the chain, and see that they did."""
        network.anvil.request("evm_increaseTime", seconds)
        network.anvil.request("evm_mine")
        await self.caught_up()

    async def next_change(self) -> None:
        self._told.clear()
        try:
            async with asyncio.timeout(0.05):
                await self._told.wait()
        except TimeoutError:
            pass  # a block without events tells nothing


async def until(indexed: Indexed, condition: Callable[[], bool]) -> None:
    """Wait until something can be read."""
    async with asyncio.timeout(LIMIT):
        while not condition():
            await indexed.next_change()


@asynccontextmanager
async def indexing(
    network: Network, engine: Engine, store: Source | None = None, url: str | None = None
) -> AsyncIterator[Indexed]:
    async with network.chain(url=url) as chain, asyncio.TaskGroup() as group:
        indexed = Indexed(chain, Reads(engine))
        indexed.indexer = Indexer(chain, engine, store, indexed.tell)
        running = group.create_task(indexed.indexer.run())
        try:
            yield indexed
        finally:
            running.cancel()


def facts_of(engine: Engine) -> dict[str, list[str]]:
    """All rows that the chain's blocks decide, and how far they go, but no hashes of blocks: not each index needs them."""
    tables = [schema.position, *(table for table in schema.BOUND if table is not schema.blocks)]
    with engine.connect() as connection:
        return {table.name: sorted(map(repr, connection.execute(select(table)).all())) for table in tables}


def manifest_of(
    network: Network,
    task: TaskId,
    seed: Digest,
    scores: Mapping[Member, int],
    previous: Manifest | None = None,
) -> Manifest:
    """Settle a round in which each member's Supernode got a score."""
    deployment = network.deployment
    weights = tuple(
        NodeWeight(member.operator.address, 100, 100, 0, 10**24, 50_000, 60_000, ZERO_DIGEST, Status.OK)
        for member in scores
    )
    inputs = RoundInputs(
        domain=Domain(deployment.chain_id, deployment.coordinator),
        task=task,
        round=RoundId(previous.round + 1 if previous else 1),
        opening=ZERO_DIGEST,
        rules=RULES,
        state=get_post_state(previous),
        base_model=MODEL,
        values=25_600,
        seed=seed,
        shard=Shard(3, MODEL, (ZERO_DIGEST,) * 16),
        commits=[_commit(member) for member in scores],
        passes=(),
        absent={},
        forced=(),
    )
    outcome = RoundOutcome(
        weighing=Weighing(weights, 100 * len(scores)),
        scoring=Scoring(
            tuple(
                NodeScore(member.operator.address, 0, 0, ZERO_DIGEST, MicroScore(score))
                for member, score in scores.items()
            )
        ),
        aggregate=AggregateRoots(*(Digest(bytes([0xA0 + i]) * 32) for i in range(3))),
        gate_root=Digest(b"\x61" * 32),
        gradient_root=Digest(b"\x60" * 32),
        step_root=Digest(b"\x62" * 32),
        model=MODEL,
        step=MODEL,
        gate_gradient=MODEL,
        gradient=MODEL,
        loss_before=2_300_000,
        loss_after=2_200_000,
        metric=MeasuredMetric("accuracy", 912_500),
    )
    return settle_round(inputs, outcome)


def commitment_of(operator: Address) -> Digest:
    return Digest(sha256(operator).digest())


def _commit(member: Member) -> CommitRecord:
    operator = member.operator.address
    facts = AsMember(member.owner.address, Wei(10**18))
    return CommitRecord(
        facts, _signed(operator), False, Reveal(MODEL, commitment_of(operator), ZERO_DIGEST), None
    )


def _signed(operator: Address) -> SignedCommit:
    return SignedCommit(
        TaskId(1), RoundId(1), ZERO_DIGEST, operator, commitment_of(operator), Signature(bytes(65))
    )


def root_of(members: list[Member]) -> Digest:
    """The commits root of a round in which all of them committed."""
    operators = [member.operator.address for member in members]
    return compute_commits_root(map(_signed, operators), ())
