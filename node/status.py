"""Answers "how is my node?" and "why did I earn nothing?": from the journal, and from the chain where that answers."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from dao.audit.task_waits import read_missing, read_waits
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Registry
from dao.chain.daemon_home import connect_chain, journal_file, load_deployment, open_operator
from dao.chain.demanding import describe_open_demands
from dao.core.types import ZERO_ADDRESS, Address, Domain, Rules, TaskId, hex_of
from dao.errors import ContentError, DaoError
from dao.gov.card_words import read_card_words
from dao.runtime.locks import find_holder
from dao.store.source import Source
from node.approvals import Approvals, NotApproved
from node.daemon import Contents
from node.journal import RoundNote, SupernodeJournal
from node.privacy.accounting import compute_epsilon
from node.privacy.ledger import USED_UP, PrivacyLedger
from node.rewards import read_standing
from node.round_auditor import AUDIT
from node.self_defence import NOTHING
from node.settings import NodeSettings, TaskSettings
from node.state_notes import StateNotes
from node.submission import LINE
from node.update_maker import OWN_ALONE

LIMIT = 20.0  # seconds for all answers of chain and Superlinks


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
    """One task; wei as text, None where it could not be read (`trouble` says why)."""

    task: int
    joined: bool | None = None
    claimable_wei: str | None = None
    claimed_wei: str | None = None
    card: dict[str, str] = field(default_factory=dict)  # what it says of the task, in words
    privacy: str = ""  # what private updates have told, of the budget; "" where they are not private
    approval: str = ""  # what the owner has to do before the task's app runs
    not_ready: str = ""  # why the daemon was not ready when it last looked
    trouble: str = ""
    waits: list[str] = field(default_factory=list)  # whom the newest round waits for, in words
    missing: list[str] = field(default_factory=list)  # who was missing in the newest result, in words
    demands: list[str] = field(default_factory=list)  # open ones, in words


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


async def read_status(settings: NodeSettings, last: int = 10) -> NodeStatus:
    """Read how a node is and what came of its last rounds. DaoError only where its own files are wrong."""
    node, deployment = open_operator(settings).address, load_deployment(settings)
    domain = Domain(deployment.chain_id, deployment.coordinator)
    journal = SupernodeJournal(journal_file(settings), domain, node)
    try:
        rounds = [_round_status(note) for note in journal.notes(last=last)]
    finally:
        journal.close()
    tasks = settings.known_tasks()
    status = NodeStatus(
        hex_of(node),
        find_holder(settings.home / "lock") is not None,
        rounds=rounds,
        tasks=[
            TaskStatus(
                task,
                privacy=_read_privacy(settings, tasks[task]),
                not_ready=StateNotes(settings.home, task).read() or "",
            )
            for task in tasks
        ],
    )
    try:
        async with asyncio.timeout(LIMIT), connect_chain(settings) as chain:
            await _read_chain(settings, chain, status, tasks)
    except TimeoutError:
        status.trouble = f"{settings.chain.rpc}: no answer within {LIMIT:.0f} s; is the chain's node running?"
    except DaoError as error:
        status.trouble = str(error)
    return status


def _read_privacy(settings: NodeSettings, task_settings: TaskSettings) -> str:
    """Say what the site's private updates have told together, beside what one task's owner allows."""
    private = task_settings.privacy
    if private is None:
        return ""
    ledger = PrivacyLedger(settings.at(settings.ledger))
    try:
        noises = ledger.read_noises()
    finally:
        ledger.close()
    spent = compute_epsilon(noises, private.delta)
    is_over = compute_epsilon([*noises, private.noise], private.delta) > private.epsilon_budget
    over = f": {USED_UP}" if is_over else ""
    return f"epsilon {spent:.3g} of {private.epsilon_budget:g} spent, at delta {private.delta:g}{over}"


async def _read_chain(
    settings: NodeSettings, chain: Chain, status: NodeStatus, tasks: Mapping[TaskId, TaskSettings]
) -> None:
    node, at = open_operator(settings).address, chain.final()
    stake, gas = await asyncio.gather(
        Registry(chain).supernode(node, at), chain.request("eth_getBalance", hex_of(node), hex(at.number))
    )
    status.block, status.gas_wei = at.number, str(int(gas, 16))
    status.owner = None if stake.owner == ZERO_ADDRESS else hex_of(stake.owner)
    status.stake_wei, status.unbonding_wei = str(stake.active_of(node)), str(stake.unbonding)
    status.release_time = stake.release_time
    async with AsyncExitStack() as stack:
        contents = Contents(settings, chain.domain, None, stack)
        for task in status.tasks:
            try:
                task.joined = await Coordinator(chain).is_joined(TaskId(task.task), node, at)
                rules = await Coordinator(chain).rules_of(TaskId(task.task), at)
                _read_approval(settings, task, tasks, rules)
                task.demands = await describe_open_demands(chain, TaskId(task.task))
                store, _ = contents.open_task(tasks[TaskId(task.task)], is_awaited=True)
                task.card = await read_card_words(store, rules.card)
                task.waits = [_name(str(wait), node) for wait in await read_waits(chain, TaskId(task.task))]
                await read_rewards(chain, store, task, stake.owner, LIMIT / 2 / len(status.tasks))
                missing = await read_missing(chain, TaskId(task.task), store)
                task.missing = [_name(str(one), node) for one in missing]
            except DaoError as error:
                task.trouble = str(error)


def _name(line: str, node: Address) -> str:
    """Say "this node" of this one."""
    return line.replace(hex_of(node), "this node")


def _read_approval(
    settings: NodeSettings, task: TaskStatus, tasks: Mapping[TaskId, TaskSettings], rules: Rules
) -> None:
    if TaskId(task.task) not in tasks or not task.joined:
        return
    card = None if tasks[TaskId(task.task)].follow_card else rules.card
    try:
        Approvals(settings.home).require(TaskId(task.task), rules.app_hash, card)
    except NotApproved as error:
        task.approval = str(error).partition(": ")[2]


async def read_rewards(chain: Chain, store: Source, task: TaskStatus, owner: Address, limit: float) -> None:
    """Read an owner's rewards within `limit` seconds; else ContentError, for the chain answered at once."""
    try:
        async with asyncio.timeout(limit):
            rewards = await read_standing(chain, store, TaskId(task.task), owner)
    except TimeoutError:
        raise ContentError(
            f"the manifest of its last final round cannot be had within {limit:.0f} s; does its Superlink run?"
        ) from None
    task.claimable_wei, task.claimed_wei = str(rewards.claimable), str(rewards.claimed)


def _round_status(note: RoundNote) -> RoundStatus:
    facts = dict(note.facts)
    score = facts.pop("score", None)
    state = facts.pop("status", None)
    fault = facts.get("checked", NOTHING)  # what the node found wrong of itself in the result
    alone, audited = facts.get(OWN_ALONE), facts.get(AUDIT)
    more = [
        str(one)
        for one in (
            "" if fault == NOTHING else fault,
            facts.get(LINE),
            alone and f"trained on own rows alone: {alone}",
            audited,
        )
        if one
    ]
    return RoundStatus(
        note.task,
        note.round,
        str(note.step),
        "; ".join([note.reason, *more] if note.reason else more),
        None if state is None else str(state),
        score if isinstance(score, int) else None,
        str(facts.pop("reward_wei", "0")),
        facts,
    )
