"""Does what `dao node …` does: sets a node up, joins and leaves tasks, claims. Each command is one function."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from dao.chain.contracts import Coordinator
from dao.chain.daemon_home import SCRYPT_WORK, create_home, open_operator, open_sender
from dao.chain.signer import Signer
from dao.chain.staking import owner_of, register, unbond, withdraw
from dao.core.types import Address, TaskId, Wei
from dao.errors import ConfigError
from node.daemon import Contents
from node.rewards import claim_due, finalize_due
from node.settings import NodeSettings, TaskSettings, put_aside, write_task

__all__ = ["ClaimOutcome", "claim", "init", "join", "leave", "register", "unbond", "withdraw"]


@dataclass(frozen=True, slots=True)
class ClaimOutcome:
    """What a claim paid, and the rounds that it finalized first."""

    task: TaskId
    finalized: Sequence[int]
    paid: Wei


def init(
    home: Path, rpc: str | None = None, deployment: Path | None = None, *, work: int = SCRYPT_WORK
) -> Address:
    """Create a node's home folder; arguments and errors as `create_home` has them."""
    return create_home(NodeSettings, home, rpc, deployment, work)


async def join(settings: NodeSettings, owner: Signer, task: TaskId, task_settings: TaskSettings) -> None:
    """Take part in a task from its next round on, with these settings of it."""
    node = open_operator(settings).address
    async with open_sender(settings, owner) as (chain, sender):
        coordinator = Coordinator(chain)
        await coordinator.rules_of(task, chain.final())  # Reverted when there is no such task
        if not await coordinator.is_joined(task, node, chain.final()):
            await sender.send(coordinator.join(task, node))
    write_task(settings, task, task_settings)


async def leave(settings: NodeSettings, task: TaskId, owner: Signer | None = None) -> None:
    """Leave a task, but keep its settings to claim by; `owner` sends the call, the operator where it is None."""
    node = open_operator(settings).address
    async with open_sender(settings, owner) as (chain, sender):
        coordinator = Coordinator(chain)
        if await coordinator.is_joined(task, node, chain.final()):
            await sender.send(coordinator.leave(task, node))
    put_aside(settings, task)


async def claim(
    settings: NodeSettings, payer: Signer | None = None, tasks: Sequence[TaskId] = ()
) -> list[ClaimOutcome]:
    """Pay the node's owner what the node earned in these tasks; none: all of this node's.

    `payer` pays for gas, the operator where it is None. Rounds whose challenge window is over are finalized first, so
    that nobody need wait for the Superlink.
    """
    known_tasks = settings.known_tasks()
    if not known_tasks:
        raise ConfigError(f"{settings.home}: has taken part in no task, so there is nothing to claim")
    if unknown := [task for task in tasks if task not in known_tasks]:
        raise ConfigError(f"task {unknown[0]}: not one of this node's; expected one of {[*known_tasks]}")
    outcomes = []
    async with open_sender(settings, payer) as (chain, sender), AsyncExitStack() as stack:
        owner = await owner_of(chain, open_operator(settings).address)
        contents = Contents(settings, chain.domain, None, stack)
        for task in tasks or known_tasks:
            store, _ = contents.open_task(known_tasks[task], is_awaited=True)
            finalized = await finalize_due(chain, sender, task)
            amount = await claim_due(chain, sender, store, task, owner)
            outcomes.append(ClaimOutcome(task, finalized, amount))
    return outcomes
