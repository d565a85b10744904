"""What `dao node …` does: set a node up, stake, join, leave, claim, take stake out. Each command is one function."""

import os
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Registry, Token
from dao.chain.deployment import keep_deployment
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.errors import ConfigError, KeyFileError, RuleError
from dao.core.formats.signed_messages import compute_operator_digest
from dao.core.reasons import format_tokens
from dao.core.types import ZERO_ADDRESS, Address, TaskId, Timestamp, Wei, hex_of
from dao.gov.schedule import moment
from dao.runtime.config import FILE, PASSWORD_VARIABLE
from node.daemon import Contents, alone, connected, operator, outbox
from node.rewards import claim_due, finalize_due
from node.settings import NodeSettings, TaskSettings, put_aside, write_task

SCRYPT_WORK = 262_144


@dataclass(frozen=True, slots=True)
class ClaimOutcome:
    """What a claim paid, and what had to be finalized first."""

    task: TaskId
    finalized: Sequence[int]
    paid: Wei


def init(
    home: Path, url: str | None = None, deployment: Path | None = None, *, work: int = SCRYPT_WORK
) -> Address:
    """Make a home folder with an operator key, a password unless COMMONWEIGHT_PASSWORD has one, and settings.

    Only this user can read it. `deployment` is the network's file, which is copied; `url`, the address of a node of its
    chain, is written down, or what the settings have without. KeyFileError when there is a key already.
    """
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    told = {"chain": {"url": url}} if url is not None and not (home / FILE).exists() else {}
    settings = NodeSettings.load(home, **told)
    if settings.at(settings.key.keystore).exists():
        raise KeyFileError(f"{home}: has an operator's key already; choose another folder by --home")
    if deployment is not None:
        keep_deployment(deployment, home)
    password = os.environ.get(PASSWORD_VARIABLE) or _new_password(settings.at(settings.key.password))
    signer = Signer.create(settings.at(settings.key.keystore), password, work)
    if not (home / FILE).exists():
        (home / FILE).write_text(f'[chain]\nurl = "{settings.chain.url}"\n', encoding="utf-8")
    return signer.address


async def register(settings: NodeSettings, owner: Signer, amount: Wei | None = None) -> Wei:
    """Stake `amount` of the owner's tokens behind this node; more where it has some.

    None is the registry's minimum, for a node that was never registered. Returns the node's active stake. RuleError
    when there is no amount to add, it belongs to another owner, or the owner has too few tokens.
    """
    node = operator(settings)
    async with _sending(settings, owner) as (chain, sender):
        registry, token, at = Registry(chain), Token(chain), chain.final()
        held = await registry.supernode(node.address, at)
        _check_owner(node.address, held.owner, owner.address)
        if amount is None and held.owner != ZERO_ADDRESS:  # a second time would take as much again, unasked
            raise RuleError(
                f"--stake: not given, and {format_tokens(held.active)} tokens are staked already; expected how many"
                " to add to them, such as --stake 100"
            )
        wanted = amount if amount is not None else await registry.minimum_stake(at)
        balance = await token.balance_of(owner.address, at)
        if balance < wanted:
            least = " (the network's least, as no --stake was given)" if amount is None else ""
            raise RuleError(
                f"owner {hex_of(owner.address)}: has {format_tokens(balance)} tokens, expected {format_tokens(wanted)}"
                f" to stake{least}; have some sent to it"
            )
        if await token.allowance(owner.address, registry.address, at) < wanted:
            await sender.send(token.approve(registry.address, wanted))
        if held.owner == owner.address:
            await sender.send(registry.add_stake(node.address, wanted))
        else:
            consent = compute_operator_digest(chain.chain_id, registry.address, owner.address, node.address)
            await sender.send(registry.register(node.address, wanted, node.sign(consent)))
        return await registry.stake_of(node.address, chain.final())


async def join(settings: NodeSettings, owner: Signer, task: TaskId, given: TaskSettings) -> None:
    """Take part in a task from its next round on, with these settings of it."""
    node = operator(settings).address
    async with _sending(settings, owner) as (chain, sender):
        coordinator = Coordinator(chain)
        await coordinator.rules_of(task, chain.final())  # Reverted when there is no such task
        if not await coordinator.is_joined(task, node, chain.final()):
            await sender.send(coordinator.join(task, node))
    write_task(settings, task, given)


