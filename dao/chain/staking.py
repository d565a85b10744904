"""Puts an owner's stake behind the operator of a home folder, and takes it out: a node's stake, a Superlink's bond."""

from dao.chain.block_clock import format_time
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


async def register(settings: HomeSettings, owner: Signer, amount: Wei | None = None) -> Wei:
    """Stake `amount` of the owner's tokens behind the operator; more where it has some.

    None is the registry's minimum, for an operator that was never registered. Returns its active stake. RuleError
    when there is no amount to add, the operator belongs to another owner, or the owner has too few tokens.
    """
    operator = open_operator(settings)
    async with open_sender(settings, owner) as (chain, sender):
        registry, token, at = Registry(chain), Token(chain), chain.final()
        stake = await registry.supernode(operator.address, at)
        _check_owner(operator.address, stake.owner, owner.address)
        if amount is None and stake.owner != ZERO_ADDRESS:  # a second time would take as much again, unasked
            raise RuleError(
                f"--stake: not given, and {format_tokens(stake.active)} tokens are staked already; expected how many"
                " to add to them, such as --stake 100"
            )
        tokens = amount if amount is not None else await registry.minimum_stake(at)
        balance = await token.balance_of(owner.address, at)
        if balance < tokens:
            least = " (the network's least, as no --stake was given)" if amount is None else ""
            raise RuleError(
                f"owner {hex_of(owner.address)}: has {format_tokens(balance)} tokens, expected {format_tokens(tokens)}"
                f" to stake{least}; have some sent to it"
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


async def unbond(settings: HomeSettings, owner: Signer, amount: Wei | None = None) -> Timestamp:
    """Begin to take stake out (None: all of it); return when it can be withdrawn, in Unix seconds of block time.

    RuleError when nothing is staked, or the stake is another owner's.
    """
    operator = open_operator(settings).address
    async with open_sender(settings, owner) as (chain, sender):
        stake = await Registry(chain).supernode(operator, chain.final())
        _check_owner(operator, stake.owner, owner.address)
        return await start_unbonding(chain, sender, operator, amount)


async def start_unbonding(chain: Chain, sender: Sender, operator: Address, amount: Wei | None) -> Timestamp:
    """Have the sender, its owner, begin to take stake out; as `unbond`, for any operator."""
    registry = Registry(chain)
    stake = await registry.supernode(operator, chain.final())
    if not stake.active:
        under_way = f"{format_tokens(stake.unbonding)} tokens are taken out already; withdraw them from"
        why = (
            f"{under_way} {format_time(stake.release_time)} on" if stake.unbonding else "nothing to take out"
        )
        raise RuleError(f"operator {hex_of(operator)}: nothing is staked behind it; {why}")
    await sender.send(registry.unbond(operator, stake.active if amount is None else amount))
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


def _check_owner(operator: Address, registered: Address, owner: Address) -> None:
    """RuleError when an operator is registered to another owner than the one whose key is used."""
    if registered not in (ZERO_ADDRESS, owner):
        raise RuleError(
            f"operator {hex_of(operator)}: belongs to owner {hex_of(registered)}, given was the key of {hex_of(owner)};"
            " use its owner's keystore"
        )
