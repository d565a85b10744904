"""Stake put in and taken out by commands: what is asked is checked before a key opens or a transaction is sent."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from dao.chain.signer import Signer
from dao.core.types import hex_of
from tests.cli.conftest import Devnet

PASSWORD = "canary"


@dataclass(frozen=True)
class Node:
    """A node's folder, and the options of its owner's commands; the owner has gas money and 10 tokens."""

    home: Path
    owner: str
    owned: tuple[object, ...]


@pytest.fixture
def node(devnet: Devnet, tmp_path: Path) -> Node:
    home, key, password = (tmp_path / name for name in ("home", "owner.json", "password"))
    password.touch(0o600)
    password.write_text(PASSWORD)
    owner = hex_of(Signer.create(key, PASSWORD, work=4096).address)
    init = ("node", "init", "--home", home, "--rpc", devnet.rpc)
    devnet.dao.run(*init, "--deployment", devnet.home / "deployment.json")
    devnet.dao.run("devnet", "fund", owner, "--home", devnet.home, "--tokens", 10)
    return Node(home, owner, ("--owner-keystore", key, "--owner-password-file", password, "--home", home))


@pytest.mark.parametrize("point", ["written", "sent"])
def test_staking__killed_around_a_broadcast_and_repeated__counted_once(
    devnet: Devnet, node: Node, point: str
) -> None:
    def repeat(call: str, verb: str, *arguments: object) -> str:
        devnet.dao.killed(f"{point}-{call}", "node", verb, *node.owned, *arguments)
        return devnet.dao.run("node", verb, *node.owned, *arguments).stdout

    assert repeat("register", "register", "--stake", 3).startswith("stake 3 tokens ")
    assert repeat("addStake", "register", "--stake", 5).startswith("stake 5 tokens ")
    assert repeat("unbond", "unbond", "--keep-stake", 3).startswith("unbonding until ")
    status = devnet.dao.json("node", "status", *node.owned[-2:])
    assert status["stake_wei"] == str(3 * 10**18)


def test_unbond__killed_before_it_was_sent_and_done_by_another_program__is_taken_out_once(
    devnet: Devnet, node: Node
) -> None:
    devnet.dao.run("node", "register", *node.owned, "--stake", 9)
    keep = ("--keep-stake", 6)
    devnet.dao.killed("written-unbond", "node", "unbond", *node.owned, *keep)
    network = ("--rpc", devnet.rpc, "--deployment", devnet.home / "deployment.json")
    devnet.dao.run("owner", "unbond", *node.owned[:4], *network, *keep)
    assert devnet.dao.run("node", "unbond", *node.owned, *keep).stdout.startswith("unbonding until ")
    status = devnet.dao.json("node", "status", *node.owned[-2:])
    assert (status["stake_wei"], status["unbonding_wei"]) == (str(6 * 10**18), str(3 * 10**18))


@pytest.mark.parametrize("stake", ["1 tokens", "0", "-5", "1e3", "much"])
@pytest.mark.parametrize(("role", "verb"), [("node", "register"), ("superlink", "register")])
def test_register__an_amount_that_is_none__one_line_before_a_key_is_opened(
    devnet: Devnet, tmp_path: Path, role: str, verb: str, stake: str
) -> None:
    given = ("--home", tmp_path, "--owner-keystore", tmp_path / "none.json", f"--stake={stake}")
    said = devnet.dao.refused(role, verb, *given)
    assert said == f"--stake: expected an amount of tokens above 0, such as 100 or 2.5, got '{stake}'"


def test_register__no_amount__the_least_once_and_then_how_much_more_is_asked(
    devnet: Devnet, node: Node
) -> None:
    said = devnet.dao.run("node", "register", *node.owned).stdout
    assert said == (
        f"stake 1 tokens behind this node, owner {node.owner}; the least that the network takes, as no --stake was"
        " given\n"
    )
    again = devnet.dao.refused("node", "register", *node.owned)
    assert again == (
        "--stake: not given, and 1 tokens are staked already; expected how many it shall be in all, such as --stake 100"
    )
    assert devnet.dao.run("node", "register", *node.owned, "--stake", 3).stdout.startswith("stake 3 tokens ")
    less = devnet.dao.refused("node", "register", *node.owned, "--stake", 2)
    assert less == (
        "--stake: 2 in all, and 3 tokens are staked already; expected at least as many, or take the rest out by unbond"
    )


def test_register__too_few_tokens__says_where_the_amount_is_from(devnet: Devnet, node: Node) -> None:
    said = devnet.dao.refused("node", "register", *node.owned, "--stake", 11)
    assert said == f"owner {node.owner}: has 10 tokens, expected 11 to stake; have some sent to it"
    devnet.dao.run("node", "register", *node.owned, "--stake", 4)
    said = devnet.dao.refused("node", "register", *node.owned, "--stake", 11)
    assert said == f"owner {node.owner}: has 6 tokens, expected 7 more to stake; have some sent to it"


def test_unbond__all_and_again__takes_out_nothing_more_and_says_from_when_on_it_is_had(
    devnet: Devnet, node: Node
) -> None:
    dao = devnet.dao
    devnet.dao.run("node", "register", *node.owned, "--stake", 3)
    until = dao.run("node", "unbond", *node.owned).stdout
    form = r"unbonding until block time \d+, (2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d UTC); then: dao node withdraw\n"
    found = re.fullmatch(form, until)
    assert found is not None, until
    assert dao.run("node", "unbond", *node.owned).stdout == until
    more = dao.refused("node", "unbond", *node.owned, "--keep-stake", 1)
    assert more.endswith("0 tokens are staked behind it, expected more than the 1 to keep")


def test_unbond__of_a_superlink__nothing_staked_or_anothers_stake__one_line_without_an_errors_name(
    devnet: Devnet, node: Node
) -> None:
    dao, home = devnet.dao, ("--home", node.home)
    none = dao.refused("superlink", "unbond", *home, "--dev-account", 3)
    assert re.fullmatch("operator 0x[0-9a-f]{40}: 0 tokens are staked behind it, nothing to take out", none)
    dao.run("node", "register", *node.owned, "--stake", 2)
    anothers = dao.refused("superlink", "unbond", *home, "--dev-account", 3)
    assert f"belongs to owner {node.owner}, given was the key of 0x" in anothers
    assert "dao superlink withdraw" in dao.run("superlink", "unbond", *node.owned, "--keep-stake", 1).stdout
