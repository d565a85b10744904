"""Does what `dao node …` does: sets a node up, joins and leaves tasks, claims. Each command is one function."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from dao.app.bundle import MAX_BYTES
from dao.chain.contracts import Coordinator
from dao.chain.daemon_home import SCRYPT_WORK, connect_chain, create_home, open_operator, open_sender
from dao.chain.signer import Signer
from dao.chain.staking import owner_of, register, unbond, withdraw
from dao.core.constants import MAX_CARD
from dao.core.types import Address, Digest, TaskId, Wei, hex_of
from dao.errors import ConfigError
from node.approvals import AppApproval, Approvals, describe_difference, list_files
from node.check.rehearsal import SiteApp
from node.check.site_check import SiteReport, check_site
from node.check.task_inputs import fetch_inputs
from node.daemon import Contents
from node.rewards import claim_due, finalize_due
from node.settings import NodeSettings, TaskSettings, put_aside, write_task
from node.task_memory import find_node_shortage

__all__ = [
    "AppToApprove",
    "ClaimOutcome",
    "approve",
    "approve_digests",
    "check",
    "claim",
    "describe_app",
    "fetch_app",
    "find_shortage",
    "init",
    "join",
    "leave",
    "register",
    "unbond",
    "withdraw",
]


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


async def check(
    settings: NodeSettings, task: TaskId, task_settings: TaskSettings, *, runs_app: bool
) -> SiteReport:
    """Check this node's data for a task and, where `runs_app`, the app on them; ContentError where it cannot be had.

    Unreachable where the task's Superlink does not answer: the app may be here already, and no round could be played.
    """
    python = task_settings.app_python or Path(sys.executable)
    site = SiteApp(settings.at(task_settings.data), settings.at(python), settings.sandbox, settings.threads)
    async with connect_chain(settings) as chain, AsyncExitStack() as stack:
        store, client = Contents(settings, chain.domain, None, stack).open_task(
            task_settings, is_awaited=True
        )
        await client.health()
        inputs = await fetch_inputs(chain, store, task)
        return await check_site(inputs, site, runs_app=runs_app, least_rows=task_settings.least_rows)


async def find_shortage(settings: NodeSettings, task: TaskId) -> str:
    """Return in words what memory is missing for a task now, "" where none is; ConfigError where it can never be had here."""
    async with connect_chain(settings) as chain:
        return await find_node_shortage(chain, settings, [task])


async def join(settings: NodeSettings, owner: Signer, task: TaskId, task_settings: TaskSettings) -> None:
    """Take part in a task from its next round on, with these settings of it."""
    node = open_operator(settings).address
    async with open_sender(settings, owner) as (chain, sender):
        coordinator = Coordinator(chain)
        await coordinator.rules_of(task, chain.final())  # Reverted when there is no such task
        if not await coordinator.is_joined(task, node, chain.final()):
            await sender.send(coordinator.join(task, node))
    write_task(settings, task, task_settings)


@dataclass(frozen=True, slots=True)
class AppToApprove:
    """The app of a task with its card, as its owner reads them, and what was approved before, if anything."""

    app: Digest
    card: Digest
    is_approved: bool
    bundle: bytes
    card_content: bytes
    before: tuple[AppApproval, Mapping[str, str]] | None


def describe_app(shown: AppToApprove) -> Iterator[str]:
    """Yield what the owner reads before he approves, a line each: an app that he approved with another card is not shown again."""
    last, before = shown.before or (None, {})
    yield f"app {hex_of(shown.app)}, card {hex_of(shown.card)}:"
    if last is None:
        yield "all of both, as none was approved before"
    else:
        yield f"as they differ from app {hex_of(last.app)}, card {hex_of(last.card)}, which were approved last"
    yield from describe_difference(list_files(shown.bundle, shown.card_content), before)


async def fetch_app(settings: NodeSettings, task: TaskId, task_settings: TaskSettings) -> AppToApprove:
    """Fetch the app of a task, and its card, for its owner to read; ContentError where one cannot be had."""
    approvals = Approvals(settings.home)
    async with connect_chain(settings) as chain, AsyncExitStack() as stack:
        rules = await Coordinator(chain).rules_of(task, chain.final())
        store, _ = Contents(settings, chain.domain, None, stack).open_task(task_settings, is_awaited=True)
        bundle = (await store.get(rules.app_hash, MAX_BYTES)).read_bytes()
        card = (await store.get(rules.card, MAX_CARD)).read_bytes()
    is_approved = approvals.is_approved(rules.app_hash, rules.card)
    return AppToApprove(rules.app_hash, rules.card, is_approved, bundle, card, approvals.read_last())


async def approve_digests(settings: NodeSettings, task: TaskId, digests: Sequence[Digest]) -> None:
    """Record that the owner lets the app and the card of a task be used that he names by their digests.

    ConfigError where one is neither named nor approved, or something else is named: it has changed since he read it, or he
    did not read it.
    """
    approvals = Approvals(settings.home)
    async with connect_chain(settings) as chain:
        rules = await Coordinator(chain).rules_of(task, chain.final())
    for digest in digests:
        if digest not in (rules.app_hash, rules.card):
            raise ConfigError(
                f"task {task}: its app is {hex_of(rules.app_hash)} and its card {hex_of(rules.card)}, neither is "
                f"{hex_of(digest)}; read them before you approve them: dao node approve {task}"
            )
    known = {
        "app": approvals.is_approved(rules.app_hash),
        "card": approvals.is_approved(rules.app_hash, rules.card),
    }
    for name, digest in (("app", rules.app_hash), ("card", rules.card)):
        if digest not in digests and not known[name]:
            raise ConfigError(
                f"task {task}: its {name} is {hex_of(digest)}, which you neither approved nor name; read it before you "
                f"approve it: dao node approve {task}"
            )
    approvals.approve(task, rules.app_hash, rules.card)


def approve(settings: NodeSettings, task: TaskId, shown: AppToApprove) -> None:
    """Record that the owner lets an app run on this node's data, with a card, as he read them."""
    approvals = Approvals(settings.home)
    approvals.keep(shown.app, shown.bundle)
    approvals.keep(shown.card, shown.card_content)
    approvals.approve(task, shown.app, shown.card)


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
