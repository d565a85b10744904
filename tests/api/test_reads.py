"""What the routes over the index answer: as the chain and the manifests have it, in the shapes of the description."""

import asyncio
from contextlib import ExitStack
from typing import Any

import pytest

from dao.chain.contracts import Distributor, Token
from dao.chain.deploy import TOKEN
from dao.core.types import Wei, hex_of
from dao.devnet.anvil import Anvil
from dao.gov import drafts
from dao.gov.actions import CreateTask
from tests.api.stage import LIMIT, PARAMS, Member, caught_up, member
from tests.api.trained import SCRIPT, Trained, train
from tests.postgres import postgres


@pytest.fixture(scope="module")
def trained(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(anvil, tmp_path_factory.mktemp("trained"))


async def manifests_read(who: Member, task: int) -> None:
    """Wait until the newest manifest can be read."""
    async with asyncio.timeout(LIMIT):
        while (await who.get(f"/tasks/{task}/rounds/2"))["manifest_cid"] is None:  # noqa: ASYNC110  (of another side)
            await asyncio.sleep(0.05)


async def test_training__two_rounds__tasks_rounds_nodes_and_supernodes(trained: Trained) -> None:
    stage, task = trained.stage, trained.task
    async with stage.open() as running, member(running, stage.members[0]) as who:
        await manifests_read(who, task)
        [listed] = (await who.get("/tasks"))["items"]
        one = await who.get(f"/tasks/{task}")
        assert {name: one[name] for name in listed} == listed
        assert (one["task"], one["last_round"], one["head_round"], one["finalized_round"]) == (task, 2, 2, 1)
        assert one["as_of"]["stale"] is False
        assert one["rules"]["round_budget_wei"] == str(10 * TOKEN)
        second, first = (await who.get(f"/tasks/{task}/rounds"))["items"]
        assert (first["phase"], second["phase"]) == ("finalized", "posted")
        assert first["loss_change_micro"] == -100_000
        assert second["deadlines"]["challenge"] == second["posted_at"] + 600
        round_ = await who.get(f"/tasks/{task}/rounds/2")
        assert {name: round_[name] for name in second} == second
        said = {hex_of(node.node): node for node in trained.manifests[1].nodes}
        assert {node["operator"].lower() for node in round_["nodes"]} == set(said)
        for node in round_["nodes"]:
            expected = said[node["operator"].lower()]
            assert (node["status"], node["score_micro"], node["reward_wei"], node["reason"]) == (
                *(expected.status, expected.score, str(expected.reward_wei), expected.reason),
            )
        assert SCRIPT in {node["reason"] for node in round_["nodes"]}
        nodes = await who.get(f"/tasks/{task}/rounds/2/nodes?limit=1")
        assert nodes["items"] == round_["nodes"][:1]
        rest = await who.get(f"/tasks/{task}/rounds/2/nodes?limit=1&cursor={nodes['next']}")
        assert (rest["items"], rest["next"]) == (round_["nodes"][1:], None)
        supernodes = (await who.get(f"/tasks/{task}/supernodes"))["items"]
        assert [node["last"]["round"] for node in supernodes] == [2, 2]
        operator = supernodes[0]["operator"]
        history = (await who.get(f"/tasks/{task}/supernodes/{operator}/history"))["items"]
        assert [row["round"] for row in history] == [2, 1]
        assert supernodes[0]["last"] == history[0]
        supernode = await who.get(f"/supernodes/{operator.lower()}")
        assert supernode["tasks"] == supernodes[:1]
        owner = await who.get(f"/accounts/{supernode['owner']}")
        assert owner["supernodes"] == [
            {"operator": operator, "stake_wei": supernode["stake_wei"], "unbonding_wei": "0"}
        ]
        kinds = [event["kind"] for event in (await who.get(f"/activity?topic=round&task={task}"))["items"]]
        assert kinds[-3:] == ["ResultPosted", "CommitsClosed", "RoundOpened"]


async def test_claim__of_a_final_round__the_transaction_pays_the_owner(trained: Trained) -> None:
    stage, task = trained.stage, trained.task
    owner = trained.supernodes[0].owner
    async with stage.open() as running, member(running, owner) as who, stage.network.chain() as chain:
        await manifests_read(who, task)
        before = await Token(chain).balance_of(owner.address, chain.head())
        ready = await who.post("/prepare/claim", {"account": who.address, "task": task})
        assert "7.5 tokens" in ready["words"][0]
        assert ready["typed_data"] == []
        sent = ready["transaction"]
        assert sent["to"].lower() == hex_of(Distributor(chain).address)
        stage.network.anvil.request("anvil_impersonateAccount", who.address)
        call = {"from": who.address, "to": sent["to"], "data": sent["data"]}
        await chain.request("eth_sendTransaction", call)
        await chain.changed(LIMIT)
        assert await Token(chain).balance_of(owner.address, chain.head()) == before + 15 * TOKEN // 2
        await caught_up(stage, running)
        again = await who.post("/prepare/claim", {"account": who.address, "task": task}, 409)
        assert again["type"] == "nothing-to-claim"
        other = {"account": who.address, "task": task, "owner": hex_of(trained.supernodes[1].owner.address)}
        assert "0x" in (await who.post("/prepare/claim", other))["words"][0]
        await who.post("/prepare/claim", {"account": who.address, "task": 99}, 404)
        stranger = {"account": hex_of(stage.members[0].address), "task": task}
        assert (await who.post("/prepare/claim", stranger, 409))["type"] == "nothing-to-claim"


async def test_decision__a_script_in_its_texts__is_text_in_json(trained: Trained) -> None:
    stage = trained.stage
    async with stage.open() as running, member(running, stage.members[0]) as who:
        await who.sign_in()
        await who.delegate()
        stage.pass_time(1)
        await caught_up(stage, running)
        draft = {
            "title": SCRIPT.replace("\u2028", " "),
            "description": SCRIPT,
            "actions": [{"kind": "grant", "fields": {"to": who.address, "amount_wei": "5"}}],
        }
        ready = await who.post("/prepare/propose", {**draft, "account": who.address})
        body = {
            **ready["proposal"],
            "proposer": who.address,
            "signature": who.sign(ready["typed_data"][0]),
        }
        number = ready["proposal_id"]
        await who.mined(await who.post("/relay/propose", body, 202))
        await caught_up(stage, running)
        [listed] = (await who.get("/proposals?state=pending"))["items"]
        assert listed["id"] == number
        voter = await who.get(f"/proposals/{number}/voters/{who.address}")
        assert (voter["weight_wei"], voter["vote"]) == (str(1000 * TOKEN), None)
        stage.pass_time(PARAMS.voting_delay + 1)
        await caught_up(stage, running)
        await who.vote(number, 0, SCRIPT)
        await caught_up(stage, running)
        answer = await who.http.get(f"/api/v1/proposals/{number}")
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "script-src" not in answer.headers["content-security-policy"]  # default-src 'self' alone
        one = answer.json()
        assert one["description"] == f"# {draft['title']}\n\n{SCRIPT}"
        assert one["title"] == draft["title"]
        assert (one["state"], one["against_wei"], one["for_wei"]) == ("active", str(1000 * TOKEN), "0")
        [action] = one["actions"]
        assert (action["kind"], action["fields"]["amount_wei"]) == ("grant", "5")
        assert action["calldata"].startswith("0xa9059cbb")
        [vote] = (await who.get(f"/proposals/{number}/votes"))["items"]
        assert (vote["reason"], vote["support"]) == (SCRIPT, 0)
        assert (await who.get(f"/proposals/{number}/voters/{who.address}"))["vote"] == vote
        [own] = (await who.get(f"/accounts/{who.address}"))["vote_history"]
        assert (own["title"], own["reason"], own["proposal"]) == (one["title"], SCRIPT, number)
        assert (await who.get("/delegates"))["items"][0]["address"].lower() == who.address
        treasury = await who.get("/treasury")
        assert treasury["grants"] == (await who.get("/treasury/payments?limit=20"))["items"]
        assert [item["task"] for item in treasury["escrow"]] == [trained.task]


async def test_lists__page_by_page__each_item_once(trained: Trained) -> None:
    stage = trained.stage
    async with stage.open() as running, member(running, stage.members[0]) as who:
        for path in ("/treasury/payments", "/activity", f"/tasks/{trained.task}/rounds", "/delegates"):
            whole = (await who.get(f"{path}?limit=200"))["items"]
            found: list[Any] = []
            cursor = ""
            while len(found) <= len(whole):
                page = await who.get(f"{path}?limit=2{cursor}")
                found += page["items"]
                if page["next"] is None:
                    break
                cursor = f"&cursor={page['next']}"
            assert found == whole


async def test_rules__of_a_task__named_as_in_actions(trained: Trained) -> None:
    stage = trained.stage
    async with stage.open() as running, member(running, stage.members[0]) as who:
        rules = (await who.get(f"/tasks/{trained.task}"))["rules"]
        action = drafts.read("create_task", {"rules": {**rules}, "funds_wei": "7"})
        assert isinstance(action, CreateTask)
        assert action.funds == Wei(7)
        assert set(rules) == set(drafts.show_fields(action)["rules"])


async def test_reads__of_what_is_not_there__404_or_nothing(trained: Trained) -> None:
    stage, nobody = trained.stage, "0x" + "99" * 20
    async with stage.open() as running, member(running, stage.members[0]) as who:
        for path in (
            *(
                "/tasks/77",
                "/tasks/77/rounds",
                "/tasks/77/supernodes",
                f"/tasks/77/supernodes/{nobody}/history",
            ),
            *(f"/tasks/{trained.task}/rounds/9", f"/tasks/{trained.task}/rounds/9/nodes"),
            *(f"/supernodes/{nobody}", "/proposals/5", "/proposals/5/votes", f"/proposals/5/voters/{nobody}"),
        ):
            assert (await who.get(path, 404))["type"] == "not-found"
        for path in ("/tasks?cursor=1-2-3", "/delegates?cursor=ab", "/tasks?cursor=g", "/tasks?limit=201"):
            assert (await who.get(path, 422))["type"] == "invalid"
        account = await who.get(f"/accounts/{nobody}")
        assert (account["balance_wei"], account["vote_history"]) == ("0", [])
        assert (await who.get(f"/accounts/{nobody}/votes"))["items"] == []


def paths_of(trained: Trained) -> list[str]:
    """Every read, of what is there."""
    task, number = trained.task, trained.proposal
    operator = hex_of(trained.supernodes[0].operator.address)
    return [
        *("/network", "/tasks", f"/tasks/{task}", f"/tasks/{task}/rounds", f"/tasks/{task}/rounds/1"),
        *(f"/tasks/{task}/rounds/1/nodes", f"/tasks/{task}/supernodes", f"/supernodes/{operator}"),
        *(f"/tasks/{task}/supernodes/{operator}/history", f"/accounts/{operator}", "/delegates"),
        *(f"/accounts/{operator}/votes", "/treasury", "/treasury/payments", "/proposals", "/activity"),
        *(f"/proposals/{number}", f"/proposals/{number}/votes", f"/proposals/{number}/voters/{operator}"),
    ]


async def test_reads__as_anyone__say_the_same(trained: Trained) -> None:
    stage = trained.stage
    async with (
        stage.open() as running,
        member(running, stage.members[0]) as signed_in,
        member(running, stage.members[1]) as other,
        member(running, stage.members[2]) as nobody,
        member(running, stage.members[3]) as expired,
    ):
        await manifests_read(nobody, trained.task)
        await signed_in.sign_in()
        await other.sign_in()
        expired.http.cookies.set("session", "is-over")
        for path in paths_of(trained):
            said = await nobody.get(path)
            for who in (signed_in, other, expired):
                assert await who.get(path) == said


async def test_reads__from_postgresql__as_from_sqlite_and_a_problem_once_it_is_away(trained: Trained) -> None:
    stage, who = trained.stage, trained.stage.members[0]
    async with stage.open() as running, member(running, who) as here:
        await manifests_read(here, trained.task)
        said = {path: await here.get(path) for path in paths_of(trained)}
    with ExitStack() as stack:
        uri = stack.enter_context(postgres())
        async with stage.open(api={"database": uri}) as running, member(running, who) as here:
            await manifests_read(here, trained.task)
            for path, answer in said.items():
                assert await here.get(path) == answer
            await asyncio.to_thread(stack.close)
            assert (await here.get("/tasks?limit=9", 503))["type"] == "database-unreachable"
            assert await here.get("/tasks") == said["/tasks"]  # as it was kept
