"""Drafts proposals: actions from JSON to calls and back, their words, and warnings from trying them on the chain."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Distributor, Token
from dao.chain.deployment import Deployment
from dao.chain.governance import Actions, Governor, Timelock
from dao.chain.reverts import reverted
from dao.chain.rpc import NodeError
from dao.chain.task_rules import TASK_RULES
from dao.core.types import Rules, TaskId, Wei, hex_of
from dao.errors import DecodeError, Reverted
from dao.gov.action_json import get_kind, read_action, write_fields
from dao.gov.actions import (
    Action,
    AppendShards,
    ChangeRules,
    CreateTask,
    SetThreshold,
    decode_action,
    encode_actions,
)
from dao.gov.describe import describe_action
from dao.gov.money_risks import TaskEscrow, list_tasks, warn_of_money
from dao.gov.risks import DecisionPace, changes_pace, warn_of, warn_of_slow_decisions

_SUFFIXES = {rule.name: rule.unit.suffix for rule in TASK_RULES} | dict.fromkeys(
    ("funds", "amount", "votes", "value"), "_wei"
)
_STRIPPED = {name + suffix: name for name, suffix in _SUFFIXES.items()}
_NO_METHOD = (-32601, -32602)


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposal that is not made yet; `words` has a sentence for each call, `warnings` one for each failure to expect."""

    actions: Actions
    description: str
    words: list[str]
    warnings: list[str]


def read(kind: str, fields: dict[str, Any]) -> Action:
    """Read an action from fields as `show_fields` writes them, with units in their names; DecodeError names the field."""
    try:
        return read_action(kind, _rename(fields, _strip_unit))
    except DecodeError as error:
        path, separator, words = str(error).partition(": ")
        sent = re.sub(r"\w+", lambda name: show_name(name[0]), path)
        raise DecodeError(sent + separator + words) from None


def show_fields(action: Action) -> dict[str, Any]:
    """Show an action's fields with their units in their names: amount_wei, commit_period_seconds."""
    fields: dict[str, Any] = _rename(write_fields(action), show_name)
    return fields


def decode_calls(actions: Actions, deployment: Deployment) -> list[Action]:
    """Decode each call of a proposal."""
    calls = zip(actions.targets, actions.values, actions.calldatas, strict=True)
    return [decode_action(target, value, data, deployment) for target, value, data in calls]


async def draft(chain: Chain, title: str, text: str, actions: Sequence[Action]) -> Draft:
    """Draft a proposal, and try its calls one after the other as the timelock would make them now."""
    calls = encode_actions(actions, chain.deployment)
    decoded = decode_calls(calls, chain.deployment)
    description = write_description(title, text)
    current = await _read_rules(chain, decoded)
    words = [describe_action(action, chain.deployment, current) for action in decoded]
    supply = await _read_supply(chain, decoded)
    warnings = [line for line in (warn_of(action, supply) for action in decoded) if line is not None]
    warnings += await _check_money(chain, decoded)
    warnings += await _check_pace(chain, decoded)
    warnings += await _try_calls(chain, calls, [get_kind(action) for action in decoded])
    return Draft(calls, description, words, warnings)


def write_description(title: str, text: str) -> str:
    """Write a proposal's description as it stands on chain: first the title, as a heading of Markdown."""
    return f"# {title.strip()}\n\n{text.strip()}".strip()


def list_changed_tasks(actions: Sequence[Action]) -> list[TaskId]:
    """List the tasks whose rules actions change, or add shards to."""
    return [action.task for action in actions if isinstance(action, ChangeRules | AppendShards)]


def get_rules(action: Action) -> Rules | None:
    """Return the rules that an action gives to a task; None for one that gives none."""
    return action.rules if isinstance(action, CreateTask | ChangeRules) else None


async def _read_supply(chain: Chain, actions: Sequence[Action]) -> Wei:
    """Read how many wei of tokens have votes, where an action sets the threshold; else 0, which nothing reads."""
    if not any(isinstance(action, SetThreshold) for action in actions):
        return Wei(0)
    token, at = Token(chain), chain.head()
    others = chain.deployment.timelock, chain.deployment.distributor  # treasury and escrow have none
    return Wei(await token.total_supply(at) - sum([await token.balance_of(one, at) for one in others]))


