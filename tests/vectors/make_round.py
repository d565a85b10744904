"""Makes round.json: a whole round of seven nodes and one tiny model, with a parent that leaves a debt; and a round after it.

Of the nodes of the round one is clipped, one gated, one invalid, one withheld, one counts by a forced commit, one owes; another one passed.
"""

from collections.abc import Mapping
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from dao.chain.signer import Signer
from dao.core.commits import Reveal, compute_opening
from dao.core.constants import SHARDS_DEPTH
from dao.core.engine.merkle import Tree, compute_body_root
from dao.core.formats.cid import Cid
from dao.core.formats.gradient import encode_gradient_prefix, quantise_gradient
from dao.core.formats.json_form import get_form
from dao.core.formats.layout import (
    Layout,
    Model,
    compute_model_root,
    compute_model_size,
    parse_model,
    write_model,
)
from dao.core.formats.manifest import Absent, MeasuredMetric, Pass, Shard
from dao.core.formats.reasons import ABSENT, explain_pass
from dao.core.formats.signed_messages import compute_commit_digest, compute_pass_digest
from dao.core.formats.update import encode_update_prefix, encode_update_rows
from dao.core.round_machine import draw_shard
from dao.core.types import (
    ZERO_DIGEST,
    Address,
    BlockNumber,
    Codec,
    Digest,
    Domain,
    PassReason,
    RoundId,
    Rules,
    Signature,
    TaskId,
    Wei,
    hex_of,
)
from dao.store.cid import cid_of_bytes
from tests.vectors.dice import Dice
from tests.vectors.play_round import Json, StatedCommit, StatedRound, play

Floats = NDArray[np.float32]

# 512 scored values with their padding, two chunks, and one that is carried
LAYOUT = Layout.of({"bias": (3,), "mean": (4,), "weight": (5, 60)}, carried=("mean",))
TOKEN = 10**18
COORDINATOR = Address(b"\xc0" * 20)
SHARDS = [cid_of_bytes(f"shard {index}".encode()) for index in range(4)]
TREE = Tree([cid.digest for cid in SHARDS], SHARDS_DEPTH)
DEPTH = 2
HALF = LAYOUT.size // 2


