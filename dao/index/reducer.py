"""The table of events: the function that turns each into rows, its topic, and the rows that it needs.

`apply` is the way from an event to rows of a UnitOfWork; the functions stand in the three *_reducer modules.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from dao.chain import events
from dao.chain import governance_events as governance
from dao.chain import vote_events as votes
from dao.chain.contract_table import EVENTS
from dao.chain.deployment import Deployment
from dao.chain.event_types import Event, RoundEvent, TaskEvent
from dao.core.types import ZERO_ADDRESS, Address
from dao.errors import RpcError
from dao.index import decision_reducer as decisions
from dao.index import holding_reducer as holdings
from dao.index import training_reducer as training
from dao.index.case_reducer import move_cases
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
)
from dao.index.unit_of_work import UnitOfWork

NOT_INDEXED = (
    events.SlasherSet,
    events.DisputesSet,
    events.ProverSet,
    governance.Approval,
    governance.RoleGranted,
    governance.RoleRevoked,
    governance.CallScheduled,
    governance.TimelockChange,
)
KINDS: tuple[type[Event], ...] = tuple(dict.fromkeys(kind for kind in EVENTS if kind not in NOT_INDEXED))


@dataclass(frozen=True, slots=True)
class Reducer:
    """How an event is indexed; `needs` are rows beside the task's and the round's, by the event's fields of their key."""

    apply: Callable[[Any, UnitOfWork], None]
    topic: str
    needs: tuple[tuple[type, str, *tuple[str, ...]], ...] = ()


_OPERATOR, _VOTE = (SupernodeRow, "operator"), (ProposalRow, "proposal_id")
_MEMBER = (MemberRow, "task", "operator")
REDUCERS: Mapping[type[Event], Reducer] = {
    events.TaskCreated: Reducer(training.create_task, "task"),
    events.TaskClosed: Reducer(training.change_task, "task"),
    events.RulesChanged: Reducer(training.change_rules, "task"),
    events.SuperlinkReplaced: Reducer(training.change_task, "task"),
    events.Admitted: Reducer(training.admit_owner, "task"),
    events.Joined: Reducer(training.change_member, "supernode", (_MEMBER,)),
    events.Left: Reducer(training.change_member, "supernode", (_MEMBER,)),
    events.RoundOpened: Reducer(training.open_round, "round"),
    events.ForcedCommit: Reducer(training.add_forced_commit, "round"),
    events.CommitsClosed: Reducer(training.change_round, "round"),
    events.ResultPosted: Reducer(training.change_round, "round"),
    events.Challenged: Reducer(training.change_round, "round"),
    events.Resolved: Reducer(training.change_round, "round"),
    events.Conceded: Reducer(training.change_round, "round"),
    events.Convicted: Reducer(training.change_round, "round"),
    **dict.fromkeys(
        (
            *(events.ForcedReveal, events.Attested),
            *(events.Demanded, events.Answered, events.Expired, events.Equivocated),
            *(votes.GradientAccused, votes.VoteCommitted, votes.VoteRevealed),
            *(votes.GradientJudged, votes.JurorFined),
        ),
        Reducer(lambda *_: None, "round"),
    ),
    events.Finalized: Reducer(training.end_round, "round"),
    events.Aborted: Reducer(training.end_round, "round"),
    events.Voided: Reducer(training.end_round, "round"),
    events.Funded: Reducer(training.change_escrow, "task"),
    events.Activated: Reducer(training.change_escrow, "task"),
    events.Claimed: Reducer(training.change_escrow, "task", ((ClaimRow, "task", "owner"),)),
    events.Refunded: Reducer(training.change_escrow, "task"),
    events.Recovered: Reducer(training.change_escrow, "task"),
    events.Registered: Reducer(holdings.register_operator, "supernode", ((AccountRow, "owner"),)),
    events.Rotated: Reducer(holdings.rotate_operator, "supernode", (_OPERATOR, (SupernodeRow, "successor"))),
    events.Revoked: Reducer(holdings.revoke_operator, "supernode", (_OPERATOR,)),
    events.StakeAdded: Reducer(holdings.change_stake, "supernode", (_OPERATOR,)),
    events.Unbonding: Reducer(holdings.change_stake, "supernode", (_OPERATOR,)),
    events.Withdrawn: Reducer(holdings.change_stake, "supernode", (_OPERATOR,)),
    events.Slashed: Reducer(holdings.change_stake, "supernode", (_OPERATOR,)),
    governance.Transfer: Reducer(
        holdings.transfer_tokens, "account", ((AccountRow, "sender"), (AccountRow, "receiver"))
    ),
    governance.DelegateChanged: Reducer(
        holdings.change_delegate,
        "account",
        ((AccountRow, "delegator"), (AccountRow, "from_delegate"), (AccountRow, "to_delegate")),
    ),
    governance.DelegateVotesChanged: Reducer(holdings.change_votes, "account", ((AccountRow, "delegate"),)),
    governance.Paused: Reducer(holdings.change_pause, "status"),
    governance.Unpaused: Reducer(holdings.change_pause, "status"),
    governance.ProposalCreated: Reducer(decisions.create_proposal, "proposal"),
    governance.VoteCast: Reducer(decisions.count_vote, "vote", (_VOTE,)),
    governance.VoteCastWithParams: Reducer(decisions.count_vote, "vote", (_VOTE,)),
    governance.ProposalQueued: Reducer(decisions.change_proposal, "proposal"),
    governance.ProposalExecuted: Reducer(decisions.change_proposal, "proposal"),
    governance.ProposalCanceled: Reducer(decisions.change_proposal, "proposal"),
    governance.ProposalExtended: Reducer(decisions.change_proposal, "proposal"),
    governance.VotingDelaySet: Reducer(decisions.change_setting, "status"),
    governance.VotingPeriodSet: Reducer(decisions.change_setting, "status"),
    governance.ProposalThresholdSet: Reducer(decisions.change_setting, "status"),
    governance.QuorumNumeratorUpdated: Reducer(decisions.change_setting, "status"),
    governance.LateQuorumVoteExtensionSet: Reducer(decisions.change_setting, "status"),
    governance.MinDelayChange: Reducer(decisions.change_setting, "status"),
}
TOPIC_OF: Mapping[str, str] = {kind.__name__: reducer.topic for kind, reducer in REDUCERS.items()}
_ADDRESS_FIELDS = (
    *("operator", "node", "owner", "voter", "proposer", "delegate", "delegator", "sender", "receiver"),
    *("challenger", "accuser", "demander", "answerer", "superlink", "to_delegate", "successor"),
    "juror",
)


