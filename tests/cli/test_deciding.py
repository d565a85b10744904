"""Members' commands on a real governed network: by transactions of their own, and by signatures that a real API relays."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from dao.api.settings import init
from dao.chain.deploy import TOKEN, Params, grant
from dao.chain.handover import find_faults, hand_over
from dao.chain.signer import Signer
from dao.core.types import Wei, hex_of
from dao.devnet.anvil import Anvil
from tests.aggregator.assignment import Assignment
from tests.cli.command import LIMIT, Dao
from tests.support import Network, deploy_network

PARAMS = Params(voting_delay=10, voting_period=100, late_extension=10)
DELAY = 5  # seconds of the timelock
NOBODY = ("--dev-account", 7)  # has ether alone
PASSWORD = "canary-of-the-member"
ETHER = Wei(10**18)


@dataclass(frozen=True)
class Member:
    """A member with 1,000 tokens, and the options that name its key."""

    address: str
    key: tuple[object, ...]


@dataclass(frozen=True)
class Town:
    """A governed network; `paid` and `free` are the options of the two ways to act."""

    dao: Dao
    network: Network
    members: list[Member]
    paid: tuple[object, ...]
    free: tuple[object, ...]

    def pass_time(self, seconds: int) -> None:
        self.network.anvil.request("evm_increaseTime", seconds)
        self.network.anvil.request("evm_mine")
        self.caught_up()

    def caught_up(self) -> None:
        """Wait until the API has what the chain has."""
        head, end = int(self.network.anvil.request("eth_blockNumber"), 16), time.monotonic() + LIMIT
        while (self._answer().get("as_of") or {"block": 0})["block"] < head:
            assert time.monotonic() < end
            time.sleep(0.05)

    async def faults(self) -> list[str]:
        """What keeps the network from being its members' alone."""
        async with self.network.chain() as chain:
            return [fault async for fault in find_faults(chain, chain.head())]

    def _answer(self) -> Any:
        return httpx.get(f"{self.free[1]}/api/v1/network", timeout=LIMIT).json()


