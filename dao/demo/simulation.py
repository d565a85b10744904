"""One round computed as the Superlink computes it, from updates to manifest, without chain or wire between."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aggregator.compute import RoundBase, RoundComputer, RoundJob, Settlement
from aggregator.publisher import Publisher
from dao.app.gradient_client import GradientClient
from dao.app.shards import Shards
from dao.chain.signer import Signer
from dao.content import tensor_files
from dao.core.commits import CommitRecord, PassRecord, Reveal, SignedCommit
from dao.core.engine.merkle import compute_body_root
from dao.core.formats.cid import Cid
from dao.core.formats.layout import Layout, Model, compute_depth, parse_model
from dao.core.formats.manifest import Manifest, Shard
from dao.core.formats.signed_messages import compute_commit_digest
from dao.core.formats.update import Update, encode_update_prefix, encode_update_rows
from dao.core.round_machine import draw_shard
from dao.core.transition import RoundInputs, get_post_state
from dao.core.types import (
    ZERO_ADDRESS,
    ZERO_DIGEST,
    Address,
    Codec,
    Digest,
    Domain,
    Member,
    RoundId,
    Rules,
    Signature,
    TaskId,
    Wei,
)
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from node.public_shards import take_newest

TASK = TaskId(1)
DOMAIN = Domain(31337, ZERO_ADDRESS)
CODEC = Codec.INT8
CHANCE = b"simulated round"
LIMIT = 60.0  # seconds for replicas, of which there are none


@dataclass(frozen=True)
class Committed:
    """A node's update, committed and revealed."""

    commit: CommitRecord
    content: bytes


def commit(
    signer: Signer, owner: Address, stake: Wei, number: RoundId, base: Model, trained: Model
) -> Committed:
    """Quantise what training changed, and commit to it as a Supernode does."""
    body = encode_update_rows(base, trained, CODEC)
    content = encode_update_prefix(base.layout, CODEC) + body.tobytes()
    root, cid = compute_body_root(body, compute_depth(base.layout.chunks)), cid_of_bytes(content)
    salt = Digest(hashlib.sha256(signer.address + number.to_bytes(8, "big")).digest())
    reveal = Reveal(cid, root, salt)
    place = (TASK, number, ZERO_DIGEST, signer.address, reveal.commitment)
    signed = SignedCommit(*place, Signature(signer.sign(compute_commit_digest(DOMAIN, *place))))
    return Committed(CommitRecord(Member(owner, stake), signed, False, reveal, None), content)


class Simulation:
    """Settles round after round with the Superlink's own arithmetic, from the app's first model on."""

    def __init__(
        self,
        evaluator: GradientClient,
        shards: Shards,
        folder: Path,
        budget: Wei,
        chance: bytes = CHANCE,
        metric: str | None = None,
    ) -> None:
        """Keep content and scratch files below `folder`; each round has `budget` to pay, and draws its shard by `chance`.

        `metric` is the one of the app's that manifests state.
        """
        self._shards = shards
        self._publisher = Publisher(LayeredStore(DiskStore(folder / "store")))
        self._computer = RoundComputer(evaluator, self._publisher, folder / "scratch", metric=metric)
        self._budget, self._chance = budget, chance
        self.base: RoundBase
        self._drawn: list[Path] = []  # shards of the rounds so far

    @property
    def public(self) -> list[Path]:
        """The shards that every node trains on in the next round beside its own rows."""
        return take_newest(self._drawn)

    async def begin(self, model: Path) -> None:
        """Start from a model file."""
        cid = await self._publisher.put_copy(model)
        stored = self._publisher.path_of(cid)
        opened = await asyncio.to_thread(tensor_files.open_model, stored)
        self.base = RoundBase(None, cid, stored, opened, None)

    async def settle(self, number: RoundId, commits: Sequence[Committed]) -> Manifest:
        """Weigh, aggregate, score and pay a round; `base` is then what it led to."""
        records = [await self.keep(committed) for committed in commits]
        return (await self.play(self.build_inputs(number, records))).manifest

    async def keep(self, committed: Committed) -> CommitRecord:
        """Store a node's update, so that it takes no memory until the round is settled."""
        await self._publisher.put_for_good(committed.content)
        return committed.commit

    def build_inputs(
        self, number: RoundId, commits: Sequence[CommitRecord], passes: Sequence[PassRecord] = ()
    ) -> RoundInputs:
        """Return what a round follows from, with the shard that chance draws."""
        state = get_post_state(self.base.previous)
        seed = Digest(hashlib.sha256(self._chance + number.to_bytes(8, "big")).digest())
        index = draw_shard(seed, len(self._shards.paths), state.used_shards)
        return RoundInputs(
            domain=DOMAIN,
            task=TASK,
            round=number,
            opening=ZERO_DIGEST,
            rules=build_rules(self._budget, self.base.model.layout),
            state=state,
            base_model=self.base.cid,
            values=self.base.model.layout.values,
            seed=seed,
            shard=Shard(index, self._shards.cids[index], self._shards.proof(index)),
            commits=commits,
            passes=passes,
            absent={},
            forced=(),
        )

    async def play(self, inputs: RoundInputs) -> Settlement:
        """Settle a round from its inputs, of which the updates are kept here; `base` is then what it led to."""
        shard = self._shards.paths[inputs.shard.index]
        updates = {
            one.node: await asyncio.to_thread(self._open_update, one.reveal.cid, inputs.rules.codec)
            for one in inputs.commits
            if one.reveal is not None and one.failure is None
        }
        gate = await self._computer.gate(self.base, shard, inputs.rules.body_depth)
        job = RoundJob(inputs, self.base, updates, shard)
        settlement = await self._computer.settle(job, gate, announce=lambda _model, _step: None)
        await self._publisher.wait_settled(LIMIT)
        self.base = settlement.base
        self._drawn.append(shard)
        return settlement

    def _open_update(self, cid: Cid, codec: Codec) -> Update:
        return tensor_files.open_update(self._publisher.path_of(cid), self.base.model.layout, codec)


def build_rules(budget: Wei, layout: Layout) -> Rules:
    """Return a task's rules: all stake counts as it is; nothing here asks for the periods, bonds and contents."""
    return Rules(
        superlink=ZERO_ADDRESS,
        commit_period=0,
        reveal_period=0,
        result_period=0,
        challenge_period=0,
        resolve_period=0,
        quorum=1,
        shards=0,
        body_depth=compute_depth(layout.chunks),
        codec=CODEC,
        admitted_only=False,
        close_after=0,
        close_share=100,
        max_in_flight=64,
        min_stake=Wei(1),
        max_stake=Wei(2**128 - 1),
        round_budget=budget,
        superlink_bond=Wei(0),
        challenge_bond=Wei(0),
        app_hash=ZERO_DIGEST,
        base_model=ZERO_DIGEST,
        validation_root=ZERO_DIGEST,
        chunks=layout.chunks,
        scored_chunks=layout.scored_chunks,
        card=ZERO_DIGEST,
        base_model_root=ZERO_DIGEST,
    )


def load(path: Path) -> Model:
    """Read a model file; DecodeError when it is none."""
    return parse_model(path.read_bytes())
