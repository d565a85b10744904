"""A proposal's actions as people write them: options for the usual ones, a JSON file for all of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dao.cli.chain_options import absolute
from dao.cli.output import parse_tokens
from dao.cli.rule_options import CHANGEABLE_NAMES, parse_rule, parse_whole
from dao.core.formats.address import address_of
from dao.core.formats.canonical import read_json
from dao.core.types import Digest, RoundId, TaskId
from dao.errors import ConfigError, DecodeError
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
_DURATIONS: dict[str, Callable[[int], Action]] = {
    "voting-delay": SetVotingDelay,
    "voting-period": SetVotingPeriod,
    "late-extension": SetLateExtension,
    "timelock-delay": SetTimelockDelay,
}
SETTINGS = (*_DURATIONS, "threshold", "voting-quorum")


def read_grant(text: str) -> Action:
    """Read ADDRESS=TOKENS."""
    to, value = _split(text, "--grant", "ADDRESS=TOKENS")
    return Grant(address_of(to, "--grant"), parse_tokens(value, "--grant"))


def read_fund(text: str) -> Action:
    """Read TASK=TOKENS."""
    task, value = _split(text, "--fund", "TASK=TOKENS")
    return Fund(_task(task, "--fund"), parse_tokens(value, "--fund"))


def read_admit(text: str) -> Action:
    """Read TASK=OWNER."""
    task, owner = _split(text, "--admit", "TASK=OWNER")
    return Admit(_task(task, "--admit"), address_of(owner, "--admit"), admitted=True)


def read_expel(text: str) -> Action:
    """Read TASK=OWNER."""
    task, owner = _split(text, "--expel", "TASK=OWNER")
    return Admit(_task(task, "--expel"), address_of(owner, "--expel"), admitted=False)


def read_superlink(text: str) -> Action:
    """Read TASK=ADDRESS."""
    task, to = _split(text, "--replace-superlink", "TASK=ADDRESS")
    return ReplaceSuperlink(_task(task, "--replace-superlink"), address_of(to, "--replace-superlink"))


def read_close(text: str) -> Action:
    """Read TASK=ADDRESS, to which the rest of the escrow goes."""
    task, to = _split(text, "--close-task", "TASK=ADDRESS")
    return CloseTask(_task(task, "--close-task"), address_of(to, "--close-task"))


def read_folder(text: str) -> tuple[TaskId, Path]:
    """Read TASK=FOLDER, of validation shards."""
    task, path = _split(text, "--append-shards", "TASK=FOLDER")
    folder = absolute(Path(path))  # no shell expands a ~ behind TASK=
    if not folder.is_dir():
        raise ConfigError(f"--append-shards {text[:80]}: expected a folder")
    return _task(task, "--append-shards"), folder


def read_resolve(text: str) -> Action:
    """Read TASK/ROUND=valid or TASK/ROUND=void."""
    form = "TASK/ROUND=valid or TASK/ROUND=void"
    where, verdict = _split(text, "--resolve", form)
    task, _, round_id = where.partition("/")
    if verdict not in ("valid", "void"):
        raise ConfigError(f"--resolve {text[:80]}: expected {form}")
    return Resolve(_task(task, "--resolve"), RoundId(parse_whole(round_id, "--resolve")), verdict == "valid")


def read_setting(text: str) -> Action:
    """Read NAME=VALUE: seconds, tokens of votes for the threshold, percent for the quorum."""
    name, value = _split(text, "--set", "NAME=VALUE")
    if name in _DURATIONS:
        return _DURATIONS[name](parse_whole(value, f"--set {name}"))
    if name == "voting-quorum":
        return SetQuorum(parse_whole(value, "--set voting-quorum"))
    if name == "threshold":
        return SetThreshold(parse_tokens(value, "--set threshold"))
    raise ConfigError(f"--set {name[:40]}: expected one of {' '.join(SETTINGS)}")


def _read_rule(text: str) -> tuple[TaskId, str, int | Digest]:
    """Read TASK:NAME=VALUE: the task, the field of its Rules, and its value."""
    where, value = _split(text, "--rule", "TASK:NAME=VALUE")
    task, _, name = where.partition(":")
    field = name.replace("-", "_")
    if field not in CHANGEABLE_NAMES:
        raise ConfigError(f"--rule {text[:80]}: expected one of {' '.join(CHANGEABLE_NAMES)} after the task")
    return _task(task, "--rule"), field, parse_rule(field, value, f"--rule {name}")


def read_rules(texts: Sequence[str]) -> dict[TaskId, dict[str, Any]]:
    """Return the rules to change and their new values, by task; ConfigError where one is given twice."""
    changes: dict[TaskId, dict[str, Any]] = {}
    for task, name, value in map(_read_rule, texts):
        if name in changes.setdefault(task, {}):
            raise ConfigError(f"--rule {task}:{name}: given twice; expected once")
        changes[task][name] = value
    return changes


def read_file(path: Path) -> tuple[str, str, list[Action]]:
    """Read {"title", "description", "actions": [{"kind", "fields"}, …]}, or the list of actions alone.

    Title and description are empty where the file has none. DecodeError names what is wrong.
    """
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    wrapped = data.lstrip().startswith(b"[")
    content = read_json(b'{"actions":' + data + b"}" if wrapped else data, str(path), MAX_FILE + 20)
    actions = content.get("actions")
    if set(content) - {"title", "description", "actions"} or not isinstance(actions, list):
        raise DecodeError(f"{path}: expected title, description and a list of actions, nothing else")
    return _text(content, "title", path), _text(content, "description", path), _actions(actions, path)


def _actions(items: Sequence[Any], path: Path) -> list[Action]:
    actions = []
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
        actions.append(read(item["kind"], fields))
    return actions


def _text(content: dict[str, Any], name: str, path: Path) -> str:
    text = content.get(name, "")
    if not isinstance(text, str):
        raise DecodeError(f"{path}: {name}: expected text")
    return text


def _split(text: str, option: str, form: str) -> tuple[str, str]:
    first, mark, second = text.partition("=")
    if not (first and mark and second):
        raise ConfigError(f"{option} {text[:80]}: expected {form}")
    return first, second


def _task(text: str, option: str) -> TaskId:
    return TaskId(parse_whole(text, option))
