"""What a proposal is to do, as people write it: options for what is usual, a JSON file for everything."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dao.cli.output import tokens
from dao.core.errors import ConfigError, DecodeError
from dao.core.formats.address import address_of
from dao.core.formats.canonical import read_json
from dao.core.types import RULE_AMOUNTS, RoundId, TaskId
from dao.gov.actions import (
    Action,
    Admit,
    CloseTask,
    Fund,
    Grant,
    ReplaceSuperlink,
    Resolve,
    SetLateExtension,
    SetQuorum,
    SetThreshold,
    SetTimelockDelay,
    SetVotingDelay,
    SetVotingPeriod,
)
from dao.gov.drafts import read

MAX_FILE = 1 << 20
_SECONDS: dict[str, Callable[[int], Action]] = {
    "voting-delay": SetVotingDelay,
    "voting-period": SetVotingPeriod,
    "late-extension": SetLateExtension,
    "timelock-delay": SetTimelockDelay,
}
_PERIODS = tuple(f"{name}_period" for name in ("commit", "reveal", "result", "force", "challenge", "resolve"))
RULES = (*_PERIODS, "quorum", *RULE_AMOUNTS)
SETTINGS = (*_SECONDS, "threshold", "quorum")


def grant(text: str) -> Action:
    """Read ADDRESS=TOKENS."""
    to, value = _two(text, "--grant", "ADDRESS=TOKENS")
    return Grant(address_of(to, "--grant"), tokens(value, "--grant"))


def fund(text: str) -> Action:
    """Read TASK=TOKENS."""
    task, value = _two(text, "--fund", "TASK=TOKENS")
    return Fund(_task(task, "--fund"), tokens(value, "--fund"))


def admit(text: str) -> Action:
    """Read TASK=OWNER."""
    task, owner = _two(text, "--admit", "TASK=OWNER")
    return Admit(_task(task, "--admit"), address_of(owner, "--admit"), admitted=True)


def expel(text: str) -> Action:
    """Read TASK=OWNER."""
    task, owner = _two(text, "--expel", "TASK=OWNER")
    return Admit(_task(task, "--expel"), address_of(owner, "--expel"), admitted=False)


def superlink(text: str) -> Action:
    """Read TASK=ADDRESS."""
    task, to = _two(text, "--replace-superlink", "TASK=ADDRESS")
    return ReplaceSuperlink(_task(task, "--replace-superlink"), address_of(to, "--replace-superlink"))


def close(text: str) -> Action:
    """Read TASK=ADDRESS, whose tokens what is left becomes."""
    task, to = _two(text, "--close-task", "TASK=ADDRESS")
    return CloseTask(_task(task, "--close-task"), address_of(to, "--close-task"))


def resolve(text: str) -> Action:
    """Read TASK/ROUND=valid or TASK/ROUND=void."""
    form = "TASK/ROUND=valid or TASK/ROUND=void"
    where, verdict = _two(text, "--resolve", form)
    task, _, round_ = where.partition("/")
    if verdict not in ("valid", "void"):
        raise ConfigError(f"--resolve {text[:80]}: expected {form}")
    return Resolve(_task(task, "--resolve"), RoundId(_whole(round_, "--resolve")), verdict == "valid")


def setting(text: str) -> Action:
    """Read NAME=VALUE: seconds, tokens of votes for the threshold, percent for the quorum."""
    name, value = _two(text, "--set", "NAME=VALUE")
    if name in _SECONDS:
        return _SECONDS[name](_whole(value, f"--set {name}"))
    if name == "quorum":
        return SetQuorum(_whole(value, "--set quorum"))
    if name == "threshold":
        return SetThreshold(tokens(value, "--set threshold"))
    raise ConfigError(f"--set {name[:40]}: expected one of {' '.join(SETTINGS)}")


def rule(text: str) -> tuple[TaskId, str, int]:
    """Read TASK:NAME=VALUE: the task, the field of its Rules, and its value in seconds, wei or commits."""
    where, value = _two(text, "--rule", "TASK:NAME=VALUE")
    task, _, name = where.partition(":")
    field = name.replace("-", "_")
    if field not in RULES:
        raise ConfigError(f"--rule {text[:80]}: expected one of {' '.join(RULES)} after the task")
    what = f"--rule {name}"
    return _task(task, "--rule"), field, tokens(value, what) if field in RULE_AMOUNTS else _whole(value, what)


def changes(texts: Sequence[str]) -> dict[TaskId, dict[str, Any]]:
    """The rules that are to be others, by task; ConfigError where one is given twice."""
    found: dict[TaskId, dict[str, Any]] = {}
    for task, name, value in map(rule, texts):
        if name in found.setdefault(task, {}):
            raise ConfigError(f"--rule {task}:{name}: given twice; expected once")
        found[task][name] = value
    return found


OPTIONS: dict[str, Callable[[str], Action]] = {
    "grant": grant,
    "fund": fund,
    "admit": admit,
    "expel": expel,
    "superlink": superlink,
    "close": close,
    "resolve": resolve,
    "setting": setting,
}


def from_file(path: Path) -> tuple[str, str, list[Action]]:
    """Read {"title", "description", "actions": [{"kind", "fields"}, …]}, or the list of actions alone.

    Title and description are empty where the file has none. DecodeError names what is wrong.
    """
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    wrapped = data.lstrip().startswith(b"[")
    told = read_json(b'{"actions":' + data + b"}" if wrapped else data, str(path), MAX_FILE + 20)
    actions = told.get("actions")
    if set(told) - {"title", "description", "actions"} or not isinstance(actions, list):
        raise DecodeError(f"{path}: expected title, description and a list of actions, nothing else")
    return _text(told, "title", path), _text(told, "description", path), [*_actions(actions, path)]


def _actions(items: Sequence[Any], path: Path) -> Sequence[Action]:
    found = []
    for number, item in enumerate(items):
        if (
            not isinstance(item, dict)
            or set(item) - {"kind", "fields"}
            or not isinstance(item.get("kind"), str)
        ):
            raise DecodeError(f'{path}: actions[{number}]: expected {{"kind": …, "fields": {{…}}}}')
        fields = item.get("fields", {})
        if not isinstance(fields, dict):
            raise DecodeError(f"{path}: actions[{number}].fields: expected an object")
        found.append(read(item["kind"], fields))
    return found


def _text(told: dict[str, Any], name: str, path: Path) -> str:
    text = told.get(name, "")
    if not isinstance(text, str):
        raise DecodeError(f"{path}: {name}: expected text")
    return text


def _two(text: str, option: str, form: str) -> tuple[str, str]:
    first, mark, second = text.partition("=")
    if not (first and mark and second):
        raise ConfigError(f"{option} {text[:80]}: expected {form}")
    return first, second


def _task(text: str, option: str) -> TaskId:
    return TaskId(_whole(text, option))


def _whole(text: str, what: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise ConfigError(f"{what}: expected a whole number, got {text[:40]!r}")
    return int(text)
