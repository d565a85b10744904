"""What events of stakes, tokens and delegations change."""

from dataclasses import replace

from dao.chain import events as on
from dao.chain import governance_events
from dao.core.errors import RpcError
from dao.core.types import ZERO_ADDRESS, Address, Wei, hex_of
from dao.index.rows import AccountRow, SettingsRow, SupernodeRow, UnitOfWork
from dao.index.schema import PLACES


def registered(event: on.Registered, book: UnitOfWork) -> None:
    """An operator has an owner, and stake."""
    book.put(SupernodeRow(event.owner, event.timestamp, event.amount), event.operator)
    _stake(event.owner, event.amount, book)


def stake_changed(event: on.StakeAdded | on.Unbonding | on.Withdrawn | on.Slashed, book: UnitOfWork) -> None:
    """Stake came, is on its way out, or left."""
    node = book.get(SupernodeRow, event.operator)
    match event:
        case on.StakeAdded():
            book.put(replace(node, active=Wei(node.active + event.amount)), event.operator)
            _stake(node.owner, event.amount, book)
        case on.Unbonding():
            active, unbonding = Wei(node.active - event.amount), Wei(node.unbonding + event.amount)
            node = replace(node, active=active, unbonding=unbonding, release_time=event.release_time)
            book.put(node, event.operator)
        case on.Withdrawn():
            book.put(replace(node, unbonding=Wei(node.unbonding - event.amount)), event.operator)
            _stake(node.owner, -event.amount, book)
        case on.Slashed():
            from_active = min(event.amount, node.active)
            node = replace(
                node,
                active=Wei(node.active - from_active),
                unbonding=Wei(node.unbonding - (event.amount - from_active)),
                slashed=Wei(node.slashed + event.amount),
            )
            book.put(node, event.operator)
            _stake(node.owner, -event.amount, book)


def moved(event: governance_events.Transfer, book: UnitOfWork) -> None:
    """Tokens changed hands, came into being or went out of it."""
    network, value = book.network, event.value
    if event.sender == ZERO_ADDRESS:
        book.change_settings(lambda now: replace(now, supply=Wei(now.supply + value)))
    else:
        sender = _account(event.sender, book)
        if sender.balance < value:
            raise RpcError(
                f"transfer in block {event.block}: {hex_of(event.sender)} has {sender.balance} wei, expected {value} "
                "or more; the chain's node left out events, use another one"
            )
        book.put(replace(sender, balance=Wei(sender.balance - value)), event.sender)
    if event.receiver == ZERO_ADDRESS:
        book.change_settings(lambda now: replace(now, supply=Wei(now.supply - value)))
    else:
        receiver = _account(event.receiver, book)
        book.put(replace(receiver, balance=Wei(receiver.balance + value)), event.receiver)
    if event.sender == network.timelock and event.receiver not in (network.distributor, ZERO_ADDRESS):
        book.add(
            "payments",
            place=event.block * PLACES + event.log_index,
            timestamp=event.timestamp,
            tx_hash=event.tx_hash,
            receiver=event.receiver,
            amount=value,
        )


def delegated(event: governance_events.DelegateChanged, book: UnitOfWork) -> None:
    """An account's tokens or stake vote by another."""
    of_token = event.contract == book.network.token
    account = _account(event.delegator, book)
    old, other = (
        (account.token_delegate, account.registry_delegate)
        if of_token
        else (account.registry_delegate, account.token_delegate)
    )
    new = None if event.to_delegate == ZERO_ADDRESS else event.to_delegate
    account = replace(account, token_delegate=new) if of_token else replace(account, registry_delegate=new)
    book.put(account, event.delegator)
    for delegate, change in ((old, -1), (new, 1)):
        if delegate is not None and delegate != other:  # who delegates both is one delegator
            state = _account(delegate, book)
            book.put(replace(state, delegators=state.delegators + change), delegate)


def votes_changed(event: governance_events.DelegateVotesChanged, book: UnitOfWork) -> None:
    """A delegate has other votes; treasury and escrow have none, and theirs do not count for a quorum."""
    network, account = book.network, _account(event.delegate, book)
    reserved = event.delegate in (network.timelock, network.distributor)
    token, registry = account.token_votes, account.registry_votes
    if event.contract == network.token:
        if reserved:
            change = event.new_votes - token
            book.change_settings(lambda now: replace(now, reserved=Wei(now.reserved + change)))
        token = event.new_votes
    else:
        registry = event.new_votes
    votes = Wei(0 if reserved else token + registry)
    account = replace(account, votes=votes, token_votes=token, registry_votes=registry)
    book.put(account, event.delegate)


def paused(event: governance_events.Paused | governance_events.Unpaused, book: UnitOfWork) -> None:
    """Entries are stopped, or work again."""
    stops = isinstance(event, governance_events.Paused)

    def change(now: SettingsRow) -> SettingsRow:
        if event.contract == book.network.registry:
            return replace(now, staking_paused=stops)
        return replace(now, tasks_paused=stops)

    book.change_settings(change)


def _account(address: Address, book: UnitOfWork) -> AccountRow:
    return book.find(AccountRow, address) or AccountRow()


def _stake(owner: Address, change: int, book: UnitOfWork) -> None:
    account = _account(owner, book)
    book.put(replace(account, staked=Wei(account.staked + change)), owner)