def apply(event: Event, uow: UnitOfWork) -> None:
    """Change the rows that an event changes; RpcError where an event before it must be missing."""
    uow.enter_block(event.block, event.timestamp)
    try:
        if isinstance(event, RoundEvent):
            move_cases(event, uow)
        REDUCERS[type(event)].apply(event, uow)
    except LookupError as error:
        raise RpcError(
            f"{type(event).__name__} in block {event.block}: {error} is not known; the chain's node left out "
            "events, use another one"
        ) from error
    uow.add("events", **make_event_row(event))


def make_event_row(event: Event) -> dict[str, Any]:
    """Make an event's row in the table of events, without its block."""
    first, second = (*_list_addresses(event), None, None)[:2]
    return {
        "place": training.compute_place(event),
        "timestamp": event.timestamp,
        "tx_hash": event.tx_hash,
        "kind": type(event).__name__,
        "task": event.task if isinstance(event, TaskEvent) else None,
        "round": event.round if isinstance(event, RoundEvent) else None,
        "proposal": getattr(event, "proposal_id", None),
        "address": first,
        "other": second,
    }


def list_keys(event: Event, network: Deployment) -> Iterator[tuple[type, Key]]:
    """List the rows that an event needs, as far as its own fields name them."""
    if isinstance(event, TaskEvent):
        yield TaskRow, (event.task,)
    if isinstance(event, RoundEvent):
        yield RoundRow, (event.task, event.round)
    for kind, *names in REDUCERS[type(event)].needs:
        yield kind, tuple(getattr(event, name) for name in names)
    if isinstance(event, governance.DelegateVotesChanged) and event.delegate == network.timelock:
        yield SettingsRow, ()


def _list_addresses(event: Event) -> Iterator[Address]:
    """List the accounts that an event is about; its row names the first two."""
    kind: Any = type(event)
    for name in _list_address_fields(kind):
        address = getattr(event, name)
        if address != ZERO_ADDRESS:
            yield address


@cache
def _list_address_fields(kind: Any) -> tuple[str, ...]:
    names = {field.name for field in fields(kind)}
    return tuple(name for name in _ADDRESS_FIELDS if name in names)
