"""Drafts: what a proposal would do, in words, and what the contracts would say to it."""

from dataclasses import replace
from typing import Any

from dao.chain.contracts import Coordinator
from dao.chain.deploy import TOKEN, timelock_execute
from dao.core.types import Address, TaskId, Wei, hex_of
from dao.gov import drafts
from dao.gov.action_json import get_kind
from dao.gov.actions import (
    Action,
    Admit,
    CreateTask,
    Grant,
    SetQuorum,
    SetThreshold,
    SetTimelockDelay,
    SetVotingDelay,
    SetVotingPeriod,
)
from tests.api.stage import Stage, member
from tests.support import RULES, Network

TO = Address(bytes([7] * 20))
MISTYPED = "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def test_read__what_is_shown__the_same_action_with_units_in_names() -> None:
    actions: list[Action] = [
        CreateTask(RULES, Wei(TOKEN)),
        Grant(TO, Wei(3)),
        Admit(TaskId(1), TO, admitted=True),
        SetThreshold(Wei(5)),
        SetVotingDelay(60),
    ]
    for action in actions:
        assert drafts.read(get_kind(action), drafts.show_fields(action)) == action
    assert drafts.show_fields(actions[1]) == {"to": hex_of(TO), "amount_wei": "3"}
    rules = drafts.show_fields(actions[0])["rules"]
    assert {"commit_period_seconds", "close_share_percent", "min_stake_wei", "quorum"} <= set(rules)
    assert drafts.show_fields(actions[4]) == {"seconds": 60}


async def test_preview__a_task__its_funds_are_approved_before(stage: Stage) -> None:
    action = CreateTask(replace(RULES, superlink=TO), RULES.round_budget)
    async with stage.open() as running, member(running, stage.members[0]) as anyone:
        form = {"title": "A task", "actions": [{"kind": "create_task", "fields": drafts.show_fields(action)}]}
        draft = await anyone.post("/drafts/preview", form)
    assert draft["warnings"] == []
    assert len(draft["words"]) == len(draft["calldatas"]) == 2
    assert draft["description"] == "# A task"


async def test_preview__what_would_be_refused__warned_in_the_contracts_words(stage: Stage) -> None:
    form: dict[str, Any] = {
        "title": "Too much",
        "description": "<img src=x onerror=alert(1)>",
        "actions": [
            {"kind": "grant", "fields": {"to": hex_of(TO), "amount_wei": str(10**30)}},
            {"kind": "resolve", "fields": {"task": 99, "round": 1, "valid": True}},
        ],
    }
    async with stage.open() as running, member(running, stage.members[0]) as anyone:
        draft = await anyone.post("/drafts/preview", form)
        assert "ERC20InsufficientBalance" in draft["warnings"][0]
        form["actions"] = [form["actions"][1]]
        assert "WrongPhase" in (await anyone.post("/drafts/preview", form))["warnings"][0]
        answer = await anyone.http.post("/api/v1/drafts/preview", json=form)
        assert answer.headers["content-type"] == "application/json"  # data, whatever the text is
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_preview__settings_of_the_governor__no_warning_and_the_rest_is_tried(stage: Stage) -> None:
    settings: list[dict[str, Any]] = [
        {"kind": kind, "fields": {"seconds": 60}}
        for kind in ("set_voting_delay", "set_voting_period", "set_late_extension", "set_timelock_delay")
    ]
    settings += [
        {"kind": "set_quorum", "fields": {"percent": 5}},
        {"kind": "set_threshold", "fields": {"votes_wei": "5"}},
    ]
    grant = {"kind": "grant", "fields": {"to": hex_of(TO), "amount_wei": str(10**30)}}
    async with stage.open() as running, member(running, stage.members[0]) as anyone:
        for actions, said in (([settings[4]], []), (settings, []), ([*settings, grant], ["grant"])):
            draft = await anyone.post("/drafts/preview", {"title": "Settings", "actions": actions})
            assert [warning.split(":")[0] for warning in draft["warnings"]] == said


