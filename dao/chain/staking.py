"""Puts an owner's stake behind the operator of a home folder, and takes it out: a node's stake, a Superlink's bond."""

from dao.chain.client import Chain
from dao.chain.contracts import Registry, Token
from dao.chain.daemon_home import load_deployment, open_operator, open_sender
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.formats.reasons import format_tokens
from dao.core.formats.signed_messages import compute_operator_digest
from dao.core.types import ZERO_ADDRESS, Address, Timestamp, Wei, hex_of
from dao.errors import RuleError
from dao.runtime.config import HomeSettings

NOTHING = Wei(0)


async def register(settings: HomeSettings, owner: Signer, target: Wei | None = None) -> Wei:
    """Stake so many of the owner's tokens behind the operator that it has `target` in all, however often it is called.

    None is the registry's minimum, for an operator that was never registered. Returns its active stake. RuleError
    when no amount is given or it has more, the operator belongs to another owner, or the owner has too few tokens.
    """
    operator = open_operator(settings)
    async with open_sender(settings, owner) as (chain, sender):
        registry, token, at = Registry(chain), Token(chain), chain.final()
        stake = await registry.supernode(operator.address, at)
        _check_owner(operator.address, stake.owner, owner.address)
        least = await registry.minimum_stake(at) if stake.owner == ZERO_ADDRESS and target is None else None
        tokens = _compute_missing(stake.active, target if least is None else least)
        if not tokens:
            return stake.active
        balance = await token.balance_of(owner.address, at)
        if balance < tokens:
            note = " (the network's least, as no --stake was given)" if least is not None else ""
            more = " more" if stake.active else ""
            raise RuleError(
                f"owner {hex_of(owner.address)}: has {format_tokens(balance)} tokens, expected {format_tokens(tokens)}"
                f"{more} to stake{note}; have some sent to it"
            )
        if await token.allowance(owner.address, registry.address, at) < tokens:
            await sender.send(token.approve(registry.address, tokens))
        if stake.owner == owner.address:
            await sender.send(registry.add_stake(operator.address, tokens))
        else:
            consent = compute_operator_digest(
                chain.chain_id, registry.address, owner.address, operator.address
            )
            await sender.send(registry.register(operator.address, tokens, operator.sign(consent)))
        return await registry.stake_of(operator.address, chain.final())


async def unbond(settings: HomeSettings, owner: Signer, keep: Wei = NOTHING) -> Timestamp:
    """Begin to take out what is staked above `keep`; return when it can be withdrawn, in Unix seconds of block time.

    RuleError when there is nothing to take out, or the stake is another owner's.
    """
    operator = open_operator(settings).address
    async with open_sender(settings, owner) as (chain, sender):
        stake = await Registry(chain).supernode(operator, chain.final())
        _check_owner(operator, stake.owner, owner.address)
        return await start_unbonding(chain, sender, operator, keep)


async def start_unbonding(chain: Chain, sender: Sender, operator: Address, keep: Wei) -> Timestamp:
    """Have the sender, its owner, begin to take stake out; as `unbond`, for any operator.

    Where no more than `keep` is left it only returns when what is on its way can be withdrawn, so that a command that
    is repeated takes out nothing twice.
    """
    registry = Registry(chain)
    stake = await registry.supernode(operator, chain.final())
    if stake.active < keep or not (stake.active > keep or stake.unbonding):
        expected = f"expected more than the {format_tokens(keep)} to keep" if keep else "nothing to take out"
        raise RuleError(
            f"operator {hex_of(operator)}: {format_tokens(stake.active)} tokens are staked behind it, {expected}"
        )
    if stake.active == keep:
        return stake.release_time
    await sender.send(registry.unbond(operator, Wei(stake.active - keep)))
    return (await registry.supernode(operator, chain.final())).release_time


async def withdraw(settings: HomeSettings, payer: Signer | None = None) -> Wei:
    """Send released stake to the owner; return how much. `payer` pays for gas, the operator where it is None."""
    operator = open_operator(settings).address
    async with open_sender(settings, payer) as (chain, sender):
        return await take_out(chain, sender, operator)


async def take_out(chain: Chain, sender: Sender, operator: Address) -> Wei:
    """Send released stake behind an operator to its owner; return how much."""
    registry = Registry(chain)
    amount = (await registry.supernode(operator, chain.final())).unbonding
    await sender.send(registry.withdraw(operator))
    return amount


def sign_consent(settings: HomeSettings, owner: Address) -> tuple[Address, bytes]:
    """Have the operator of a home folder agree to serve an owner, which rotates to it; return it with its signature."""
    deployment, operator = load_deployment(settings), open_operator(settings)
    digest = compute_operator_digest(deployment.chain_id, deployment.registry, owner, operator.address)
    return operator.address, operator.sign(digest)


async def owner_of(chain: Chain, operator: Address) -> Address:
    """Return an operator's owner; RuleError when it is not registered."""
    owner = await Registry(chain).owner_of(operator, chain.final())
    if owner == ZERO_ADDRESS:
        raise RuleError(f"node {hex_of(operator)}: not registered; its owner stakes first: dao node register")
    return owner


def _compute_missing(active: Wei, target: Wei | None) -> Wei:
    """Return what is missing of the stake that is to be had in all; RuleError when that is less than there is."""
    if target is None:
        raise RuleError(
            f"--stake: not given, and {format_tokens(active)} tokens are staked already; expected how many it shall be"
            " in all, such as --stake 100"
        )
    if target < active:
        raise RuleError(
            f"--stake: {format_tokens(target)} in all, and {format_tokens(active)} tokens are staked already; expected"
            " at least as many, or take the rest out by unbond"
        )
    return Wei(target - active)


def _check_owner(operator: Address, registered: Address, owner: Address) -> None:
    """RuleError when an operator is registered to another owner than the one whose key is used."""
    if registered not in (ZERO_ADDRESS, owner):
        raise RuleError(
            f"operator {hex_of(operator)}: belongs to owner {hex_of(registered)}, given was the key of {hex_of(owner)};"
            " use its owner's keystore"
        )
