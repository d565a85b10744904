"""What docs/operations.md says to do where keys, disks and Superlinks are lost, done by its commands."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dao.chain.contracts import Coordinator
from dao.chain.deploy import timelock_execute
from dao.chain.signer import Signer
from dao.core.formats.reasons import format_tokens
from dao.core.types import Address, Phase, RoundId, Wei, bytes_of, hex_of
from tests.faults.process import Process
from tests.faults.world import Superlink, Supernode, World, key, open_world, write_config
from tests.support import Member, Network

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]
BACKED_UP = ("operator.json", "password", "config.toml", "deployment.json", "tasks", "approvals.jsonl")


@asynccontextmanager
async def running(network: Network, folder: Path) -> AsyncIterator[World]:
    """A network of the test's own, that has played a round."""
    async with open_world(network, folder) as world:
        await world.start()
        try:
            await world.play()
            yield world
        finally:
            world.show()


async def run(world: World, *arguments: object) -> str:
    """Run a command to its end, which must be a good one; return its last line."""
    process = await Process.start("dao", arguments, environment_of(world))
    assert await process.ended() == 0, process.lines
    return process.lines[-1]


def environment_of(world: World) -> dict[str, str]:
    return {"HOME": str(world.folder), "COMMONWEIGHT_RUNTIME": str(world.folder / "locks")}


def lose(home: Path, *kept: str) -> None:
    """Have a disk lose all of a folder but what was backed up."""
    for path in home.iterdir():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path)
        elif path.name not in kept:
            path.unlink()


async def end_round(world: World, away: Supernode) -> RoundId:
    """Have the open round end without a node that is away; return its number."""
    (other,) = (node for node in world.nodes if node is not away)
    training = await other.desk.asked()
    training.begin()
    await world.superlink.said("committed", round=training.round)
    world.skip(world.rules.commit_period)
    await world.counted(RoundId(training.round), other)
    return RoundId(training.round)


def use_stores(superlink: Superlink, world: World, *folders: Path) -> None:
    """Write where a Superlink finds content that it lacks."""
    stores = ", ".join(f'"{folder}"' for folder in folders)
    lines = f'task = {world.task}\nlisten = "{world.address}"\nshards = "{world.folder / "shards"}"\nstores = [{stores}]'
    write_config(superlink.home, world.network, lines)


async def test_node__its_key_is_lost__its_owner_puts_another_in_its_place_and_is_paid_for_all(
    living_network: Network, tmp_path: Path
) -> None:
    async with running(living_network, tmp_path) as world:
        victim, home, owner = world.nodes[0], tmp_path / "new", tmp_path / "owner-0"
        place = ("--rpc", living_network.anvil.ws, "--deployment", world.superlink.home / "deployment.json")
        owned = ("--owner-keystore", owner / "operator.json", "--owner-password-file", owner / "password")
        await victim.kill()
        lose(victim.home, "data")

        await run(world, "node", "init", "--home", home, *place)
        who = hex_of(victim.member.owner.address)
        new, consent = (await run(world, "node", "consent", who, "--home", home)).split()
        rotated = await run(world, "owner", "rotate", new, consent, *owned, *place)
        assert rotated == f"task {world.task}: goes on with it"
        join = ("--data", victim.home / "data", "--superlink", world.address)
        approval = ("--approve", hex_of(world.rules.app_hash), "--approve", hex_of(world.rules.card))
        await run(world, "node", "join", world.task, *join, *approval, *owned, "--home", home, "--unchecked")

        missed = await end_round(world, victim)
        operator = Signer.load(home / "operator.json", home / "password")
        victim.home, victim.member = home, Member(victim.member.owner, operator)
        await victim.start()
        following = await world.play_after(missed)
        await world.reaches(following, Phase.FINALIZED)
        source = ("--superlink", world.address)
        paid = await run(world, "owner", "claim", world.task, *source, *owned, *place)
        first, last = await world.posted(RoundId(1)), await world.posted(following)
        earned = sum(
            row.reward_wei for row in (*first.nodes, *last.nodes) if row.owner == victim.member.owner.address
        )
        assert paid == f"task {world.task}: paid {format_tokens(Wei(earned))} tokens to the owner"


async def test_node__its_key_is_stolen__its_owner_revokes_it_and_another_key_takes_the_seat(
    living_network: Network, tmp_path: Path
) -> None:
    async with running(living_network, tmp_path) as world:
        victim, home, owner = world.nodes[0], tmp_path / "new", tmp_path / "owner-0"
        place = ("--rpc", living_network.anvil.ws, "--deployment", world.superlink.home / "deployment.json")
        owned = ("--owner-keystore", owner / "operator.json", "--owner-password-file", owner / "password")
        assert await run(world, "owner", "revoke", *owned, *place) == f"task {world.task}: left"
        await victim.kill()

        home.mkdir()
        for name in ("config.toml", "deployment.json", "approvals.jsonl"):
            shutil.copy(victim.home / name, home)
        shutil.copytree(victim.home / "tasks", home / "tasks")
        await run(world, "node", "init", "--home", home)
        who = hex_of(victim.member.owner.address)
        new, consent = (await run(world, "node", "consent", who, "--home", home)).split()
        rotated = await run(world, "owner", "rotate", new, consent, *owned, *place)
        assert rotated.startswith(f"operator {new}; ")
        assert await run(world, "owner", "join", world.task, *owned, *place) == f"joined task {world.task}"

        missed = await end_round(world, victim)
        operator = Signer.load(home / "operator.json", home / "password")
        victim.home, victim.member = home, Member(victim.member.owner, operator)
        await victim.start()
        await world.play_after(missed)


