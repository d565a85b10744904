"""Five rounds of the MNIST app with real trainers and the real arithmetic, without chain, wire and content."""

import asyncio
import hashlib
import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dao.app import app_digest, bundle
from dao.core.aggregate import aggregate
from dao.core.gradient import Gradient, quantise
from dao.core.layout import FLOAT, Model, depth_for, model_size, parse_model
from dao.core.payout import pay
from dao.core.rounds import draw_shard
from dao.core.score import scores
from dao.core.types import Address, Codec, Digest, Wei
from dao.core.update import Update, encode_body
from dao.core.weigh import Entry, weigh
from dao.demo.images import deal
from dao.demo.plan import Role, members
from dao.evaluator import Evaluator
from node.trainer import Trainer

APP = Path(__file__).parents[2] / "apps" / "mnist"
ROUNDS = 5


def parsed(path: Path) -> Model:
    return parse_model(path.read_bytes())


def gradient_of(path: Path, base: Model) -> Gradient:
    return Gradient(quantise(Model(base.layout, np.fromfile(path, FLOAT))))


def noise(base: Model, like: Model, round_: int) -> Model:
    """What a free rider sends: a random step as long as an honest one."""
    step = np.random.Generator(np.random.Philox(round_)).standard_normal(base.flat.size).astype(FLOAT)
    length = np.linalg.norm(like.flat - base.flat) / np.linalg.norm(step)
    return Model(base.layout, base.flat + FLOAT.type(length) * step)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_mnist__five_unequal_nodes_five_rounds__learns_and_pays_the_good_ones(tmp_path):
    people = members(5)
    dealt = deal(people, tmp_path / "data")
    shards = sorted(dealt.shards.iterdir())
    trainers = [
        Trainer.of(APP, data, tmp_path / f"{member.name}.log", threads=1)
        for member, data in zip(people, dealt.members, strict=True)
        if member.role is not Role.FREE_RIDER
    ]
    evaluator = Evaluator(APP, Path(sys.executable), tmp_path / "evaluator", limit=60, threads=1)
    nodes = [Address(bytes([index + 1]) * 20) for index in range(len(people))]
    earned: Counter[Address] = Counter()
    memories, debts, used, report = {}, {}, [], []
    base_path, model_path = tmp_path / "base", tmp_path / "model"
    try:
        await asyncio.gather(*(process.start() for process in (*trainers, evaluator)))
        await trainers[0].create(base_path)
        for round_ in range(1, ROUNDS + 1):
            started = time.monotonic()
            base = parsed(base_path)
            models = []
            for index, trainer in enumerate(trainers):
                out = tmp_path / f"trained-{index}"
                await trainer.train(base_path, out, seed=100 * round_ + index, round=round_, limit=60)
                models.append(parsed(out))
            models.append(noise(base, models[0], round_))
            trained = time.monotonic() - started
            entries = [
                Entry(node, 1, Update(base.layout, Codec.INT8, encode_body(base, model, Codec.INT8)))
                for node, model in zip(nodes, models, strict=True)
            ]
            # the chain's draw differs from run to run: so does this one
            index = draw_shard(Digest(hashlib.sha256(os.urandom(32)).digest()), len(shards), used)
            used.append(index)
            shard = shards[index]
            gate = gradient_of((await evaluator.gate_gradient(base_path, shard)).path, base)
            weighing = weigh(entries, gate, memories)
            memories = {node.node: node.memory for node in weighing.nodes}
            out = bytearray(model_size(base.layout))
            aggregate(
                entries, weighing.weights, weighing.weight_sum, base, out, depth_for(base.layout.chunks)
            )
            model_path.write_bytes(out)
            reference = await evaluator.reference_gradient(base_path, model_path, shard)
            points = scores(entries, weighing.weights, weighing.weight_sum, gradient_of(reference.path, base))
            paid = pay(Wei(10**18), dict(zip(nodes, points, strict=True)), debts)
            debts = {owner: money.debt for owner, money in paid.owners.items()}
            earned.update({owner: money.reward for owner, money in paid.owners.items()})
            base_path.write_bytes(out)
            accuracy = (await trainers[0].measure(base_path, dealt.test))["accuracy"]
            statuses = [str(node.status) for node in weighing.nodes]
            report.append((round_, round(accuracy, 3), statuses, list(points), round(trained, 2)))
            assert statuses[-1] == "gated"
    finally:
        for process in (*trainers, evaluator):
            await process.stop()
    total = sum(earned.values())
    shares = [round(earned[node] / total, 3) for node in nodes]
    told = f"{shares} {report}"
    assert report[-1][1] >= 0.90, told
    assert min(shares[:2]) > max(shares[2:]), told
    assert shares[4] == 0, told


def test_app__as_content__is_small(tmp_path):
    assert len(bundle(APP)) < 4000
    assert len(app_digest(bundle(APP))) == 32
