"""From events to what they change: which function takes which event, what it needs, and whom it concerns."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from dao.chain import decisions, events
from dao.chain.cursor import ALL
from dao.chain.deployment import Deployment
from dao.chain.records import Event, RoundEvent, TaskEvent
from dao.core.errors import RpcError
from dao.core.types import ZERO_ADDRESS, Address
from dao.index import deciding, holdings, training
from dao.index.schema import PLACES
from dao.index.state import Account, Book, Claim, Key, Member, Proposal, Round, Settings, Supernode, Task

NOT_INDEXED = (
    events.SlasherSet,
    decisions.Approval,
    decisions.RoleGranted,
    decisions.RoleRevoked,
    decisions.CallScheduled,
    decisions.TimelockChange,
)
KINDS: tuple[type[Event], ...] = tuple(dict.fromkeys(kind for kind in ALL if kind not in NOT_INDEXED))

_TAKEN_BY: Mapping[type[Event], Callable[[Any, Book], None]] = {
    events.TaskCreated: training.created,
    events.TaskClosed: training.task_changed,
    events.RulesChanged: training.rules_changed,
    events.SuperlinkReplaced: training.task_changed,
    events.Admitted: training.admitted,
    events.Joined: training.joined,
    events.Left: training.joined,
    events.RoundOpened: training.opened,
    events.ForcedCommit: training.forced,
    **dict.fromkeys(
        (
            *(events.CommitsClosed, events.ResultPosted, events.Contested, events.Dismissed),
            *(events.Challenged, events.Resolved),
        ),
        training.round_changed,
    ),
    **dict.fromkeys((events.Finalized, events.Aborted, events.Voided), training.round_ended),
    **dict.fromkeys(
        (events.Funded, events.Activated, events.Claimed, events.Refunded), training.escrow_changed
    ),
    events.Registered: holdings.registered,
    **dict.fromkeys(
        (events.StakeAdded, events.Unbonding, events.Withdrawn, events.Slashed), holdings.stake_changed
    ),
    decisions.Transfer: holdings.moved,
    decisions.DelegateChanged: holdings.delegated,
    decisions.DelegateVotesChanged: holdings.votes_changed,
    **dict.fromkeys((decisions.Paused, decisions.Unpaused), holdings.paused),
    decisions.ProposalCreated: deciding.proposed,
    **dict.fromkeys((decisions.VoteCast, decisions.VoteCastWithParams), deciding.voted),
    **dict.fromkeys(
        (
            *(decisions.ProposalQueued, decisions.ProposalExecuted),
            *(decisions.ProposalCanceled, decisions.ProposalExtended),
        ),
        deciding.proposal_changed,
    ),
    **dict.fromkeys(
        (
            *(decisions.VotingDelaySet, decisions.VotingPeriodSet, decisions.ProposalThresholdSet),
            *(
                decisions.QuorumNumeratorUpdated,
                decisions.LateQuorumVoteExtensionSet,
                decisions.MinDelayChange,
            ),
        ),
        deciding.setting_changed,
    ),
}
_TOPICS: Mapping[Any, str] = {
    training.created: "task",
    training.rules_changed: "task",
    training.task_changed: "task",
    training.admitted: "task",
    training.escrow_changed: "task",
    training.joined: "supernode",
    holdings.registered: "supernode",
    holdings.stake_changed: "supernode",
    training.opened: "round",
    training.forced: "round",
    training.round_changed: "round",
    training.round_ended: "round",
    holdings.moved: "account",
    holdings.delegated: "account",
    holdings.votes_changed: "account",
    deciding.voted: "vote",
    deciding.proposed: "proposal",
    deciding.proposal_changed: "proposal",
    deciding.setting_changed: "status",
    holdings.paused: "status",
}
TOPIC_OF: Mapping[str, str] = {kind.__name__: _TOPICS[taken_by] for kind, taken_by in _TAKEN_BY.items()}
_OPERATOR = ((Supernode, ("operator",)),)
_NEEDS: Mapping[type[Event], tuple[tuple[type, tuple[str, ...]], ...]] = {
    **dict.fromkeys((events.Joined, events.Left), ((Member, ("task", "operator")),)),
    events.Claimed: ((Claim, ("task", "owner")),),
    events.Registered: ((Account, ("owner",)),),
    **dict.fromkeys((events.StakeAdded, events.Unbonding, events.Withdrawn, events.Slashed), _OPERATOR),
    decisions.Transfer: ((Account, ("sender",)), (Account, ("receiver",))),
    decisions.DelegateChanged: (
        *((Account, ("delegator",)), (Account, ("from_delegate",)), (Account, ("to_delegate",))),
    ),
    decisions.DelegateVotesChanged: ((Account, ("delegate",)),),
    **dict.fromkeys((decisions.VoteCast, decisions.VoteCastWithParams), ((Proposal, ("proposal_id",)),)),
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


def apply(event: Event, book: Book) -> None:
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
        yield Task, (event.task,)
    if isinstance(event, RoundEvent):
        yield Round, (event.task, event.round)
    for state, names in _NEEDS.get(type(event), ()):
        yield state, tuple(getattr(event, name) for name in names)
    if isinstance(event, decisions.DelegateVotesChanged) and event.delegate == network.timelock:
        yield Settings, ()


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
