"""The rules of a task as options: one for each with a default in `dao task create`, and all changeable ones in `--rule`."""

import re
from dataclasses import asdict, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dao.chain.task_rules import RULES_BY_NAME, TASK_RULES, TaskRule, Unit
from dao.cli.output import parse_digest, parse_tokens
from dao.core.types import Codec, Digest
from dao.errors import ConfigError

CHANGEABLE_NAMES = tuple(rule.name for rule in TASK_RULES if rule.is_changeable)
_TYPES: dict[Unit, Any] = {Unit.TOKENS: str, Unit.CODEC: Codec, Unit.YES_OR_NO: bool}
_WITH_UNIT = (Unit.SECONDS, Unit.TOKENS)


def _option(rule: TaskRule) -> Any:
    kind = _TYPES.get(rule.unit, int)
    text = f"{rule.help} ({rule.unit})." if rule.unit in _WITH_UNIT else f"{rule.help}."
    return Annotated[
        kind, typer.Option(min=min(1, int(rule.default or 0)) if kind is int else None, help=text)
    ]


if TYPE_CHECKING:
    RuleOptions = Any
else:
    RuleOptions = make_dataclass(
        "RuleOptions",
        [(rule.name, _option(rule), rule.default) for rule in TASK_RULES if rule.default is not None],
        frozen=True,
    )


def read_rule_options(options: RuleOptions) -> dict[str, Any]:
    """Return the fields of Rules that options give; ConfigError names the option."""
    fields = {
        name: parse_tokens(value, f"--{name.replace('_', '-')}")
        if RULES_BY_NAME[name].unit is Unit.TOKENS
        else value
        for name, value in asdict(options).items()
    }
    fields["close_after"] = fields["close_after"] or max(1, fields["commit_period"] // 2)
    return fields


def parse_rule(name: str, text: str, what: str) -> int | Digest:
    """Read the value of a changeable rule in people's units; ConfigError names `what`."""
    if RULES_BY_NAME[name].unit is Unit.DIGEST:
        return parse_digest(text, what)
    return parse_tokens(text, what) if RULES_BY_NAME[name].unit is Unit.TOKENS else parse_whole(text, what)


def parse_whole(text: str, what: str) -> int:
    """Read a whole number; ConfigError names `what`."""
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise ConfigError(f"{what}: expected a whole number, got {text[:40]!r}")
    return int(text)
