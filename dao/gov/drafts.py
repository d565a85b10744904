"""Drafts of proposals: actions as JSON to calls and back, in words, and what each would do if it were executed now."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Token
from dao.chain.deployment import Deployment
from dao.chain.governance import Actions, Governor, Timelock
from dao.chain.reverts import reverted
from dao.chain.rpc import NodeError
from dao.chain.task_rules import TASK_RULES
from dao.core.errors import Reverted
from dao.core.types import Rules, TaskId, Wei, hex_of
from dao.gov.action_json import get_kind, read_action, write_fields
from dao.gov.actions import Action, ChangeRules, CreateTask, SetThreshold, decode_action, encode_actions
from dao.gov.describe import describe_action
from dao.gov.risks import DecisionPace, changes_pace, warn_of, warn_of_slow_decisions

_SUFFIXES = {rule.name: rule.unit.suffix for rule in TASK_RULES} | dict.fromkeys(
    ("funds", "amount", "votes", "value"), "_wei"
)
_NO_METHOD = (-32601, -32602)


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposal before it is one; `words` has a sentence for each call, `warnings` what would go wrong."""

    actions: Actions
    description: str
    words: list[str]
    warnings: list[str]


def read(kind: str, fields: dict[str, Any]) -> Action:
    """Read an action whose fields have their units in their names, as they are shown; DecodeError names the field."""
    return read_action(kind, _renamed(fields, _plain))


def shown(action: Action) -> dict[str, Any]:
    """An action's fields with their units in their names: amount_wei, commit_period_seconds."""
    found: dict[str, Any] = _renamed(write_fields(action), _with_unit)
    return found


def decoded(actions: Actions, deployment: Deployment) -> list[Action]:
    """What each call of a proposal does."""
    calls = zip(actions.targets, actions.values, actions.calldatas, strict=True)
    return [decode_action(target, value, data, deployment) for target, value, data in calls]


async def draft(chain: Chain, title: str, text: str, wanted: Sequence[Action]) -> Draft:
    """Write a proposal, and try its calls one after the other as the timelock would make them now."""
    actions = encode_actions(wanted, chain.deployment)
    kinds = decoded(actions, chain.deployment)
    description = description_of(title, text)
    current = await _current(chain, kinds)
    words = [describe_action(action, chain.deployment, current) for action in kinds]
    supply = await _supply(chain, kinds)
    warnings = [why for why in (warn_of(action, supply) for action in kinds) if why is not None]
    warnings += await _undecidable(chain, kinds)
    warnings += await _tried(chain, actions, [get_kind(action) for action in kinds])
    return Draft(actions, description, words, warnings)


def description_of(title: str, text: str) -> str:
    """A proposal's description as it stands on chain: the title first, marked as Markdown marks a heading."""
    return f"# {title.strip()}\n\n{text.strip()}".strip()


def tasks_of(actions: Sequence[Action]) -> list[TaskId]:
    """The tasks whose rules actions change."""
    return [action.task for action in actions if isinstance(action, ChangeRules)]


async def _supply(chain: Chain, actions: Sequence[Action]) -> Wei:
    """The tokens that have votes, where an action sets the threshold; else it does not matter."""
    if not any(isinstance(action, SetThreshold) for action in actions):
        return Wei(0)
    token, at = Token(chain), chain.head()
    others = chain.deployment.timelock, chain.deployment.distributor  # treasury and escrow have none
    return Wei(await token.total_supply(at) - sum([await token.balance_of(one, at) for one in others]))


async def _undecidable(chain: Chain, actions: Sequence[Action]) -> list[str]:
    """What lets no challenge be decided in time, where actions are about that at all."""
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


async def _current(chain: Chain, actions: Sequence[Action]) -> dict[TaskId, Rules]:
    """The rules of the tasks whose rules actions change, of those there are."""
    found = {}
    for task in tasks_of(actions):
        with suppress(Reverted):
            found[task] = await Coordinator(chain).rules_of(task, chain.head())
    return found


async def _tried(chain: Chain, actions: Actions, labels: Sequence[str]) -> list[str]:
    """What would go wrong if the timelock made the calls now, together.

    The governor takes calls to itself only while it executes a proposal that has them, so those are left out; see
    dao.gov.risks.
    """
    timelock, governor = hex_of(chain.deployment.timelock), chain.deployment.governor
    made = zip(labels, actions.targets, actions.values, actions.calldatas, strict=True)
    trials = [
        (label, {"from": timelock, "to": hex_of(target), "value": hex(value), "data": hex_of(data)})
        for label, target, value, data in made
        if target != governor
    ]
    if not trials:
        return []
    labels, calls = [label for label, _ in trials], [call for _, call in trials]
    block = hex(chain.head().number)
    try:
        [answer] = await chain.request("eth_simulateV1", {"blockStateCalls": [{"calls": calls}]}, block)
    except NodeError as error:
        if error.code not in _NO_METHOD:
            raise
        return await _tried_alone(chain, calls, labels)
    found = []
    for label, result in zip(labels, answer["calls"], strict=True):
        if int(result["status"], 16):
            continue
        why = result.get("error") or {}
        data = why.get("data") or result.get("returnData") or "0x"
        found.append(str(reverted(label, bytes.fromhex(data[2:]), str(why.get("message", "")))))
        break  # those after it are not made at all
    return found


async def _tried_alone(chain: Chain, calls: Sequence[dict[str, str]], labels: Sequence[str]) -> list[str]:
    """The same where the node cannot try calls together: each alone, but for what needs an approval before it."""
    found = []
    before = ""
    for call, label in zip(calls, labels, strict=True):
        if before != "approve":
            try:
                await chain.ask("eth_call", call, chain.head().number, label)
            except Reverted as error:
                found.append(str(error))
        before = label
    return found


def _renamed(value: Any, rename: Any) -> Any:
    if isinstance(value, dict):
        return {rename(name): _renamed(inner, rename) for name, inner in value.items()}
    return value


def _with_unit(name: str) -> str:
    return name + _SUFFIXES.get(name, "")


def _plain(name: str) -> str:
    found = name.removesuffix("_wei").removesuffix("_seconds")
    return found if _with_unit(found) == name else name