async def test_preview__no_action_of_ours__refused_with_the_field(stage: Stage) -> None:
    async with stage.open() as running, member(running, stage.members[0]) as anyone:
        for kind, fields, word in (
            ("drain", {}, "drain"),
            ("grant", {"to": hex_of(TO)}, "grant.amount_wei: "),
            ("grant", {"to": "0x12", "amount_wei": "1"}, "to"),
            ("grant", {"to": MISTYPED, "amount_wei": "1"}, "checksum is wrong"),
            ("grant", {"to": hex_of(TO), "amount_wei": "-1"}, "grant.amount_wei: "),
            ("grant", {"to": hex_of(TO), "amount": "1"}, "amount"),
            ("create_task", {"funds_wei": "1", "rules": {}}, "create_task.rules.admitted_only: "),
            ("grant", {"to": hex_of(TO), "amount_wei": "1", "url": "http://127.0.0.1"}, "url"),
        ):
            form = {"title": "x", "actions": [{"kind": kind, "fields": fields}]}
            problem = await anyone.post("/drafts/preview", form, 422)
            assert problem["type"] == "invalid"
            assert word in problem["detail"]


async def test_prepare__mistyped_fields__named_as_they_were_sent(stage: Stage) -> None:
    async with stage.open() as running, member(running, stage.members[0]) as anyone:
        form = {"account": anyone.address, "contract": "token", "delegatee": MISTYPED}
        said = (await anyone.post("/prepare/delegate", form, 422))["detail"]
        assert said == (
            f"delegatee: {MISTYPED} is mistyped, its checksum is wrong; {MISTYPED.lower()} in lower case?"
        )
        said = (await anyone.get(f"/accounts/{MISTYPED}", 422))["detail"]
        assert said.startswith(f"address: {MISTYPED} is mistyped")


async def test_preview__settings_that_are_refused_or_lock_the_dao__warned(stage: Stage) -> None:
    actions: list[Action] = [
        SetQuorum(400),
        SetVotingPeriod(0),
        SetQuorum(99),
        SetThreshold(Wei(10**9 * TOKEN)),
    ]
    wanted = [{"kind": get_kind(action), "fields": drafts.show_fields(action)} for action in actions]
    async with stage.open() as running, member(running, stage.members[0]) as anyone:
        draft = await anyone.post("/drafts/preview", {"title": "Too much", "actions": wanted})
    assert draft["warnings"] == [
        "set_quorum: refused: expected at most 100 percent, got 400",
        "set_voting_period: refused: expected at least 1 second, got 0",
        (
            "set_threshold: nobody could propose any more: a proposer would need 1,000,000,000 tokens of votes, "
            "and all that count are 4,000 tokens"
        ),
    ]


async def test_preview__a_task_whose_challenges_are_not_decided_in_time__warned(stage: Stage) -> None:
    task = CreateTask(replace(RULES, superlink=TO, resolve_period=115), RULES.round_budget)
    form = {"title": "A task", "actions": [{"kind": "create_task", "fields": drafts.show_fields(task)}]}
    async with stage.open() as running, member(running, stage.members[0]) as anyone:
        [said] = (await anyone.post("/drafts/preview", form))["warnings"]
    assert said.startswith("create_task: a challenge could not be decided in time, and would void")
    assert "resolve_period is 115 seconds, and a decision takes 115 seconds" in said


async def test_preview__what_goes_through_and_nobody_means__warned(stage: Stage) -> None:
    token = stage.network.deployment.token
    actions: list[Action] = [
        CreateTask(replace(RULES, superlink=TO), Wei(RULES.round_budget - 1)),
        Grant(token, Wei(1)),
    ]
    async with stage.open() as running, member(running, stage.members[0]) as anyone:
        treasury = int((await anyone.get("/treasury"))["balance_wei"])
        actions.append(Grant(TO, Wei(treasury * 99_998 // 100_000 - RULES.round_budget)))
        wanted = [{"kind": get_kind(action), "fields": drafts.show_fields(action)} for action in actions]
        draft = await anyone.post("/drafts/preview", {"title": "Oops", "actions": wanted})
    lost, much, small = draft["warnings"]
    assert f"grant: {hex_of(token)} is the network's own token" in lost
    assert "treasury: this takes 99.99" in much
    assert "create_task: the task would have" in small


async def test_draft__slower_decisions__warned_of_each_open_task(network: Network) -> None:
    tasks = [await network.new_task(), await network.new_task(replace(RULES, resolve_period=6 * 86_400))]
    tasks.append(await network.new_task())
    async with network.chain() as chain, network.dao(chain) as dao:
        closing = Coordinator(chain).close_task(tasks[2], TO)
        await timelock_execute(chain, dao, [closing])
        warnings = (await drafts.draft(chain, "Slow", "", [SetTimelockDelay(3 * 86_400)])).warnings
    label = "set_timelock_delay: a challenge in task"
    assert [any(line.startswith(f"{label} {task} ") for line in warnings) for task in tasks] == [
        True,
        False,
        False,
    ]
