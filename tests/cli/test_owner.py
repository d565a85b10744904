"""What an owner does with its key alone: no file of an operator's lies on the machine that these commands run on."""

import asyncio
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from dao.chain.client import Chain
from dao.chain.deploy import TOKEN, create_task
from dao.chain.deployment import Deployment
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.types import TaskId, Wei, hex_of
from dao.devnet.anvil import dev_signer
from tests.cli.conftest import Devnet
from tests.support import RULES

PASSWORD = "canary"
MISSING = "0x" + "77" * 20


@dataclass(frozen=True)
class Owned:
    """A Supernode in a task, whose operator's folder lies elsewhere, and the options of its owner's commands."""

    devnet: Devnet
    task: TaskId
    owner: str
    operator: str
    options: tuple[object, ...]
    folder: Path

    def run(self, verb: str, *arguments: object) -> str:
        return self.devnet.dao.run("owner", verb, *arguments, *self.options).stdout

    def refused(self, verb: str, *arguments: object) -> str:
        return self.devnet.dao.refused("owner", verb, *arguments, *self.options)

    def listed(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = self.devnet.dao.json("owner", "ls", self.owner, *self.devnet.network)
        return rows

    def new_operator(self) -> list[str]:
        """Make another machine's folder; its operator's address and consent."""
        home = self.folder / "new"
        init(self.devnet, home)
        return self.devnet.dao.run("node", "consent", self.owner, "--home", home).stdout.split()


def init(devnet: Devnet, home: Path) -> None:
    made = ("--rpc", devnet.rpc, "--deployment", devnet.home / "deployment.json")
    devnet.dao.run("node", "init", "--home", home, *made)


@pytest.fixture(scope="module")
def task(devnet: Devnet, tmp_path_factory: pytest.TempPathFactory) -> TaskId:
    async def create() -> TaskId:
        deployment = Deployment.load(devnet.home / "deployment.json")
        file = tmp_path_factory.mktemp("dao") / "outbox.db"
        async with (
            await Chain.connect(devnet.rpc, deployment) as chain,
            Sender(chain, dev_signer(0), file) as dao,
        ):
            return await create_task(chain, dao, RULES, Wei(100 * TOKEN))

    return asyncio.run(create())


@pytest.fixture
def owned(devnet: Devnet, task: TaskId, tmp_path: Path) -> Owned:
    home, key, password = (tmp_path / name for name in ("home", "owner.json", "password"))
    password.touch(0o600)
    password.write_text(PASSWORD)
    owner = hex_of(Signer.create(key, PASSWORD, work=4096).address)
    init(devnet, home)
    devnet.dao.run("devnet", "fund", owner, "--home", devnet.home, "--tokens", 10)
    account = ("--owner-keystore", key, "--owner-password-file", password)
    devnet.dao.run("node", "register", *account, "--home", home, "--stake", 3)
    operator = devnet.dao.json("node", "status", "--home", home)["operator"]
    made = Owned(devnet, task, owner, operator, (*account, *devnet.network), tmp_path)
    assert made.run("join", task) == f"joined task {task}\n"
    shutil.move(home, tmp_path / "elsewhere")
    return made


def test_leave_unbond_withdraw__with_the_owners_key_alone__all_stake_is_on_its_way(owned: Owned) -> None:
    assert owned.listed() == [
        {
            "operator": owned.operator,
            "revoked": False,
            "stake": "3",
            "unbonding": "0",
            "tasks": str(owned.task),
        }
    ]
    assert owned.run("leave", owned.task) == f"left task {owned.task}\n"
    again = owned.refused("leave", owned.task)
    assert again == f"task {owned.task}: no Supernode of owner {owned.owner} takes part"
    until = owned.run("unbond", "--keep-stake", 1)
    assert re.fullmatch(r"unbonding until block time \d+, .* UTC; then: dao owner withdraw\n", until)
    assert "locked until block time" in owned.refused("withdraw")
    (row,) = owned.listed()
    assert (row["stake"], row["unbonding"], row["tasks"]) == ("1", "2", "")


def test_rotate__with_the_owners_key_alone__the_new_operator_has_stake_and_seat(owned: Owned) -> None:
    operator, consent = owned.new_operator()
    said = owned.run("rotate", operator, consent).splitlines()
    assert said == [
        f"operator {operator}; {owned.operator} signs nothing for rounds that open from now on",
        f"task {owned.task}: goes on with it",
    ]
    (row,) = owned.listed()
    assert (row["operator"], row["stake"], row["tasks"]) == (operator, "3", str(owned.task))
    status = owned.devnet.dao.json("node", "status", "--home", owned.folder / "elsewhere")
    assert (status["owner"], status["stake_wei"]) == (owned.owner, "0")
    # again: nothing is left to do
    assert len(owned.run("rotate", operator, consent).splitlines()) == 1
    # the old name still names the Supernode
    assert "unbonding until" in owned.run("unbond", "--operator", owned.operator)


def test_rotate__anothers_consent__one_line(owned: Owned) -> None:
    operator, consent = owned.new_operator()
    wrong = owned.refused("rotate", MISSING, consent)
    assert "the operator's consent is signed by" in wrong
    short = owned.refused("rotate", operator, "0x12")
    assert short == "CONSENT: expected 0x and 130 hex digits, got '0x12'"
    assert owned.listed()[0]["operator"] == owned.operator


def test_revoke__with_the_owners_key_alone__the_stake_stays_and_its_tasks_are_left(owned: Owned) -> None:
    assert owned.run("revoke").splitlines() == [
        f"operator {owned.operator} revoked: it signs nothing for rounds that open from now on",
        f"task {owned.task}: left",
    ]
    (row,) = owned.listed()
    assert (row["revoked"], row["stake"], row["tasks"]) == (True, "3", "")
    assert "is revoked already; rotate to a new operator, or unbond" in owned.refused("revoke")
    assert "the stake is 0 tokens" in owned.refused("join", owned.task)

    operator, consent = owned.new_operator()
    owned.run("rotate", operator, consent)
    assert owned.run("join", owned.task) == f"joined task {owned.task}\n"


def test_owner__nothing_registered_or_anothers_operator__one_line(owned: Owned) -> None:
    dao, network = owned.devnet.dao, owned.devnet.network
    stranger = hex_of(dev_signer(4).address)
    assert dao.run("owner", "ls", stranger, *network).stdout == f"owner {stranger}: no Supernode yet\n"
    nobody = dao.refused("owner", "unbond", "--dev-account", 4, *network)
    assert nobody == f"owner {stranger}: has no Supernode in this network"
    others = dao.refused("owner", "revoke", "--dev-account", 4, "--operator", owned.operator, *network)
    assert others == f"operator {owned.operator}: serves no Supernode of owner {stranger}"


def test_owner__several_supernodes__one_is_named(owned: Owned, tmp_path: Path) -> None:
    home = tmp_path / "second"
    init(owned.devnet, home)
    owned.devnet.dao.run("node", "register", *owned.options[:4], "--home", home, "--stake", 2)
    assert len(owned.listed()) == 2
    asked = owned.refused("unbond")
    assert asked.startswith("--operator: this owner has several Supernodes, expected one of 0x")
    assert owned.operator in asked
    assert "unbonding until" in owned.run("unbond", "--operator", owned.operator)


@pytest.mark.parametrize("point", ["written-join", "sent-join"])
def test_join__killed_around_its_broadcast_and_repeated__joined_and_its_settings_are_written(
    owned: Owned, point: str
) -> None:
    home = owned.folder / "elsewhere"
    owned.run("leave", owned.task)
    join = ("join", owned.task, "--data", home, "--superlink", "127.0.0.1:9", "--home", home, "--unchecked")
    owned.devnet.dao.killed(point, "node", *join, *owned.options[:4])
    said = owned.devnet.dao.run("node", *join, *owned.options[:4]).stdout
    assert said.startswith(f"joined task {owned.task}; start the node")
    assert (home / "tasks" / f"{owned.task}.toml").exists()
    # the owner's own command says so, too, where the task is joined already
    assert owned.run("join", owned.task) == f"joined task {owned.task}\n"


def test_claim__no_source_of_content__one_line(owned: Owned) -> None:
    said = owned.refused("claim")
    assert said == "content: from where? Name --superlink, --store, --ipfs or --gateway"


def test_claim__nothing_final_yet__says_so(owned: Owned) -> None:
    said = owned.run("claim", "--gateway", "http://127.0.0.1:9")
    assert said == f"task {owned.task}: nothing to claim\n"
