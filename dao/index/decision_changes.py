"""What events of proposals, votes and the DAO's settings change."""

import json
from dataclasses import replace

from dao.chain import governance_events as on
from dao.chain.governance import Support
from dao.core.types import Wei, hex_of
from dao.index.rows import ProposalRow, SettingsRow, UnitOfWork
from dao.index.schema import PLACES
from dao.index.training_changes import plain

FOREVER = 2**62  # seconds: what no integer of a database exceeds
Setting = (
    on.VotingDelaySet
    | on.VotingPeriodSet
    | on.ProposalThresholdSet
    | on.QuorumNumeratorUpdated
    | on.LateQuorumVoteExtensionSet
    | on.MinDelayChange
)


def proposed(event: on.ProposalCreated, book: UnitOfWork) -> None:
    """A proposal is made."""
    actions = {
        "targets": [hex_of(target) for target in event.targets],
        "values": [str(value) for value in event.values],
        "calldatas": [hex_of(data) for data in event.calldatas],
    }
    book.add(
        "proposals",
        proposal=event.proposal_id,
        place=event.block * PLACES + event.log_index,
        created_at=event.timestamp,
        tx_hash=event.tx_hash,
        proposer=event.proposer,
        starts_at=event.vote_start,
        actions=json.dumps(actions),
        description=plain(event.description),
    )
    book.put(ProposalRow(event.vote_start, event.vote_end), event.proposal_id)


def voted(event: on.VoteCast | on.VoteCastWithParams, book: UnitOfWork) -> None:
    """A delegate voted."""
    book.add(
        "votes",
        proposal=event.proposal_id,
        place=event.block * PLACES + event.log_index,
        timestamp=event.timestamp,
        tx_hash=event.tx_hash,
        voter=event.voter,
        support=event.support,
        weight=event.weight,
        reason=plain(event.reason),
    )
    state = book.get(ProposalRow, event.proposal_id)
    match event.support:
        case Support.FOR:
            state = replace(state, in_favour=Wei(state.in_favour + event.weight))
        case Support.AGAINST:
            state = replace(state, against=Wei(state.against + event.weight))
        case _:
            state = replace(state, abstain=Wei(state.abstain + event.weight))
    # voting begins after the snapshot, so what counts as of then does not change any more
    quorum = state.quorum if state.quorum is not None else book.settings_at(state.starts_at).quorum
    passing = state.in_favour > state.against and state.in_favour + state.abstain >= quorum
    book.put(replace(state, quorum=quorum, passing=passing), event.proposal_id)


def proposal_changed(
    event: on.ProposalQueued | on.ProposalExecuted | on.ProposalCanceled | on.ProposalExtended,
    book: UnitOfWork,
) -> None:
    """A proposal goes on, or ends."""
    state = book.get(ProposalRow, event.proposal_id)
    match event:
        case on.ProposalQueued():
            state = replace(state, eta=event.eta_seconds, queued_tx=event.tx_hash)
        case on.ProposalExecuted():
            state = replace(state, executed=True, ended_tx=event.tx_hash)
        case on.ProposalCanceled():
            state = replace(state, canceled=True, ended_tx=event.tx_hash)
        case on.ProposalExtended():
            state = replace(state, ends_at=event.extended_deadline)
    book.put(state, event.proposal_id)


def setting_changed(event: Setting, book: UnitOfWork) -> None:
    """The DAO decides in another way."""

    def change(now: SettingsRow) -> SettingsRow:
        match event:
            case on.VotingDelaySet():
                return replace(now, voting_delay=event.new_voting_delay)
            case on.VotingPeriodSet():
                return replace(now, voting_period=event.new_voting_period)
            case on.ProposalThresholdSet():
                return replace(now, threshold=event.new_proposal_threshold)
            case on.QuorumNumeratorUpdated():
                return replace(now, quorum_percent=event.new_quorum_numerator)
            case on.LateQuorumVoteExtensionSet():
                return replace(now, late_extension=event.new_vote_extension)
            case on.MinDelayChange():
                return replace(now, timelock_delay=min(event.new_duration, FOREVER))

    book.change_settings(change)
