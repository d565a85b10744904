"""Turns events of stakes, tokens and delegations into rows."""

from dataclasses import replace

from dao.chain import events as on
from dao.chain import governance_events
from dao.core.types import ZERO_ADDRESS, Address, Wei, hex_of
from dao.errors import RpcError
from dao.index.rows import AccountRow, SettingsRow, SupernodeRow
from dao.index.training_reducer import compute_place
from dao.index.unit_of_work import UnitOfWork


def register_operator(event: on.Registered, uow: UnitOfWork) -> None:
    """Register an operator with its owner and stake."""
    uow.put(SupernodeRow(event.owner, event.timestamp, event.amount), event.operator)
    _add_stake(event.owner, event.amount, uow)


def rotate_operator(event: on.Rotated, uow: UnitOfWork) -> None:
    """Move the stake of an operator to the one that replaces it."""
    node = uow.get(SupernodeRow, event.operator)
    uow.put(replace(node, registered_at=event.timestamp, revoked=False), event.successor)
    gone = SupernodeRow(node.owner, node.registered_at, revoked=True, successor=event.successor)
    uow.put(gone, event.operator)


def revoke_operator(event: on.Revoked, uow: UnitOfWork) -> None:
    """Revoke an operator, whose stake stays."""
    uow.put(replace(uow.get(SupernodeRow, event.operator), revoked=True), event.operator)


def change_stake(event: on.StakeAdded | on.Unbonding | on.Withdrawn | on.Slashed, uow: UnitOfWork) -> None:
    """Add, unbond, withdraw or slash an operator's stake."""
    node = uow.get(SupernodeRow, event.operator)
    match event:
        case on.StakeAdded():
            uow.put(replace(node, active=Wei(node.active + event.amount)), event.operator)
            _add_stake(node.owner, event.amount, uow)
        case on.Unbonding():
            active, unbonding = Wei(node.active - event.amount), Wei(node.unbonding + event.amount)
            node = replace(node, active=active, unbonding=unbonding, release_time=event.release_time)
            uow.put(node, event.operator)
        case on.Withdrawn():
            uow.put(replace(node, unbonding=Wei(node.unbonding - event.amount)), event.operator)
            _add_stake(node.owner, -event.amount, uow)
        case on.Slashed():
            from_active = min(event.amount, node.active)
            node = replace(
                node,
                active=Wei(node.active - from_active),
                unbonding=Wei(node.unbonding - (event.amount - from_active)),
                slashed=Wei(node.slashed + event.amount),
            )
            uow.put(node, event.operator)
            _add_stake(node.owner, -event.amount, uow)


def transfer_tokens(event: governance_events.Transfer, uow: UnitOfWork) -> None:
    """Transfer, mint or burn tokens; RpcError where the sender has fewer than the event says."""
    network, value = uow.network, event.value
    if event.sender == ZERO_ADDRESS:
        uow.change_settings(lambda now: replace(now, supply=Wei(now.supply + value)))
    else:
        sender = _get_account(event.sender, uow)
        if sender.balance < value:
            raise RpcError(
                f"transfer in block {event.block}: {hex_of(event.sender)} has {sender.balance} wei, expected {value} "
                "or more; the chain's node left out events, use another one"
            )
        uow.put(replace(sender, balance=Wei(sender.balance - value)), event.sender)
    if event.receiver == ZERO_ADDRESS:
        uow.change_settings(lambda now: replace(now, supply=Wei(now.supply - value)))
    else:
        receiver = _get_account(event.receiver, uow)
        uow.put(replace(receiver, balance=Wei(receiver.balance + value)), event.receiver)
    if event.sender == network.timelock and event.receiver not in (network.distributor, ZERO_ADDRESS):
        uow.add(
            "payments",
            place=compute_place(event),
            timestamp=event.timestamp,
            tx_hash=event.tx_hash,
            receiver=event.receiver,
            amount=value,
        )


def change_delegate(event: governance_events.DelegateChanged, uow: UnitOfWork) -> None:
    """Change the delegate of an account's tokens or stake."""
    is_token = event.contract == uow.network.token
    account = _get_account(event.delegator, uow)
    old, other = (
        (account.token_delegate, account.registry_delegate)
        if is_token
        else (account.registry_delegate, account.token_delegate)
    )
    new = None if event.to_delegate == ZERO_ADDRESS else event.to_delegate
    account = replace(account, token_delegate=new) if is_token else replace(account, registry_delegate=new)
    uow.put(account, event.delegator)
    for delegate, change in ((old, -1), (new, 1)):
        if delegate is not None and delegate != other:  # an account that delegates both is one delegator
            row = _get_account(delegate, uow)
            uow.put(replace(row, delegators=row.delegators + change), delegate)


def change_votes(event: governance_events.DelegateVotesChanged, uow: UnitOfWork) -> None:
    """Change a delegate's votes; those of treasury and escrow are none, and no quorum counts them."""
    network, account = uow.network, _get_account(event.delegate, uow)
    reserved = event.delegate in (network.timelock, network.distributor)
    token, registry = account.token_votes, account.registry_votes
    if event.contract == network.token:
        if reserved:
            change = event.new_votes - token
            uow.change_settings(lambda now: replace(now, reserved=Wei(now.reserved + change)))
        token = event.new_votes
    else:
        registry = event.new_votes
    votes = Wei(0 if reserved else token + registry)
    account = replace(account, votes=votes, token_votes=token, registry_votes=registry)
    uow.put(account, event.delegate)


def change_pause(event: governance_events.Paused | governance_events.Unpaused, uow: UnitOfWork) -> None:
    """Stop entries to tasks or to staking, or let them in again."""
    stops = isinstance(event, governance_events.Paused)

    def change(now: SettingsRow) -> SettingsRow:
        if event.contract == uow.network.registry:
            return replace(now, staking_paused=stops)
        return replace(now, tasks_paused=stops)

    uow.change_settings(change)


def _get_account(address: Address, uow: UnitOfWork) -> AccountRow:
    return uow.find(AccountRow, address) or AccountRow()


def _add_stake(owner: Address, change: int, uow: UnitOfWork) -> None:
    account = _get_account(owner, uow)
    uow.put(replace(account, staked=Wei(account.staked + change)), owner)