class Maker:
    """Makes rounds of one task, each on the last one; collects the content that they name."""

    def __init__(self) -> None:
        self.dice = Dice("round")
        self.contents: dict[Cid, bytes] = {}
        self.parent: Json | None = None
        self.result_hash = hex_of(ZERO_DIGEST)
        first = bytes(write_file(self.draw_values(1.0)))
        self.model = self.put(first)
        self.rules = Rules(
            superlink=self.dice.address(),
            commit_period=60,
            reveal_period=60,
            result_period=60,
            challenge_period=600,
            resolve_period=600,
            quorum=1,
            shards=len(SHARDS),
            body_depth=DEPTH,
            codec=Codec.INT8,
            admitted_only=False,
            close_after=60,
            close_share=100,
            max_in_flight=64,
            min_stake=Wei(TOKEN),
            max_stake=Wei(3 * TOKEN),
            round_budget=Wei(10 * TOKEN),
            superlink_bond=Wei(TOKEN),
            challenge_bond=Wei(TOKEN),
            app_hash=self.dice.digest(),
            base_model=self.model.digest,
            validation_root=TREE.root,
            chunks=LAYOUT.chunks,
            scored_chunks=LAYOUT.scored_chunks,
            card=self.dice.digest(),
            base_model_root=compute_model_root(parse_model(first), DEPTH),
        )

    def draw_values(self, scale: float) -> Floats:
        """Draw values of a model, multiples of scale / 1024 within the scale."""
        numbers = [self.dice.between(-1024, 1024) / 1024 for _ in range(LAYOUT.size)]
        return (np.array(numbers) * scale).astype(np.float32)

    def put(self, content: bytes) -> Cid:
        """Keep content; return its CID."""
        cid = cid_of_bytes(content)
        self.contents[cid] = content
        return cid

    def put_gradient(self, values: Floats) -> Cid:
        rows = quantise_gradient(Model(LAYOUT, values))
        return self.put(encode_gradient_prefix(LAYOUT.scored_values) + rows.tobytes())

    def make(
        self,
        steps: Mapping[int, Floats | None],
        gate: Floats,
        reference: Floats,
        forced: int = 0,
        invalid: int = 0,
    ) -> Json:
        """Return the vector of a round in which each node's training took a step; None: it revealed nothing."""
        number = RoundId(self.parent["round"] + 1 if self.parent else 1)
        parent_result = bytes.fromhex(self.result_hash[2:])
        opening = compute_opening(Digest(parent_result), BlockNumber(100 * number))
        seed, used = self.dice.digest(), self.parent["used_shards"] if self.parent else []
        index = draw_shard(seed, len(SHARDS), used)
        commits = [
            self._commit(number, opening, node, step, forced=node == forced, is_valid=node != invalid)
            for node, step in steps.items()
        ]
        absent = Signer(sha256(b"node absent").digest()).address
        stated = StatedRound(
            chain_id=31337,
            coordinator=COORDINATOR,
            task=TaskId(1),
            round=number,
            opening=opening,
            rules=self.rules,
            seed=seed,
            shard=Shard(index, SHARDS[index], tuple(TREE.proof(index))),
            base_model=self.model,
            gate_gradient=self.put_gradient(gate),
            gradient=self.put_gradient(reference),
            loss_before=2_301_000,
            loss_after=2_250_000,
            metric=MeasuredMetric("accuracy", 912_500),
            commits=tuple(sorted(commits, key=lambda commit: commit.node)),
            passes=(self._pass(number, opening),),
            absent=(Absent(absent, Address(sha256(b"owner absent").digest()[:20]), ABSENT),),
        )
        before = [Cid.parse(self.parent["base_model"])] if self.parent else []
        named = [
            *before,
            self.model,
            stated.gate_gradient,
            stated.gradient,
            *(c.cid for c in commits if c.cid),
        ]
        vector: Json = {
            "inputs": get_form(StatedRound).write(stated),
            "parent": self.parent,
            "contents": {str(cid): hex_of(self.contents[cid]) for cid in named},
        }
        vector["outcome"] = play(vector)
        self.parent, self.result_hash = vector["outcome"]["manifest"], vector["outcome"]["result_hash"]
        self.model = self.put(bytes.fromhex(vector["outcome"]["model"][2:]))
        return vector

    def _commit(
        self,
        number: RoundId,
        opening: Digest,
        node: int,
        step: Floats | None,
        *,
        forced: bool,
        is_valid: bool,
    ) -> StatedCommit:
        signer = Signer(sha256(f"node {node}".encode()).digest())
        base = parse_model(self.contents[self.model])
        trained = base.flat + (self.draw_values(0.01) if step is None else step)
        rows = encode_update_rows(base, Model(LAYOUT, trained), Codec.INT8)
        if not is_valid:
            rows[1, -1] = 32  # an exponent above 31
        cid = self.put(encode_update_prefix(LAYOUT, Codec.INT8) + rows.tobytes())
        reveal = Reveal(cid, compute_body_root(rows, self.rules.body_depth), self.dice.digest())
        digest = compute_commit_digest(
            Domain(31337, COORDINATOR), TaskId(1), number, opening, signer.address, reveal.commitment
        )
        return StatedCommit(
            node=signer.address,
            owner=Address(sha256(f"owner {node}".encode()).digest()[:20]),
            stake=Wei(node * TOKEN),
            commitment=reveal.commitment,
            signature=Signature(signer.sign(digest)),
            forced=forced,
            cid=None if step is None else cid,
            body_root=None if step is None else reveal.body_root,
            salt=None if step is None else reveal.salt,
        )

    def _pass(self, number: RoundId, opening: Digest) -> Pass:
        signer = Signer(sha256(b"node passing").digest())
        digest = compute_pass_digest(Domain(31337, COORDINATOR), TaskId(1), number, opening, signer.address)
        owner = Address(sha256(b"owner passing").digest()[:20])
        return Pass(signer.address, owner, Signature(signer.sign(digest)), explain_pass(PassReason.NOT_READY))


def write_file(values: Floats) -> bytearray:
    """Write a model's file."""
    content = bytearray(compute_model_size(LAYOUT))
    write_model(LAYOUT, content).flat[:] = values
    return content


def make_round() -> Json:
    """Return the vector of the task's second round."""
    return make_rounds()[1]


def make_rounds() -> list[Json]:
    """Return the vectors of the task's first three rounds. In the last one few commit, one of them for the first time."""
    maker = Maker()
    direction = maker.draw_values(0.02)
    first, second = direction.copy(), direction.copy()
    first[HALF:], second[:HALF] = 0, 0
    rounds = [
        # the second node's step costs loss
        maker.make({1: first, 2: second}, gate=direction, reference=first - second)
    ]

    def near(size: float) -> Floats:
        return (size * direction + maker.draw_values(0.004)).astype(np.float32)

    steps: dict[int, Floats | None] = {
        1: near(1),
        2: near(1.1),
        3: near(4),
        4: -near(1),
        5: near(1),
        6: None,
        7: near(0.9),
    }
    rounds.append(maker.make(steps, gate=direction, reference=near(0.8), forced=7, invalid=5))
    few: dict[int, Floats | None] = {2: near(1), 4: near(2), 5: near(0.9), 8: near(1), 9: None}
    rounds.append(maker.make(few, gate=direction, reference=near(0.5), forced=9))
    return rounds
