"""A change of rules in words: what changes, from what to what, with units."""

from dataclasses import fields, replace

from dao.chain.task_rules import TASK_RULES
from dao.core.types import Codec, Rules, TaskId, Wei
from dao.gov.actions import ChangeRules
from dao.gov.describe import describe_action
from dao.gov.rules_diff import CHANGEABLE, describe_changes, describe_rules
from tests.gov.test_actions import ANN, PLACES, TOKEN
from tests.support import RULES, digest


def test_change__every_rule__has_a_name() -> None:
    assert sorted(rule.name for rule in TASK_RULES) == sorted(field.name for field in fields(Rules))


def test_changed__some_rules__those_alone_from_and_to() -> None:
    after = replace(
        RULES,
        round_budget=Wei(12 * TOKEN),
        commit_period=90,
        reveal_period=60,
        quorum=3,
        min_stake=Wei(TOKEN * 5 // 2),
    )
    assert describe_changes(RULES, after) == (
        "budget per round from 10 to 12 tokens; time to commit from 1 minute to 90 seconds; "
        "time to reveal from 30 seconds to 1 minute; least number of commits from 1 to 3; "
        "least stake of a Supernode from 1 token to 2.5 tokens"
    )
    assert describe_changes(RULES, RULES) == "nothing, they are so already"


def test_changed__what_must_stay__said_to_be_refused() -> None:
    words = describe_changes(
        RULES, replace(RULES, quorum=2, app_hash=digest(9), codec=Codec.FLOAT32, admitted_only=True)
    )
    assert words.startswith("least number of commits from 1 to 2; and what no change of rules may touch")
    assert words.endswith("codec from int8 to float32, for admitted owners only from no to yes")
    assert f"app from 0x{digest(1).hex()} to 0x{digest(9).hex()}" in words


def test_describe__change__difference_where_the_rules_are_known_else_all() -> None:
    action = ChangeRules(TaskId(4), replace(RULES, superlink=ANN, round_budget=Wei(12 * TOKEN)))
    known = describe_action(action, PLACES, {TaskId(4): replace(RULES, superlink=ANN)})
    assert known == (
        "Change the rules of task 4 for the rounds that open from then on: budget per round from 10 to 12 tokens."
    )
    unknown = describe_action(action, PLACES, {TaskId(3): RULES})
    assert describe_rules(action.rules, CHANGEABLE) in unknown
    assert "budget per round 12 tokens; time to commit 1 minute; " in unknown
