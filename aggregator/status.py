"""Answers "how is my Superlink?": from its status stream, and from the chain where that answers."""

import asyncio
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from aggregator.awaited import Awaited, list_awaited
from aggregator.retention import measure_kept
from aggregator.round_contents import RoundContents
from aggregator.settings import SuperlinkSettings
from dao.chain.contracts import Coordinator, Registry
from dao.chain.daemon_home import connect_chain, open_operator
from dao.chain.demanding import describe_open_demands
from dao.core.formats.reasons import format_tokens
from dao.core.types import TaskId, hex_of
from dao.errors import DaoError
from dao.runtime.locks import find_holder
from dao.runtime.status_events import read_status_events
from dao.store.folder import FolderSource


@dataclass(frozen=True, slots=True)
class SuperlinkStatus:
    """A Superlink: `fields` by name, amounts in tokens as text; whom its round awaits; its newest events, oldest first."""

    fields: dict[str, object]
    awaited: list[Awaited]
    events: list[dict[str, Any]]


async def read_status(settings: SuperlinkSettings, last: int) -> SuperlinkStatus:
    """Read whether it runs, its bond and task on chain, and its last events; `trouble` names what could not be read."""
    events = read_status_events(settings.home / "status.jsonl")
    is_running = find_holder(settings.home / "lock") is not None
    serving = next((event for event in reversed(events) if event["event"] == "serving"), None)
    number = settings.task or (serving and serving["task"])
    task = None if number is None else TaskId(number)
    fields: dict[str, object] = {
        "running": is_running,
        "address": serving["address"] if serving and is_running else None,
        "task": task,
    }
    try:
        if task is not None:
            fields |= await asyncio.to_thread(_read_kept, settings, task)
        fields |= await _read_chain(settings, task)
    except DaoError as error:
        fields["trouble"] = str(error)
    return SuperlinkStatus(fields, list_awaited(events) if is_running else [], events[-last:])


def _read_kept(settings: SuperlinkSettings, task: TaskId) -> dict[str, object]:
    """Return what of the rounds is in the store; nothing before the first start."""
    path = settings.home / "contents.db"
    if not path.exists():
        return {}
    with closing(RoundContents(path)) as contents:
        kept = measure_kept(task, contents, FolderSource(settings.home / "store").path_of)
    span = f"{len(kept.rounds)}, {kept.rounds[0]} to {kept.rounds[-1]}" if kept.rounds else "0"
    return {
        "kept_rounds": span,
        "kept_mb": round(kept.round_bytes / 1e6, 1),
        "kept_shards_mb": round(kept.shard_bytes / 1e6, 1),
        "kept_for_good_mb": round(kept.good_bytes / 1e6, 1),
    }


async def _read_chain(settings: SuperlinkSettings, task: TaskId | None) -> dict[str, object]:
    """Read what the chain says of the operator and its task."""
    operator = open_operator(settings).address
    async with connect_chain(settings) as chain:
        at, coordinator = chain.final(), Coordinator(chain)
        stake = await Registry(chain).supernode(operator, at)
        fields: dict[str, object] = {
            "operator": hex_of(operator),
            "stake": format_tokens(stake.active_of(operator)),
        }
        if task is not None:
            state = await coordinator.task_of(task, at)
            newest = await coordinator.round_of(task, state.last_round, at)
            bond = (await coordinator.rules_of(task, at)).superlink_bond
            fields |= {
                "bond": format_tokens(bond),
                "round": state.last_round,
                "phase": newest.phase.name.lower(),
                "demands": "; ".join(await describe_open_demands(chain, task)) or "none",
            }
        gas = await chain.request("eth_getBalance", hex_of(operator), "latest")
        return fields | {"gas_money": format_tokens(int(gas, 16))}
