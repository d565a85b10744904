"""Members vote for other rules while daemons train: the open round keeps its own, the next one has the new; nobody restarts."""

import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from dao.app.gradient_client import GradientClient
from dao.audit import audit, exit_code
from dao.chain.contracts import Coordinator, Token
from dao.chain.deploy import TOKEN, Params, grant
from dao.chain.governance import Actions, Governor, ProposalState, Support
from dao.chain.handover import hand_over
from dao.chain.signer import Signer
from dao.core.formats.card import write_card
from dao.core.formats.reasons import explain_pass
from dao.core.types import PassReason, Phase, RoundId, Timestamp, Wei, hex_of
from dao.devnet.anvil import running_anvil
from dao.gov.actions import compute_proposal_id
from dao.store.disk import DiskStore
from node.commands import describe_app, fetch_app
from node.journal import Step
from node.settings import NodeSettings, write_task
from tests.faults.process import LIMIT
from tests.faults.test_lost import run
from tests.faults.world import APP, CARD, World, open_world
from tests.support import Network, deploy_network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]
PARAMS = Params(voting_delay=30, voting_period=600, late_extension=30)
DELAY = 60  # of the timelock
VOTES = Wei(1000 * TOKEN)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A chain of its own: a hand-over is for good, and the time that a vote takes would end others' rounds."""
    folder = tmp_path_factory.mktemp("governed")
    with running_anvil(folder / "anvil", block_time=1) as anvil:
        yield deploy_network(anvil, folder, PARAMS)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def governed(
    network: Network, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[World, Signer]]:
    """A running task and a member with the votes to decide; rounds leave time for it."""
    async with open_world(
        network, tmp_path_factory.mktemp("world"), commit_period=5000, reveal_period=5000
    ) as world:
        voter = Signer.ephemeral()
        async with network.dao(world.chain) as dao, network.sender(world.chain, voter) as sender:
            await grant(world.chain, dao, {voter.address: VOTES})
            await sender.send(Token(world.chain).delegate(voter.address))
            await hand_over(world.chain, dao, DELAY)
        await pass_until(world, world.chain.head().timestamp + 2)  # votes count from the next second on
        await world.start()
        yield world, voter
        world.show()


async def pass_until(world: World, time: int) -> None:
    """Have block time come to a second, and a block after it."""
    world.skip(max(1, time - world.chain.head().timestamp))
    await world.chain.reach(timestamp=Timestamp(time), limit=LIMIT)


async def decide(world: World, voter: Signer, actions: Actions) -> None:
    """A proposal's whole life, by one who has the votes."""
    chain, governor, text = world.chain, Governor(world.chain), "# Pay more a round"
    number = compute_proposal_id(actions, text)
    async with world.network.sender(chain, voter) as sender:
        made = await sender.send(governor.propose(actions, text))
        await pass_until(world, await governor.snapshot_of(number, made.block) + 1)
        await sender.send(governor.vote(number, Support.FOR))
        await pass_until(world, await governor.deadline_of(number, made.block) + 1)
        queued = await sender.send(governor.queue(actions, text))
        await pass_until(world, await governor.eta_of(number, queued.block))
        done = await sender.send(governor.execute(actions, text))
    assert await governor.state_of(number, done.block) is ProposalState.EXECUTED


async def outcomes(world: World, rounds: list[RoundId], cache: Path) -> list[int]:
    """What an auditor's process would exit with, for each round."""
    source = DiskStore(world.superlink.home / "store")
    evaluator = GradientClient(APP, Path(sys.executable), cache, limit=LIMIT, threads=1)
    codes = []
    try:
        for round_id in rounds:
            python = Path(sys.executable)
            checks = [
                check
                async for check in audit(world.chain, source, world.task, round_id, python, LIMIT, evaluator)
            ]
            print(*checks, sep="\n")  # noqa: T201
            codes.append(exit_code(checks))
    finally:
        await evaluator.stop()
    return codes


async def test_vote__rules_of_a_running_task__open_round_keeps_its_own_and_all_go_on(
    governed: tuple[World, Signer], tmp_path: Path
) -> None:
    world, voter = governed
    chain, coordinator, task = world.chain, Coordinator(world.chain), world.task
    started = [daemon.running.pid for daemon in (world.superlink, *world.nodes)]
    before, _ = await world.play()
    current, waiting = await world.begin(before)
    changed = replace(
        world.rules, round_budget=Wei(12 * TOKEN), commit_period=4000, challenge_period=5, quorum=2
    )
    await decide(world, voter, Actions.of([coordinator.change_rules(task, changed)]))
    assert (await world.round(current)).phase is Phase.OPEN
    at = chain.head().number
    assert await coordinator.rules_of(task, at) == changed
    assert await coordinator.rules_of_round(task, current, at) == world.rules

    for training in waiting:
        training.begin()
    assert (await world.counted(current, *world.nodes)).budget_wei == 10 * TOKEN
    following, waiting = await world.begin(current)
    for training in waiting:
        training.begin()
    assert (await world.counted(following, *world.nodes)).budget_wei == 12 * TOKEN
    assert await coordinator.rules_of_round(task, following, chain.head().number) == changed
    await world.accounts(following)
    for node in world.nodes:
        assert (await node.ends(following)).reward_wei != "0"
    assert [daemon.running.pid for daemon in (world.superlink, *world.nodes)] == started
    assert await outcomes(world, [before, current, following], tmp_path / "evaluator") == [0, 0, 0]


async def test_vote__another_card__waits_for_each_owner_but_him_who_follows_it(
    governed: tuple[World, Signer],
) -> None:
    """Settings change what an approved app does: a node passes until its owner has read them."""
    world, voter = governed
    coordinator, task, (careful, follower) = Coordinator(world.chain), world.task, world.nodes
    await follower.kill()
    settings = NodeSettings.load(follower.home)
    write_task(settings, task, settings.tasks()[task].model_copy(update={"follow_card": True}))
    await follower.start()
    current, waiting = await world.begin()
    card = write_card(replace(CARD, purpose="Finds means, and more", settings={"rate": 0.5}))
    digest = (await DiskStore(world.folder / "content").put_bytes(card)).digest
    rules = replace(await coordinator.rules_of(task, world.chain.head().number), card=digest, quorum=1)
    await decide(world, voter, Actions.of([coordinator.change_rules(task, rules)]))
    for training in waiting:
        training.begin()
    await world.counted(current, *world.nodes)  # by the card that the round opened with

    training = await follower.desk.asked()
    following = RoundId(training.round)
    await careful.steps(following, Step.PASSED)
    training.begin()
    manifest = await world.counted(following, follower)
    assert [row.reason for row in manifest.passes] == [explain_pass(PassReason.NOT_READY)]
    words = f"the card changed; read it and approve: dao node approve {task}"
    assert (await careful.ends(following)).reason == f"task {task}: {words}"
    (shown,) = (await careful.status()).tasks
    assert shown.approval == words
    assert not (await follower.status()).tasks[0].approval

    next_one = await follower.desk.asked()
    await careful.steps(next_one.round, Step.PASSED)
    before = fetch_app(NodeSettings.load(careful.home), task, NodeSettings.load(careful.home).tasks()[task])
    assert '+ "purpose": "Finds means, and more",' in list(describe_app(await before))
    await run(world, "node", "approve", task, hex_of(digest), "--home", careful.home)
    next_one.begin()
    await world.counted(RoundId(next_one.round), follower)
    await world.play_after(RoundId(next_one.round))
    assert not (await careful.status()).tasks[0].approval