@pytest.fixture(scope="module")
def town(dao: Dao, anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    network = deploy_network(anvil, folder / "network", PARAMS)
    password = folder / "password"
    password.touch(0o600)
    password.write_text(PASSWORD)
    signers = [Signer.create(folder / f"{name}.json", PASSWORD, work=4096) for name in ("one", "two")]

    async def prepare() -> None:
        async with network.chain() as chain, network.dao(chain) as sender:
            await grant(chain, sender, {signer.address: Wei(1000 * TOKEN) for signer in signers})
            await hand_over(chain, sender, DELAY)

    asyncio.run(prepare())
    file = folder / "deployment.json"
    network.deployment.save(file)
    relayer = init(folder / "api", anvil.ws, file, "127.0.0.1:0", work=4096)
    config = folder / "api" / "config.toml"
    rates = "reads_per_second = 1000\nwrites_per_second = 1000\n"
    config.write_text(config.read_text().replace("[api]\n", f"[api]\n{rates}"))
    anvil.fund(relayer, ETHER)
    anvil.fund(signers[1].address, ETHER)  # the first has none: it must do without
    members = [
        Member(hex_of(signer.address), ("--keystore", folder / f"{name}.json", "--password-file", password))
        for signer, name in zip(signers, ("one", "two"), strict=True)
    ]
    with dao.running("api", "start", "--home", folder / "api") as daemon:
        url = daemon.line().removeprefix("API at ")
        made = Town(dao, network, members, ("--rpc", anvil.ws, "--deployment", file), ("--api", url))
        made.caught_up()
        yield made


def told(town: Town, way: tuple[object, ...], number: str) -> Any:
    """A proposal as it is told by a way."""
    town.caught_up()
    return town.dao.json("proposals", number, *way)


@pytest.mark.timeout(300)
def test_decision__from_delegation_to_execution__by_either_way(town: Town, tmp_path: Path) -> None:
    dao, (poor, other) = town.dao, town.members
    did = dao.json("delegate", *town.free, *poor.key, "--yes")
    assert did["delegate"] == poor.address
    assert did["token_paid_by"] == town.free[1]
    did = dao.json("delegate", poor.address, "--of", "tokens", *town.paid, *other.key, "--yes")
    assert (did["delegate"], did["token_paid_by"]) == (poor.address, other.address)
    town.pass_time(1)

    file = tmp_path / "proposal.json"
    fields = {"to": other.address, "amount_wei": str(7 * TOKEN)}
    file.write_text(
        json.dumps(
            {
                "title": "Two things",
                "description": "Why not",
                "actions": [{"kind": "grant", "fields": fields}],
            }
        )
    )
    said = dao.run(
        *("propose", "--file", file, "--set", "voting-quorum=5", *town.free, *poor.key, "--yes", "--json")
    )
    assert "Pay 7 tokens of the treasury to" in said.stderr
    assert "quorum of 5 percent" in said.stderr
    number = json.loads(said.stdout)["proposal"]
    for way, member in ((town.free, poor), (town.paid, other)):
        key = (*way, *member.key, "--yes")
        assert "is pending; votes are cast from 20" in dao.refused("vote", number, "for", *key)
        for act in ("queue", "execute"):
            early = dao.run(act, number, *key, code=1).stderr
            assert "is pending; votes are cast from 20" in early
            assert "once it has succeeded it is queued" in early
    town.pass_time(11)
    by_chain = told(town, town.paid, number)
    assert (by_chain["state"], by_chain["title"]) == ("active", "Two things")
    assert by_chain["words"][0].startswith("- Pay 7 tokens")
    for way in (town.free, town.paid):
        none = dao.refused("vote", number, "for", *way, *NOBODY, "--yes")
        assert "had no votes when the voting began" in none
    done = dao.run(
        *("vote", number[:20], "for", "--reason", "it is due", *town.free, *poor.key, "--yes", "--json")
    )
    assert "Your vote counts 2,000 tokens, and is final." in done.stderr
    assert json.loads(done.stdout)["proposal"] == number
    town.caught_up()
    again = dao.refused("vote", number, "for", *town.free, *poor.key, "--yes")
    assert "has voted on this proposal" in again
    assert dao.run("proposals", "--state", "canceled", *town.free).stdout == "no proposal is canceled\n"
    by_chain, by_api = told(town, town.paid, number), told(town, town.free, number)
    assert int(by_api["for_wei"]) == 2000 * TOKEN
    assert by_api == {**by_chain, "proposer": by_api["proposer"]}
    assert by_api["proposer"].lower() == by_chain["proposer"] == poor.address
    town.pass_time(101)
    assert [row["id"] for row in dao.json("proposals", "--state", "succeeded", *town.paid)] == [number]
    assert dao.json("queue", number, *town.free, *poor.key, "--yes")["paid_by"] == town.free[1]
    town.caught_up()
    assert asyncio.run(town.faults()) == []  # what waits in the timelock was voted on
    for way, member in ((town.free, poor), (town.paid, other)):
        early = dao.run("execute", number, *way, *member.key, "--yes", code=1).stderr
        assert "is in the timelock until 20" in early
    town.pass_time(DELAY + 1)
    assert dao.json("execute", number[:9], *town.paid, *other.key, "--yes")["paid_by"] == other.address
    assert told(town, town.paid, number)["state"] == "executed"
    town.caught_up()
    for way, member in ((town.free, poor), (town.paid, other)):
        key = (*way, *member.key, "--yes")
        assert "was executed already" in dao.run("execute", number, *key, code=1).stderr
        assert "was executed already" in dao.run("queue", number, *key, code=1).stderr
        assert "was executed already" in dao.refused("vote", number, "for", *key)
    listed = dao.run("proposals", *town.free).stdout
    assert number[:12] in listed
    shown = dao.run("proposals", number, *town.paid).stdout
    assert "It would:" in shown
    assert "Why not" in shown


def test_cancel__before_voting_begins__by_its_proposer_alone(town: Town) -> None:
    dao, (poor, other) = town.dao, town.members
    dao.run("delegate", *town.paid, *other.key, "--yes")
    town.pass_time(1)
    grant = ("--grant", f"{poor.address}=1")
    mine, late = (
        dao.json("propose", "--title", title, *grant, *town.paid, *other.key, "--yes")["proposal"]
        for title in ("Too soon", "Too late")
    )
    assert (
        "only its proposer may"
        in dao.run("cancel", mine, *town.paid, "--dev-account", 5, "--yes", code=1).stderr
    )
    did = dao.run("cancel", mine, *town.paid, *other.key, "--yes")
    assert "Withdraw “Too soon”, which would:" in did.stderr
    assert told(town, town.free, mine)["state"] == "canceled"
    town.pass_time(11)
    again = dao.run("cancel", mine, *town.paid, *other.key, "--yes", code=1).stderr
    assert "the proposal was withdrawn already" in again
    assert (
        "before voting begins, and that was 20"
        in dao.run("cancel", late, *town.paid, *other.key, "--yes", code=1).stderr
    )


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
    number = json.loads(proposed.stdout)["proposal"]
    town.pass_time(11)
    dao.run("vote", number, "for", *town.paid, *member.key, "--yes")
    town.pass_time(101)
    dao.run("queue", number, *town.paid, *member.key, "--yes")
    town.pass_time(DELAY + 1)
    dao.run("execute", number, *town.paid, *member.key, "--yes")
    [task] = dao.json("task", "ls", *town.paid)
    assert (task["task"], task["available_wei"]) == (1, str(20 * TOKEN))
    assert dao.json("task", "show", 1, *town.paid)["validation_root"] == told["validation_root"]
    town.caught_up()
    rules = ("--rule", "1:round-budget=12.5", "--rule", "1:commit_period=77")
    changes = "budget per round from 10 to 12.5 tokens; time to commit from 1 hour to 77 seconds"
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


def test_acts__what_is_not_possible__one_line_and_nothing_is_sent(town: Town, tmp_path: Path) -> None:
    dao, (poor, other) = town.dao, town.members
    for way, member in ((town.free, poor), (town.paid, other)):
        key = (*way, *member.key)
        assert "there is none with this number" in dao.refused("vote", "123", "for", *key, "--yes")
        assert "there is none with this number" in dao.refused("queue", "x", *key, "--yes")
        assert "expected for, against or abstain" in dao.refused("vote", "1", "maybe", *key)
        assert "nothing to propose" in dao.refused("propose", "--title", "x", *key)
        assert "expected one line" in dao.refused("propose", "--grant", f"{other.address}=1", *key)
        assert "ADDRESS=TOKENS" in dao.refused("propose", "--title", "x", "--grant", "1", *key)
        mistyped = "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        for did in (("propose", "--title", "x", "--grant", f"{mistyped}=1"), ("delegate", mistyped)):
            assert "mistyped, its checksum is wrong" in dao.refused(*did, *key, "--yes")
        assert "given twice" in dao.refused(
            *("propose", "--title", "x", "--rule", "1:quorum=1", "--rule", "1:quorum=2", *key)
        )
        assert "after the task" in dao.refused("propose", "--title", "x", "--rule", "1:app_hash=1", *key)
        assert "expected one of voting-delay" in dao.refused("propose", "--title", "x", "--set", "y=1", *key)
    assert "nothing was signed: expected --yes" in dao.run("delegate", *town.free, *poor.key, code=1).stderr
    bad = tmp_path / "bad.json"
    for content, word in (
        ("{", "bad.json"),
        ("[1]", "actions[0]"),
        ('[{"kind": "grant", "fields": {"to": "0x1"}}]', "grant"),
        ('{"actions": [], "more": 1}', "nothing else"),
        ('[{"kind": "nonsense", "fields": {}}]', "expected one of"),
    ):
        bad.write_text(content)
        assert word in dao.refused("propose", "--title", "x", "--file", bad, *town.free, *poor.key)
    assert "does not answer" in dao.refused("proposals", "--api", "http://127.0.0.1:1")
    assert "expected an address" in dao.refused("proposals", "--api", "ftp://x/y")
    assert "expected one of pending" in dao.refused("proposals", "--state", "x", *town.free)


def test_acts__an_api_of_other_contracts__nothing_is_signed(town: Town, tmp_path: Path) -> None:
    told = json.loads(Path(str(town.paid[3])).read_text())
    told["governor"] = "0x" + "11" * 20
    (tmp_path / "other.json").write_text(json.dumps(told))
    key = (*town.members[0].key, "--deployment", tmp_path / "other.json")
    assert "serves other contracts" in town.dao.refused("delegate", *town.free, *key, "--yes")


def test_asked__ctrl_c_no_and_yes__ends_at_once_in_one_line_or_is_done(town: Town) -> None:
    question, key = "Sign this? [y/N]:", town.members[1].key
    for way in (town.free, town.paid):
        code, said = town.dao.asked("delegate", *way, *key, at=question, press=b"\x03")
        assert code == 130
        assert said.replace("^C", "").split("\r\n")[1:] == ["dao: stopped; nothing was signed", ""]
    code, said = town.dao.asked("delegate", *town.paid, *key, at=question, press=b"\n")
    assert (code, "Aborted" in said) == (1, True)
    code, said = town.dao.asked("delegate", *town.paid, *key, at=question, press=b"what\nYes\n")
    assert (code, said.count(question), "token_paid_by" in said) == (0, 1, True)
