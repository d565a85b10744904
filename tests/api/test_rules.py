"""Members change a task's rules without gas: the preview, the proposal and what came of it say from what to what."""

import asyncio

import pytest

from dao.chain.block_clock import format_time
from dao.chain.deploy import TOKEN
from dao.devnet.anvil import Anvil
from tests.api.stage import BASE, DELAY, LIMIT, PARAMS, Member, caught_up, member
from tests.api.trained import Trained, train


@pytest.fixture(scope="module")
def trained(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(anvil, tmp_path_factory.mktemp("trained"))


async def in_state(who: Member, number: str, state: str) -> None:
    """Wait until a proposal is in a state."""
    async with asyncio.timeout(LIMIT):
        # another side's state; there is none until what was mined is indexed, too
        while (await who.http.get(f"{BASE}/proposals/{number}")).json().get("state") != state:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_change_rules__from_preview_to_execution__in_words_of_then(trained: Trained) -> None:
    stage, task = trained.stage, trained.task
    async with stage.open() as running, member(running, stage.members[0]) as who:
        await who.sign_in()
        await who.delegate()
        stage.pass_time(1)
        await caught_up(stage, running)
        rules = (await who.get(f"/tasks/{task}"))["rules"]
        changed = {**rules, "round_budget_wei": str(12 * TOKEN), "commit_period_seconds": 45}
        draft = {
            "title": "Pay more",
            "actions": [{"kind": "change_rules", "fields": {"task": task, "rules": changed}}],
        }
        preview = await who.post("/drafts/preview", draft)
        assert preview["warnings"] == []
        words = (
            f"Change the rules of task {task} for the rounds that open from then on: "
            "budget per round from 10 to 12 tokens; time to commit from 1 minute to 45 seconds."
        )
        assert preview["words"] == [words]
        ready = await who.post("/prepare/propose", {**draft, "account": who.address})
        body = {**ready["proposal"], "proposer": who.address, "signature": who.sign(ready["typed_data"][0])}
        number = ready["proposal_id"]
        await who.mined(await who.post("/relay/propose", body, 202))
        await in_state(who, number, "pending")
        voting = await who.get(f"/proposals/{number}")
        from_to = f"from {format_time(voting['starts_at'])} to {format_time(voting['ends_at'])}"
        for act in ("queue", "execute"):
            early = await who.post(f"/relay/{act}", {"proposal": number}, 409)
            assert early["type"] == "not-active"
            assert f"the proposal is pending; votes are cast {from_to}" in early["detail"]
        stage.pass_time(PARAMS.voting_delay + 1)
        await caught_up(stage, running)
        await who.vote(number, 1)
        stage.pass_time(PARAMS.voting_period + 1)
        await caught_up(stage, running)
        await who.mined(await who.post("/relay/queue", {"proposal": number}, 202))
        await in_state(who, number, "queued")
        eta = format_time((await who.get(f"/proposals/{number}"))["eta"])
        early = await who.post("/relay/execute", {"proposal": number}, 409)
        assert early["detail"] == f"the proposal is in the timelock until {eta}; it is executed from then on"
        [action] = (await who.get(f"/proposals/{number}"))["actions"]
        assert (action["words"], action["fields"]["rules"]["commit_period_seconds"]) == (words, 45)
        stage.pass_time(DELAY + 1)
        await caught_up(stage, running)
        await who.mined(await who.post("/relay/execute", {"proposal": number}, 202))
        await in_state(who, number, "executed")
        assert (await who.get(f"/tasks/{task}"))["rules"] == changed
        [action] = (await who.get(f"/proposals/{number}"))["actions"]
        assert action["words"] == words  # not what it would change now
        second = await who.get(f"/tasks/{task}/rounds/2")
        assert second["deadlines"]["commit"] == second["opened_at"] + 60


async def test_preview__what_must_stay_or_no_task__warned(trained: Trained) -> None:
    stage, task = trained.stage, trained.task
    async with stage.open() as running, member(running, stage.members[0]) as who:
        rules = (await who.get(f"/tasks/{task}"))["rules"]
        other = {**rules, "shards": rules["shards"] + 1}
        draft = {
            "title": "x",
            "actions": [{"kind": "change_rules", "fields": {"task": task, "rules": other}}],
        }
        preview = await who.post("/drafts/preview", draft)
        assert "cannot be executed: shards from 100 to 101" in preview["words"][0]
        assert "shards" in preview["warnings"][0]
        draft["actions"][0]["fields"]["task"] = 2**53 - 1  # type: ignore[index]
        preview = await who.post("/drafts/preview", draft)
        assert "UnknownTask" in preview["warnings"][0]
        assert "budget per round 1" in preview["words"][0]
