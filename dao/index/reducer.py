"""From events to what they change: which function takes which event, what it needs, and whom it concerns."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from dao.chain import events, governance_events
from dao.chain.contract_table import EVENTS
from dao.chain.deployment import Deployment
from dao.chain.event_types import Event, RoundEvent, TaskEvent
from dao.core.errors import RpcError
from dao.core.types import ZERO_ADDRESS, Address
from dao.index import decision_changes, holding_changes, training_changes
from dao.index.rows import (
    AccountRow,
    ClaimRow,
    Key,
    MemberRow,
    ProposalRow,
    RoundRow,
    SettingsRow,
    SupernodeRow,
    TaskRow,
    UnitOfWork,
)
from dao.index.schema import PLACES

NOT_INDEXED = (
    events.SlasherSet,
    governance_events.Approval,
    governance_events.RoleGranted,
    governance_events.RoleRevoked,
    governance_events.CallScheduled,
    governance_events.TimelockChange,
)
KINDS: tuple[type[Event], ...] = tuple(dict.fromkeys(kind for kind in EVENTS if kind not in NOT_INDEXED))

_TAKEN_BY: Mapping[type[Event], Callable[[Any, UnitOfWork], None]] = {
    events.TaskCreated: training_changes.created,
    events.TaskClosed: training_changes.task_changed,
    events.RulesChanged: training_changes.rules_changed,
    events.SuperlinkReplaced: training_changes.task_changed,
    events.Admitted: training_changes.admitted,
    events.Joined: training_changes.joined,
    events.Left: training_changes.joined,
    events.RoundOpened: training_changes.opened,
    events.ForcedCommit: training_changes.forced,
    **dict.fromkeys(
        (
            *(events.CommitsClosed, events.ResultPosted, events.Contested, events.Dismissed),
            *(events.Challenged, events.Resolved),
        ),
        training_changes.round_changed,
    ),
    **dict.fromkeys((events.Finalized, events.Aborted, events.Voided), training_changes.round_ended),
    **dict.fromkeys(
        (events.Funded, events.Activated, events.Claimed, events.Refunded), training_changes.escrow_changed
    ),
    events.Registered: holding_changes.registered,
    **dict.fromkeys(
        (events.StakeAdded, events.Unbonding, events.Withdrawn, events.Slashed), holding_changes.stake_changed
    ),
    governance_events.Transfer: holding_changes.moved,
    governance_events.DelegateChanged: holding_changes.delegated,
    governance_events.DelegateVotesChanged: holding_changes.votes_changed,
    **dict.fromkeys((governance_events.Paused, governance_events.Unpaused), holding_changes.paused),
    governance_events.ProposalCreated: decision_changes.proposed,
    **dict.fromkeys(
        (governance_events.VoteCast, governance_events.VoteCastWithParams), decision_changes.voted
    ),
    **dict.fromkeys(
        (
            *(governance_events.ProposalQueued, governance_events.ProposalExecuted),
            *(governance_events.ProposalCanceled, governance_events.ProposalExtended),
        ),
        decision_changes.proposal_changed,
    ),
    **dict.fromkeys(
        (
            *(
                governance_events.VotingDelaySet,
                governance_events.VotingPeriodSet,
                governance_events.ProposalThresholdSet,
            ),
            *(
                governance_events.QuorumNumeratorUpdated,
                governance_events.LateQuorumVoteExtensionSet,
                governance_events.MinDelayChange,
            ),
        ),
        decision_changes.setting_changed,
    ),
}
_TOPICS: Mapping[Any, str] = {
    training_changes.created: "task",
    training_changes.rules_changed: "task",
    training_changes.task_changed: "task",
    training_changes.admitted: "task",
    training_changes.escrow_changed: "task",
    training_changes.joined: "supernode",
    holding_changes.registered: "supernode",
    holding_changes.stake_changed: "supernode",
    training_changes.opened: "round",
    training_changes.forced: "round",
    training_changes.round_changed: "round",
    training_changes.round_ended: "round",
    holding_changes.moved: "account",
    holding_changes.delegated: "account",
    holding_changes.votes_changed: "account",
    decision_changes.voted: "vote",
    decision_changes.proposed: "proposal",
    decision_changes.proposal_changed: "proposal",
    decision_changes.setting_changed: "status",
    holding_changes.paused: "status",
}
TOPIC_OF: Mapping[str, str] = {kind.__name__: _TOPICS[taken_by] for kind, taken_by in _TAKEN_BY.items()}
_OPERATOR = ((SupernodeRow, ("operator",)),)
_NEEDS: Mapping[type[Event], tuple[tuple[type, tuple[str, ...]], ...]] = {
    **dict.fromkeys((events.Joined, events.Left), ((MemberRow, ("task", "operator")),)),
    events.Claimed: ((ClaimRow, ("task", "owner")),),
    events.Registered: ((AccountRow, ("owner",)),),
    **dict.fromkeys((events.StakeAdded, events.Unbonding, events.Withdrawn, events.Slashed), _OPERATOR),
    governance_events.Transfer: ((AccountRow, ("sender",)), (AccountRow, ("receiver",))),
    governance_events.DelegateChanged: (
        *((AccountRow, ("delegator",)), (AccountRow, ("from_delegate",)), (AccountRow, ("to_delegate",))),
    ),
    governance_events.DelegateVotesChanged: ((AccountRow, ("delegate",)),),
    **dict.fromkeys(
        (governance_events.VoteCast, governance_events.VoteCastWithParams), ((ProposalRow, ("proposal_id",)),)
    ),
}
_ADDRESS_FIELDS = (
    *("operator", "node", "owner", "voter", "proposer", "delegate", "delegator", "sender", "receiver"),
    *("challenger", "superlink", "to_delegate"),
)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be read again. `kind`: round proposal vote task supernode account reorg status.

    `status`: very much changed at once, or a setting. `reorg`: all above `block` is void.
    """

    kind: str
    block: int
    task: int | None = None
    round: int | None = None
    proposal: int | None = None
    address: Address | None = None


