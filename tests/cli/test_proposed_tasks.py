"""Tasks that members decide on: proposed from an app's folder or by a draft, changed, given more shards."""

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from dao.app.shards import read_shards
from dao.chain.deploy import TOKEN
from dao.content.tensor_files import compute_cid
from dao.core.formats.cid import Cid
from dao.core.types import hex_of
from dao.devnet.anvil import Anvil
from dao.store.disk import DiskStore
from tests.aggregator.assignment import SHARDS, Assignment, samples
from tests.cli.command import Dao
from tests.cli.town import Member, Town, open_town


@pytest.fixture(scope="module")
def town(dao: Dao, anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(dao, anvil, tmp_path_factory.mktemp("town")) as made:
        yield made


@pytest.mark.timeout(300)
def test_task__drafted_by_command__created_by_the_members(town: Town, tmp_path: Path) -> None:
    dao, member = town.dao, town.members[1]
    made, draft = Assignment.make(tmp_path / "content"), tmp_path / "draft.json"
    told = dao.json(
        *(
            "task",
            "create",
            "--app",
            made.app,
            "--model",
            made.base,
            "--shards",
            made.shards,
            "--content-folder",
            made.store,
        ),
        *(
            "--superlink-operator",
            member.address,
            "--fund-rounds",
            2,
            "--round-budget",
            "10",
            "--draft",
            draft,
        ),
    )
    assert told["draft"] == str(draft)
    dao.run("delegate", *town.paid, *member.key, "--yes")
    town.pass_time(1)
    proposed = dao.run(
        *("propose", "--file", draft, "--title", "Train it", *town.paid, *member.key, "--yes", "--json")
    )
    assert "Create a task with 20 tokens in escrow: budget per round 10 tokens" in proposed.stderr
    assert "WARNING" not in proposed.stderr
    town.carry(json.loads(proposed.stdout)["proposal"], member)
    [task] = dao.json("task", "ls", *town.paid)
    assert (task["task"], task["available_wei"]) == (1, str(20 * TOKEN))
    assert dao.json("task", "show", 1, *town.paid)["validation_root"] == told["validation_root"]
    town.caught_up()
    rules = ("--rule", "1:round-budget=12.5", "--rule", "1:commit_period=77", "--rule", "1:close-after=30")
    changes = (
        "budget per round from 10 to 12.5 tokens; time to commit from 1 hour to 77 seconds; "
        "least time to commit from 30 minutes to 30 seconds"
    )
    for way in (town.paid, town.free):
        said = dao.run(
            *("propose", "--title", f"More {way[0]}", *rules, *way, *member.key, "--yes", "--json")
        )
        assert changes in said.stderr
        assert "WARNING" not in said.stderr
        town.pass_time(1)
        words = dao.json("proposals", json.loads(said.stdout)["proposal"], *town.paid)["words"]
        assert len(words) == 1
        assert words[0].startswith("- Change the rules of task 1")
        assert changes in words[0]
    town.pass_time(11)
    last = json.loads(said.stdout)["proposal"]
    assert changes in dao.run("vote", last, "for", *town.paid, *member.key, "--yes").stderr
    again = dao.run("propose", "--title", "More --api", *rules, *town.paid, *member.key, "--yes", code=1)
    assert "this very proposal was made before and is active" in again.stderr
    check_appended(town, made, member)


@pytest.mark.timeout(300)
def test_task__proposed_from_its_folder__says_what_nodes_run_and_what_it_may_cost(
    town: Town, tmp_path: Path
) -> None:
    dao, member = town.dao, town.members[1]
    made = Assignment.make(tmp_path / "content")
    (made.app / "pyproject.toml").write_text('[tool.commonweight]\nshards = "data/shards"\n')
    dao.run("delegate", *town.paid, *member.key, "--yes")
    town.pass_time(1)
    command = (
        *("task", "propose", made.app, "--superlink-operator", member.address, "--model", made.base),
        *(
            "--content-folder",
            made.store,
            "--app-python",
            sys.executable,
            "--fund-rounds",
            2,
            "--round-budget",
            "10",
        ),
        *(
            "--name",
            "Cells",
            "--purpose",
            "Tells cells apart",
            "--metric",
            "accuracy",
            "--setting",
            "rate=0.5",
        ),
        *(*town.paid, *member.key, "--yes", "--json"),
    )
    assert "expected the folder of shards that pyproject.toml names" in dao.refused(*command)
    (made.app / "data").mkdir()
    shutil.copytree(made.shards, made.app / "data" / "shards")
    proposed = dao.run(*command)
    for said in (
        "Propose “Train Cells”:",
        "The task's purpose: Tells cells apart",
        "2 files, ",
        "a training took ",
        "its line must send ",
        "It moves 20 tokens of the treasury into escrow, for 2 rounds of at most 10 tokens each.",
        f"Its {SHARDS} shards are enough for as many rounds: {SHARDS}0 tokens at most",
        "Create a task with 20 tokens in escrow",
    ):
        assert said in proposed.stderr
    assert "WARNING" not in proposed.stderr
    fields = json.loads(proposed.stdout)
    told_by_api = town.told(town.free, fields["proposal"])
    assert told_by_api["title"] == "Train Cells"
    assert "It moves 20 tokens of the treasury into escrow" in told_by_api["description"]
    stored = DiskStore(made.store)
    for name in ("app", "card", "base_model"):
        assert asyncio.run(stored.has(Cid.parse(fields[name])))
    assert not any(asyncio.run(stored.has(compute_cid(shard))) for shard in made.shards.iterdir())
    again = dao.run(*command, code=1)
    assert "this very proposal was made before" in again.stderr


def check_appended(town: Town, made: Assignment, member: Member) -> None:
    """Shards behind a task's own are proposed, and counted once members agree; a folder without its own is refused."""
    append = ("--append-shards", f"1={made.shards}")
    act = ("propose", "--title", "More shards", *append, *town.paid, *member.key, "--yes", "--json")
    assert f"expected files behind the {SHARDS} of the task" in town.dao.refused(*act)
    for index in range(3):
        save_file(samples(5000 + index), made.shards / f"shard-{SHARDS + index:03}.safetensors")
    said = town.dao.run(*act)
    assert f"Give task 1 3 more validation shards, {SHARDS + 3} in all" in said.stderr
    assert "WARNING" not in said.stderr
    town.carry(json.loads(said.stdout)["proposal"], member)
    shown = town.dao.json("task", "show", 1, *town.paid)
    assert (shown["shards"], shown["validation_root"]) == (SHARDS + 3, hex_of(read_shards(made.shards).root))
    town.caught_up()
    first, second = sorted(made.shards.iterdir())[:2]
    first.rename(first.with_name("z-last.safetensors"))  # then another one is the first
    assert min(made.shards.iterdir()) == second
    assert "name the folder that it was proposed with" in town.dao.refused(*act)
