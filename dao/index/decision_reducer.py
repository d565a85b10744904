"""Turns events of proposals, votes and the DAO's settings into rows."""

import json
from dataclasses import replace

from dao.chain import governance_events as on
from dao.chain.governance import Support
from dao.core.types import Wei, hex_of
from dao.index.proposed_cards import list_proposed_cards
from dao.index.rows import ProposalRow, SettingsRow
from dao.index.training_reducer import compute_place, strip_nuls
from dao.index.unit_of_work import UnitOfWork

FOREVER = 2**62  # seconds: fits into an integer of every database
SettingEvent = (
    on.VotingDelaySet
    | on.VotingPeriodSet
    | on.ProposalThresholdSet
    | on.QuorumNumeratorUpdated
    | on.LateQuorumVoteExtensionSet
    | on.MinDelayChange
)


def create_proposal(event: on.ProposalCreated, uow: UnitOfWork) -> None:
    """Create a proposal."""
    actions = {
        "targets": [hex_of(target) for target in event.targets],
        "values": [str(value) for value in event.values],
        "calldatas": [hex_of(data) for data in event.calldatas],
    }
    place = compute_place(event)
    for card in set(list_proposed_cards(uow.network.coordinator, event.targets, event.calldatas)):
        uow.add("named_cards", place=place, digest=card)
    uow.add(
        "proposals",
        proposal=event.proposal_id,
        place=place,
        created_at=event.timestamp,
        tx_hash=event.tx_hash,
        proposer=event.proposer,
        starts_at=event.vote_start,
        actions=json.dumps(actions),
        description=strip_nuls(event.description),
    )
    uow.put(ProposalRow(event.vote_start, event.vote_end), event.proposal_id)


def count_vote(event: on.VoteCast | on.VoteCastWithParams, uow: UnitOfWork) -> None:
    """Add a vote and count it."""
    uow.add(
        "votes",
        proposal=event.proposal_id,
        place=compute_place(event),
        timestamp=event.timestamp,
        tx_hash=event.tx_hash,
        voter=event.voter,
        support=event.support,
        weight=event.weight,
        reason=strip_nuls(event.reason),
    )
    row = uow.get(ProposalRow, event.proposal_id)
    match event.support:
        case Support.FOR:
            row = replace(row, in_favour=Wei(row.in_favour + event.weight))
        case Support.AGAINST:
            row = replace(row, against=Wei(row.against + event.weight))
        case _:
            row = replace(row, abstain=Wei(row.abstain + event.weight))
    # voting begins after the snapshot, so the settings of the snapshot are final
    quorum = row.quorum if row.quorum is not None else uow.get_settings_at(row.starts_at).quorum
    passing = row.in_favour > row.against and row.in_favour + row.abstain >= quorum
    uow.put(replace(row, quorum=quorum, passing=passing), event.proposal_id)


def change_proposal(
    event: on.ProposalQueued | on.ProposalExecuted | on.ProposalCanceled | on.ProposalExtended,
    uow: UnitOfWork,
) -> None:
    """Queue, execute, cancel or extend a proposal."""
    row = uow.get(ProposalRow, event.proposal_id)
    match event:
        case on.ProposalQueued():
            row = replace(row, eta=event.eta_seconds, queued_tx=event.tx_hash)
        case on.ProposalExecuted():
            row = replace(row, executed=True, ended_tx=event.tx_hash)
        case on.ProposalCanceled():
            row = replace(row, canceled=True, ended_tx=event.tx_hash)
        case on.ProposalExtended():
            row = replace(row, ends_at=event.extended_deadline)
    uow.put(row, event.proposal_id)


def change_setting(event: SettingEvent, uow: UnitOfWork) -> None:
    """Change one of the DAO's settings."""

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

    uow.change_settings(change)
