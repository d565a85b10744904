"""The demonstration's rounds with real trainers: they learn, pay the good ones, and score as exact Shapley would."""

import asyncio
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dao.app.bundle import bundle, compute_app_digest
from dao.app.gradient_client import GradientClient
from dao.app.shards import read_shards
from dao.audit.replay import build_outcome
from dao.chain.signer import Signer
from dao.core.formats.gradient import decode_gradient
from dao.core.formats.layout import FLOAT, Model
from dao.core.formats.update import decode_update
from dao.core.score import compute_scores
from dao.core.types import Address, Codec, RoundId, Status, Wei
from dao.core.weigh import UpdateEntry
from dao.demo.images import APP, deal
from dao.demo.plan import Role, list_members
from dao.demo.simulation import Simulation, commit
from node.trainer import Trainer
from tests.scores.oracle import exact_shapley

ROUNDS = 5
STAKE = Wei(10**18)


def noise(base: Model, like: Model, round_: int) -> Model:
    """What a free rider sends: a random step as long as an honest one."""
    step = np.random.Generator(np.random.Philox(round_)).standard_normal(base.flat.size).astype(FLOAT)
    length = np.linalg.norm(like.flat - base.flat) / np.linalg.norm(step)
    return Model(base.layout, base.flat + FLOAT.type(length) * step)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_scores__five_rounds_of_the_demonstration__exact_shapley_but_for_what_is_cut_and_the_good_ones_earn(
    forked_apps: None, tmp_path: Path
) -> None:
    people = list_members(5)
    # an update of three digits alone bends the loss: its value along the line is further from Shapley's
    dealt = deal(people, tmp_path / "data", few_digits=10)
    shards = read_shards(dealt.shards)
    trainers = [
        Trainer.of(APP, data, tmp_path / f"{member.name}.log", threads=1)
        for member, data in zip(people, dealt.members, strict=True)
        if member.role is not Role.FREE_RIDER
    ]
    evaluator = GradientClient(APP, Path(sys.executable), tmp_path / "evaluator", limit=60, threads=1)
    settling = Simulation(evaluator, shards, tmp_path / "superlink", Wei(10**18))
    processes: list[Trainer | GradientClient] = [*trainers, evaluator]
    signers = [Signer.ephemeral() for _ in people]
    earned: Counter[Address] = Counter()
    scored, valued, exact, report = [], [], [], []
    try:
        await asyncio.gather(*(process.start() for process in processes))
        await trainers[0].create(tmp_path / "model")
        await settling.begin(tmp_path / "model")
        for number in range(1, ROUNDS + 1):
            base = settling.base
            models = []
            for index, trainer in enumerate(trainers):
                out = tmp_path / f"trained-{index}"
                await trainer.train(base.path, out, seed=100 * number + index, round=number, limit=60)
                models.append(Model(base.model.layout, np.fromfile(out, FLOAT)[-base.model.flat.size :]))
            models.append(noise(base.model, models[0], number))
            commits = [
                commit(signer, Address(bytes([index]) * 20), STAKE, RoundId(number), base.model, model)
                for index, (signer, model) in enumerate(zip(signers, models, strict=True))
            ]
            manifest = await settling.settle(RoundId(number), commits)

            rows = {row.node: row for row in manifest.nodes}
            told = [rows[signer.address] for signer in signers]
            scored.append([row.score / 10**6 for row in told])
            assert manifest.gradient is not None
            content = settling._publisher.path_of(manifest.gradient).read_bytes()
            gradient = decode_gradient(content, base.model.layout.values)
            entries = [
                UpdateEntry(c.commit.node, STAKE, decode_update(c.content, base.model.layout, Codec.INT8))
                for c in commits
            ]
            ordered = sorted(entries, key=lambda entry: entry.node)
            uncut = compute_scores(ordered, build_outcome(manifest).weighing, gradient, None, 17)
            values = {node.node: node.score / 10**6 for node in uncut.nodes}
            valued.append([values[signer.address] for signer in signers])
            weights, shard = [row.weight for row in told], shards.paths[manifest.shard.index]
            exact.append(
                await exact_shapley(
                    evaluator,
                    shard,
                    base.model,
                    entries,
                    weights,
                    manifest.weight_sum,
                    tmp_path / "coalition",
                )
            )
            earned.update({row.owner: row.reward_wei for row in told})
            measured = await trainers[0].measure(settling.base.path, dealt.test)
            report.append((round(measured["accuracy"], 3), [str(row.status) for row in told]))
            assert told[-1].status is Status.GATED
    finally:
        for process in processes:
            await process.stop()

    shares = [earned[Address(bytes([index]) * 20)] / sum(earned.values()) for index in range(5)]
    story = f"{shares} {report} {scored}"
    assert report[-1][0] >= 0.90, story
    assert min(shares[:2]) > max(shares[2:]), story
    assert shares[4] == 0, story

    # of all rounds together: in one that gained next to nothing, what is left is the rounding of large parts
    ours, theirs = np.array(valued).ravel(), np.array(exact).ravel()
    assert ours @ theirs >= 0.999 * np.linalg.norm(ours) * np.linalg.norm(theirs), (ours, theirs)
    # pay is by shares of a round: of a first step that takes the loss from 2.3 to 0.5, two nodes see nine tenths, of all alike
    scales = [sum(right) / sum(own) for own, right in zip(valued, exact, strict=True)]
    alike = np.array([scale * np.array(own) for scale, own in zip(scales, valued, strict=True)]).ravel()
    assert np.linalg.norm(alike - theirs) <= 0.05 * np.linalg.norm(theirs), (alike, theirs)
    # the first round has no last step, so that nothing is cut; later it only takes
    cut = np.array(scored)
    assert cut[0].tolist() == valued[0]
    assert (cut <= np.array(valued)).all(), (cut, valued)


def test_app__as_content__is_small() -> None:
    assert len(bundle(APP)) < 4000
    assert len(compute_app_digest(bundle(APP))) == 32