async def _check_money(chain: Chain, actions: Sequence[Action]) -> list[str]:
    """List what actions would do with the DAO's tokens that it hardly wants."""
    coordinator, distributor, at = Coordinator(chain), Distributor(chain), chain.head()
    treasury = await Token(chain).balance_of(chain.deployment.timelock, at)
    escrows = {}
    for task in list_tasks(actions):
        with suppress(Reverted):  # there is no such task, as trying the calls will show
            rules = await coordinator.rules_of(task, at)
            escrows[task] = TaskEscrow(await distributor.available_of(task, at), rules.round_budget)
    return warn_of_money(actions, chain.deployment, treasury, escrows)


async def _check_pace(chain: Chain, actions: Sequence[Action]) -> list[str]:
    """List what would let no challenge be decided in time, where actions concern that at all."""
    about_time = any(map(changes_pace, actions))
    if not about_time and not any(isinstance(action, CreateTask | ChangeRules) for action in actions):
        return []
    governor, at = Governor(chain), chain.head()
    pace = DecisionPace(
        await governor.voting_delay(at),
        await governor.voting_period(at),
        await governor.late_extension(at),
        await Timelock(chain).min_delay(at),
    )
    tasks: dict[TaskId, Rules] = {}
    if about_time:
        coordinator = Coordinator(chain)
        for task in map(TaskId, range(1, await coordinator.task_count(at) + 1)):
            if not (await coordinator.task_of(task, at)).closed:
                tasks[task] = await coordinator.rules_of(task, at)
    return warn_of_slow_decisions(actions, pace, tasks)


async def _read_rules(chain: Chain, actions: Sequence[Action]) -> dict[TaskId, Rules]:
    """Read the rules of the tasks whose rules actions change; tasks that do not exist are left out."""
    current = {}
    for task in list_changed_tasks(actions):
        with suppress(Reverted):
            current[task] = await Coordinator(chain).rules_of(task, chain.head())
    return current


async def _try_calls(chain: Chain, actions: Actions, labels: Sequence[str]) -> list[str]:
    """Try the calls together, as the timelock would make them now; list what goes wrong.

    The governor takes calls to itself only while it executes a proposal that has them, so those are left out; see
    dao.gov.risks.
    """
    timelock, governor = hex_of(chain.deployment.timelock), chain.deployment.governor
    calls = zip(labels, actions.targets, actions.values, actions.calldatas, strict=True)
    trials = [
        (label, {"from": timelock, "to": hex_of(target), "value": hex(value), "data": hex_of(data)})
        for label, target, value, data in calls
        if target != governor
    ]
    if not trials:
        return []
    labels, requests = [label for label, _ in trials], [request for _, request in trials]
    block = hex(chain.head().number)
    try:
        [answer] = await chain.request("eth_simulateV1", {"blockStateCalls": [{"calls": requests}]}, block)
    except NodeError as error:
        if error.code not in _NO_METHOD:
            raise
        return await _try_alone(chain, requests, labels)
    for label, result in zip(labels, answer["calls"], strict=True):
        if not int(result["status"], 16):  # calls after it are not made at all
            failure = result.get("error") or {}
            data = failure.get("data") or result.get("returnData") or "0x"
            return [str(reverted(label, bytes.fromhex(data[2:]), str(failure.get("message", ""))))]
    return []


async def _try_alone(chain: Chain, calls: Sequence[dict[str, str]], labels: Sequence[str]) -> list[str]:
    """Try each call alone, where the node cannot try them together; calls after an approval are left out."""
    failures = []
    before = ""
    for call, label in zip(calls, labels, strict=True):
        if before != "approve":
            try:
                await chain.ask("eth_call", call, chain.head().number, label)
            except Reverted as error:
                failures.append(str(error))
        before = label
    return failures


def _rename(value: Any, rename: Any) -> Any:
    if isinstance(value, dict):
        return {rename(name): _rename(inner, rename) for name, inner in value.items()}
    return value


def show_name(name: str) -> str:
    """Return a field's name in JSON, with its unit: amount_wei."""
    return name + _SUFFIXES.get(name, "")


def _strip_unit(name: str) -> str:
    return _STRIPPED.get(name, f"{name} without its unit" if name in _SUFFIXES else name)
