"""Members' commands on a real governed network: by transactions of their own, and by signatures that a real API relays."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dao.chain.deploy import TOKEN
from dao.devnet.anvil import Anvil
from tests.cli.command import Dao
from tests.cli.town import DELAY, NOBODY, Town, open_town


@pytest.fixture(scope="module")
def town(dao: Dao, anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(dao, anvil, tmp_path_factory.mktemp("town")) as made:
        yield made


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
    by_chain = town.told(town.paid, number)
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
    by_chain, by_api = town.told(town.paid, number), town.told(town.free, number)
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
    assert town.told(town.paid, number)["state"] == "executed"
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
    assert town.told(town.free, mine)["state"] == "canceled"
    town.pass_time(11)
    again = dao.run("cancel", mine, *town.paid, *other.key, "--yes", code=1).stderr
    assert "the proposal was withdrawn already" in again
    assert (
        "before voting begins, and that was 20"
        in dao.run("cancel", late, *town.paid, *other.key, "--yes", code=1).stderr
    )


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
