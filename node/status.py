"""Answers "how is my node?" and "why did I earn nothing?": from the journal, and from the chain where it answers."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Registry
from dao.chain.deployment import Deployment
from dao.core.errors import ContentError, DaoError
from dao.core.types import ZERO_ADDRESS, Address, Domain, TaskId, hex_of
from dao.runtime.locks import is_running
from dao.store.source import Source
from node.daemon import Contents, connected, operator
from node.journal import RoundNote, SupernodeJournal
from node.rewards import standing
from node.settings import NodeSettings, TaskSettings

LIMIT = 20.0  # seconds for all that is asked of chain and Superlinks


@dataclass
class RoundStatus:
    """One round: how far the node came, what it earned, and why not more."""

    task: int
    round: int
    step: str
    reason: str
    status: str | None  # ok late withheld invalid clipped gated
    score: int | None  # millionths of loss
    reward_wei: str
    facts: Mapping[str, object]


@dataclass
class TaskStatus:
    """One task; wei as text, None where it could not be found out (`trouble` says why)."""

    task: int
    joined: bool | None = None
    claimable_wei: str | None = None
    claimed_wei: str | None = None
    trouble: str = ""


@dataclass
class NodeStatus:
    """A node; amounts in wei as text, None where the chain does not answer (`trouble` says why)."""

    operator: str
    running: bool
    owner: str | None = None
    stake_wei: str | None = None
    unbonding_wei: str | None = None
    release_time: int | None = None
    gas_wei: str | None = None
    block: int | None = None
    trouble: str = ""
    tasks: list[TaskStatus] = field(default_factory=list)
    rounds: list[RoundStatus] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


async def status(settings: NodeSettings, last: int = 10) -> NodeStatus:
    """Find out how a node is and what came of its last rounds. DaoError only where its own files are wrong."""
    node = operator(settings).address
    deployment = Deployment.load(settings.at(settings.chain.deployment))
    journal = SupernodeJournal(
        settings.home / "journal.sqlite", Domain(deployment.chain_id, deployment.coordinator), node
    )
    try:
        rounds = [_round(note) for note in journal.notes(last=last)]
    finally:
        journal.close()
    given = settings.known_tasks()
    found = NodeStatus(
        hex_of(node), is_running(settings.home), rounds=rounds, tasks=[TaskStatus(task) for task in given]
    )
    try:
        async with asyncio.timeout(LIMIT), connected(settings) as chain:
            await _ask_chain(settings, chain, found, given)
    except TimeoutError:
        found.trouble = f"{settings.chain.rpc}: no answer within {LIMIT:.0f} s; is the chain's node running?"
    except DaoError as error:
        found.trouble = str(error)
    return found


async def _ask_chain(
    settings: NodeSettings, chain: Chain, found: NodeStatus, given: Mapping[TaskId, TaskSettings]
) -> None:
    node, at = operator(settings).address, chain.final()
    held, gas = await asyncio.gather(
        Registry(chain).supernode(node, at), chain.request("eth_getBalance", hex_of(node), hex(at.number))
    )
    found.block, found.gas_wei = at.number, str(int(gas, 16))
    found.owner = None if held.owner == ZERO_ADDRESS else hex_of(held.owner)
    found.stake_wei, found.unbonding_wei, found.release_time = (
        str(held.active),
        str(held.unbonding),
        held.release_time,
    )
    async with AsyncExitStack() as stack:
        contents = Contents(settings, chain.domain, None, stack)
        for task in found.tasks:
            try:
                task.joined = await Coordinator(chain).is_joined(TaskId(task.task), node, at)
                store, _ = contents.of_task(given[TaskId(task.task)], is_awaited=True)
                await ask_rewards(chain, store, task, held.owner, LIMIT / 2 / len(found.tasks))
            except DaoError as error:
                task.trouble = str(error)


async def ask_rewards(chain: Chain, store: Source, task: TaskStatus, owner: Address, limit: float) -> None:
    """Find out an owner's rewards within `limit` seconds; else ContentError, for the chain answered at once."""
    try:
        async with asyncio.timeout(limit):
            rewards = await standing(chain, store, TaskId(task.task), owner)
    except TimeoutError:
        raise ContentError(
            f"the manifest of its last final round cannot be had within {limit:.0f} s; does its Superlink run?"
        ) from None
    task.claimable_wei, task.claimed_wei = str(rewards.claimable), str(rewards.claimed)


def _round(note: RoundNote) -> RoundStatus:
    facts = dict(note.facts)
    score = facts.pop("score", None)
    state = facts.pop("status", None)
    return RoundStatus(
        note.task,
        note.round,
        str(note.step),
        note.reason,
        None if state is None else str(state),
        score if isinstance(score, int) else None,
        str(facts.pop("reward_wei", "0")),
        facts,
    )