def apply(event: Event, book: UnitOfWork) -> None:
    """Write into the book what an event changes; RpcError when events before it must be missing."""
    book.turn(event.block, event.timestamp)
    try:
        _TAKEN_BY[type(event)](event, book)
    except LookupError as error:
        raise RpcError(
            f"{type(event).__name__} in block {event.block}: {error} is not known; the chain's node left out "
            "events, use another one"
        ) from error
    book.add("events", **row_of(event))


def row_of(event: Event) -> dict[str, Any]:
    """The event's row in the table of events, without its block."""
    proposal = getattr(event, "proposal_id", None)
    first, second = (*_addresses(event), None, None)[:2]
    return {
        "place": event.block * PLACES + event.log_index,
        "timestamp": event.timestamp,
        "tx_hash": event.tx_hash,
        "kind": type(event).__name__,
        "task": event.task if isinstance(event, TaskEvent) else None,
        "round": event.round if isinstance(event, RoundEvent) else None,
        "proposal": proposal,
        "address": first,
        "other": second,
    }


def changes_of(event: Event) -> Iterator[Change]:
    """What is to be read again after an event."""
    row = row_of(event)
    topic = TOPIC_OF[row["kind"]]
    which = {"task": row["task"], "round": row["round"], "proposal": row["proposal"]}
    yield Change(topic, event.block, **which, address=row["address"])
    if topic == "account" and row["other"] is not None:
        yield Change(topic, event.block, address=row["other"])


def keys_of(event: Event, network: Deployment) -> Iterator[tuple[type, Key]]:
    """The states that an event needs, as far as it says so itself."""
    if isinstance(event, TaskEvent):
        yield TaskRow, (event.task,)
    if isinstance(event, RoundEvent):
        yield RoundRow, (event.task, event.round)
    for state, names in _NEEDS.get(type(event), ()):
        yield state, tuple(getattr(event, name) for name in names)
    if isinstance(event, governance_events.DelegateVotesChanged) and event.delegate == network.timelock:
        yield SettingsRow, ()


def _addresses(event: Event) -> Iterator[Address]:
    kind: Any = type(event)
    for name in _address_fields(kind):
        found = getattr(event, name)
        if found != ZERO_ADDRESS:
            yield found


@cache
def _address_fields(kind: Any) -> tuple[str, ...]:
    names = {field.name for field in fields(kind)}
    return tuple(name for name in _ADDRESS_FIELDS if name in names)
