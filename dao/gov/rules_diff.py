"""A task's rules in words: all of them, and what a change of them changes."""

from collections.abc import Iterable

from dao.chain.task_rules import TASK_RULES, TaskRule
from dao.core.types import Rules
from dao.gov.units import format_value

CHANGEABLE = tuple(rule for rule in TASK_RULES if rule.is_changeable)
FIXED = tuple(rule for rule in TASK_RULES if not rule.is_changeable)


def describe_rules(rules: Rules, which: Iterable[TaskRule] = TASK_RULES) -> str:
    """Write each of these rules with its value: "budget per round 10 tokens; time to commit 1 minute; …"."""
    return "; ".join(f"{rule.label} {_value(rule, rules)}" for rule in which)


def describe_changes(before: Rules, after: Rules) -> str:
    """Write each rule that changes: "budget per round from 10 to 12 tokens; least …", and what the contract will refuse."""
    parts, refused = _changes(CHANGEABLE, before, after), _changes(FIXED, before, after)
    if refused:
        parts.append(
            f"and what no change of rules may touch, so that it cannot be executed: {', '.join(refused)}"
        )
    return "; ".join(parts) or "nothing, they are so already"


def _changes(which: Iterable[TaskRule], before: Rules, after: Rules) -> list[str]:
    return [
        f"{rule.label} {_from_to(_value(rule, before), _value(rule, after))}"
        for rule in which
        if getattr(before, rule.name) != getattr(after, rule.name)
    ]


def _value(rule: TaskRule, rules: Rules) -> str:
    return format_value(getattr(rules, rule.name), rule.unit)


def _from_to(before: str, after: str) -> str:
    """Write "from 10 to 12 tokens": a unit that both share is written once."""
    value, _, unit = before.partition(" ")
    return f"from {value if unit and after.partition(' ')[2] == unit else before} to {after}"