async def leave(settings: NodeSettings, task: TaskId, owner: Signer | None = None) -> None:
    """Take part in a task no longer, and keep its settings to claim by; sent by the owner, or by the operator where None is given."""
    node = operator(settings).address
    async with _sending(settings, owner) as (chain, sender):
        coordinator = Coordinator(chain)
        if await coordinator.is_joined(task, node, chain.final()):
            await sender.send(coordinator.leave(task, node))
    put_aside(settings, task)


async def claim(
    settings: NodeSettings, payer: Signer | None = None, tasks: Sequence[TaskId] = ()
) -> list[ClaimOutcome]:
    """Have the node's owner paid what it earned in these tasks; none: all of this node's.

    `payer` pays for gas, the operator where it is None. Rounds whose challenge window is over are finalized first, so
    that nobody need wait for the Superlink.
    """
    given = settings.known_tasks()
    if not given:
        raise ConfigError(f"{settings.home}: has taken part in no task, so there is nothing to claim")
    if unknown := [task for task in tasks if task not in given]:
        raise ConfigError(f"task {unknown[0]}: not one of this node's; expected one of {[*given]}")
    paid = []
    async with _sending(settings, payer) as (chain, sender), AsyncExitStack() as stack:
        owner = await owner_of(chain, operator(settings).address)
        contents = Contents(settings, chain.domain, None, stack)
        for task in tasks or given:
            store, _ = contents.of_task(given[task], is_awaited=True)
            finalized = await finalize_due(chain, sender, task)
            amount = await claim_due(chain, sender, store, task, owner)
            paid.append(ClaimOutcome(task, finalized, amount))
    return paid


async def unbond(settings: NodeSettings, owner: Signer, amount: Wei | None = None) -> Timestamp:
    """Begin to take stake out (None: all of it); return when it can be withdrawn, in Unix seconds of block time.

    RuleError when nothing is staked, or the stake is another owner's.
    """
    node = operator(settings).address
    async with _sending(settings, owner) as (chain, sender):
        registry = Registry(chain)
        held = await registry.supernode(node, chain.final())
        _check_owner(node, held.owner, owner.address)
        if not held.active:
            under_way = f"{format_tokens(held.unbonding)} tokens are taken out already; withdraw them from"
            why = f"{under_way} {moment(held.release_time)} on" if held.unbonding else "nothing to take out"
            raise RuleError(f"operator {hex_of(node)}: nothing is staked behind it; {why}")
        await sender.send(registry.unbond(node, held.active if amount is None else amount))
        return (await registry.supernode(node, chain.final())).release_time


async def withdraw(settings: NodeSettings, payer: Signer | None = None) -> Wei:
    """Send released stake to the owner; return how much. `payer` pays for gas, the operator where it is None."""
    node = operator(settings).address
    async with _sending(settings, payer) as (chain, sender):
        registry = Registry(chain)
        amount = (await registry.supernode(node, chain.final())).unbonding
        await sender.send(registry.withdraw(node))
        return amount


async def owner_of(chain: Chain, node: Address) -> Address:
    """Return a node's owner; RuleError when it is not registered."""
    owner = await Registry(chain).owner_of(node, chain.final())
    if owner == ZERO_ADDRESS:
        raise RuleError(f"node {hex_of(node)}: not registered; its owner stakes first: dao node register")
    return owner


def _check_owner(node: Address, found: Address, given: Address) -> None:
    """RuleError when a registered operator belongs to another owner than the one whose key is given."""
    if found not in (ZERO_ADDRESS, given):
        raise RuleError(
            f"operator {hex_of(node)}: belongs to owner {hex_of(found)}, given was the key of {hex_of(given)}; use its"
            " owner's keystore"
        )


@asynccontextmanager
async def _sending(settings: NodeSettings, signer: Signer | None) -> AsyncIterator[tuple[Chain, Sender]]:
    """Open the chain and an account's way to it; None: the operator's.

    LockedError where that is its running daemon's: the two would use the same nonces.
    """
    sending = signer or operator(settings)
    with alone(settings, sending.address) if signer is None else nullcontext():
        async with (
            connected(settings) as chain,
            Sender(chain, sending, outbox(settings, sending.address)) as sender,
        ):
            yield chain, sender


def _new_password(path: Path) -> str:
    password = secrets.token_urlsafe(32)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password)
    return password