async def test_node__its_disk_is_lost__with_its_key_it_goes_on_after_the_open_round(
    living_network: Network, tmp_path: Path
) -> None:
    async with running(living_network, tmp_path) as world:
        victim = world.nodes[0]
        await victim.kill()
        lose(victim.home, *BACKED_UP, "data")
        missed = await end_round(world, victim)
        await victim.start()
        await world.play_after(missed)


async def test_superlink__its_disk_is_lost__goes_on_with_what_a_node_has_once_the_open_round_is_aborted(
    living_network: Network, tmp_path: Path
) -> None:
    async with running(living_network, tmp_path) as world:
        second, _ = await world.play()
        broken, (mine, _) = await world.begin(second)
        mine.begin()
        await world.superlink.said("committed", round=broken)
        await world.superlink.kill()
        lose(world.superlink.home, *BACKED_UP)

        world.skip(world.rules.commit_period)  # so that it takes no commits beside those that it forgot
        start = await world.superlink.start()
        assert await start.ended() == 1
        assert f"task {world.task}: goes on from round {second}: " in start.lines[-1]
        assert "such as the `content` of a node" in start.lines[-1]

        use_stores(world.superlink, world, world.nodes[0].home / "content")
        await world.superlink.start()
        await world.reaches(broken, Phase.ABORTED)
        await world.play_after(broken)


async def test_superlink__its_disk_is_lost__goes_on_from_a_copy_that_is_a_round_old(
    living_network: Network, tmp_path: Path
) -> None:
    async with running(living_network, tmp_path) as world:
        superlink, copy = world.superlink, tmp_path / "copy"
        assert await superlink.running.stop() == 0
        shutil.copytree(superlink.home, copy)
        await superlink.start()
        second = await world.play_after(RoundId(1))
        broken, (mine, _) = await world.begin(second)
        mine.begin()
        await superlink.said("committed", round=broken)
        await superlink.kill()
        shutil.rmtree(superlink.home)
        shutil.copytree(copy, superlink.home)

        world.skip(world.rules.commit_period)  # so that it takes no commits beside those that it forgot
        use_stores(superlink, world, world.nodes[0].home / "content")
        await superlink.start()
        await world.reaches(broken, Phase.ABORTED)
        following = await world.play_after(broken)
        await world.accounts(following)


async def test_superlink__its_key_is_lost__its_owner_and_the_dao_put_another_in_its_place(
    living_network: Network, tmp_path: Path
) -> None:
    async with running(living_network, tmp_path) as world:
        first, home, owner = world.superlink, tmp_path / "new", tmp_path / "owner-superlink"
        place = ("--rpc", living_network.anvil.ws, "--deployment", world.nodes[0].home / "deployment.json")
        owned = ("--owner-keystore", owner / "operator.json", "--owner-password-file", owner / "password")
        broken, _ = await world.begin(RoundId(1))
        await first.kill()
        lose(first.home, "store")

        await run(world, "superlink", "init", "--home", home, *place)
        who = hex_of(Signer.load(owner / "operator.json", owner / "password").address)
        new, consent = (await run(world, "superlink", "consent", who, "--home", home)).split()
        await run(world, "owner", "rotate", new, consent, *owned, *place)
        operator = bytes_of(new, 20, "operator")
        living_network.anvil.fund(Address(operator), Wei(10**20))
        call = Coordinator(world.chain).set_superlink(world.task, Address(operator))
        async with living_network.dao(world.chain) as dao:
            await timelock_execute(world.chain, dao, [call])

        rules = world.rules
        world.skip(rules.commit_period + rules.reveal_period + rules.result_period)
        world.superlink = Superlink("new", home, "superlink", tmp_path / "locks")
        use_stores(world.superlink, world, first.home / "store")
        await world.superlink.start()
        await world.reaches(broken, Phase.ABORTED)
        await world.play_after(broken)


async def test_successor__without_the_first_model__goes_on_from_the_newest(
    living_network: Network, tmp_path: Path
) -> None:
    async with running(living_network, tmp_path) as world:
        second, _ = await world.play()
        bond = world.rules.superlink_bond
        successor = await living_network.new_member(bond, await key(tmp_path / "successor"))
        living_network.anvil.fund(successor.operator.address, Wei(10**20))
        call = Coordinator(world.chain).set_superlink(world.task, successor.operator.address)
        async with living_network.dao(world.chain) as dao:
            await timelock_execute(world.chain, dao, [call])
        third = await world.play_after(second)
        await world.superlink.said("over")
        assert await world.superlink.running.stop() == 0

        content = tmp_path / "of-a-node"
        shutil.copytree(world.superlink.home / "store", content)
        (path,) = content.rglob(world.rules.base_model.hex())
        path.unlink()
        world.superlink = Superlink("successor", tmp_path / "successor", "superlink", tmp_path / "locks")
        use_stores(world.superlink, world, content)
        await world.superlink.start()
        await world.play_after(third)
