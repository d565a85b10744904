"""What a proposal would do with the DAO's tokens that the chain lets through and nobody means."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dao.chain.deploy import TOKEN
from dao.core.types import Address, TaskId, Wei
from dao.gov.actions import (
    Action,
    Approve,
    ChangeRules,
    CloseTask,
    CreateTask,
    Fund,
    Grant,
    PauseTasks,
    RecoverUnclaimed,
)
from dao.gov.money_risks import TaskEscrow, list_tasks, warn_of_money
from tests.gov.test_actions import PLACES
from tests.support import RULES

SOMEONE = Address(bytes([77] * 20))
TREASURY = Wei(100_000 * TOKEN)
TASK = TaskId(1)
ROUND = RULES.round_budget
ESCROWS = {TASK: TaskEscrow(Wei(ROUND - 2), ROUND)}


def warn(actions: Sequence[Action]) -> list[str]:
    return warn_of_money(actions, PLACES, TREASURY, {task: ESCROWS[task] for task in list_tasks(actions)})


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        (
            [CreateTask(RULES, Wei(ROUND - 1))],
            "create_task: the task would have 9.999999999999999999 tokens in",
        ),
        (
            [CreateTask(RULES, Wei(0))],
            "less than the 10 tokens of one round: no round opens until it has more",
        ),
        ([Fund(TASK, Wei(1))], "fund: task 1 would have 9.999999999999999999 tokens in escrow"),
        (
            [Fund(TASK, Wei(2)), ChangeRules(TASK, replace(RULES, round_budget=Wei(ROUND + 1)))],
            "change_rules: task 1 would have 10 tokens in escrow, less than the 10.000000000000000001 tokens",
        ),
        (
            [Grant(PLACES.token, Wei(1))],
            "is the network's own token: what is sent there, nobody can ever take out",
        ),
        ([Grant(PLACES.voting_power, Wei(1))], "is the network's own voting power"),
        ([Grant(PLACES.timelock, Wei(1))], "the timelock is the treasury itself"),
        ([CloseTask(TASK, PLACES.distributor)], "close_task: "),
        ([RecoverUnclaimed(TASK, PLACES.registry)], "recover_unclaimed: "),
        (
            [Grant(SOMEONE, Wei(99_998 * TOKEN))],
            "this takes 99.998 percent of it, 99,998 tokens of 100,000 tokens",
        ),
        ([Grant(SOMEONE, Wei(TREASURY - 1))], "this takes 99.999 percent of it"),
        ([Grant(SOMEONE, Wei(30_000 * TOKEN))] * 2, "this takes 60 percent of it"),
        ([Approve(SOMEONE, TREASURY)], "this takes 100 percent of it"),
    ],
)
def test_warn_of_money__what_nobody_means__said(actions: list[Action], said: str) -> None:
    [warning] = warn(actions)
    assert said in warning


@pytest.mark.parametrize(
    "actions",
    [
        [CreateTask(RULES, ROUND)],
        [Approve(PLACES.distributor, Wei(2)), Fund(TASK, Wei(2))],
        [Fund(TASK, Wei(1)), Fund(TASK, Wei(1))],
        [Grant(SOMEONE, Wei(49_000 * TOKEN))],
        [CloseTask(TASK, PLACES.timelock), RecoverUnclaimed(TASK, PLACES.timelock)],
        [PauseTasks()],
    ],
)
def test_warn_of_money__what_a_dao_may_want__nothing(actions: list[Action]) -> None:
    assert warn(actions) == []
