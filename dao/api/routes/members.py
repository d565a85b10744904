"""Supernodes, accounts, delegates, and the DAO's own tokens."""

from fastapi import APIRouter

from dao.api.dependencies import Given
from dao.api.http.json_types import shown_address
from dao.api.http.problems import Problem, read_responses
from dao.api.models.base import USUAL, AddressPath, CursorQuery, LimitQuery, fields
from dao.api.models.members import (
    AccountAnswer,
    AccountVote,
    AccountVotePage,
    DelegatePage,
    PaymentPage,
    SupernodeAnswer,
    TreasuryAnswer,
)
from dao.core.types import Address
from dao.index.reads import Reads, records

router = APIRouter(tags=["members"])
_NEWEST = 20  # votes and payments that come with what they are of


@router.get("/supernodes/{operator}", responses=read_responses(404))
async def read_supernode(operator: AddressPath, services: Given) -> SupernodeAnswer:
    """Read an operator, its stake and its tasks."""
    found, as_of = await services.read(lambda reads: reads.supernode(operator))
    if found is None:
        raise Problem(404, "not-found", f"{shown_address(operator)}: no Supernode has this operator")
    return SupernodeAnswer.model_validate({**SupernodeAnswer.fields_of(found), "as_of": as_of})


@router.get("/accounts/{address}", responses=read_responses())
async def read_account(address: AddressPath, services: Given) -> AccountAnswer:
    """Read an account: tokens, stake, votes, delegation, its Supernodes and its newest votes."""

    def read(reads: Reads) -> tuple[records.AccountRecord, list[AccountVote]]:
        return reads.account(address), list(_votes(reads, address, None, _NEWEST).items)

    (found, votes), as_of = await services.read(read)
    return AccountAnswer.model_validate(
        {
            "address": found.address,
            "balance_wei": found.balance,
            "staked_wei": found.staked,
            "votes_wei": found.votes,
            "delegate": found,
            "delegators": found.delegators,
            "supernodes": found.supernodes,
            "vote_history": votes,
            "as_of": as_of,
        }
    )


@router.get("/accounts/{address}/votes", responses=read_responses())
async def list_account_votes(
    address: AddressPath, services: Given, cursor: CursorQuery = None, limit: LimitQuery = USUAL
) -> AccountVotePage:
    """List an account's votes, the newest first."""
    return await services.page(AccountVotePage, lambda reads: _votes(reads, address, cursor, limit))


@router.get("/delegates", responses=read_responses())
async def list_delegates(
    services: Given, cursor: CursorQuery = None, limit: LimitQuery = USUAL
) -> DelegatePage:
    """List all accounts with votes, the most first."""
    return await services.page(DelegatePage, lambda reads: reads.delegates(cursor, limit))


@router.get("/treasury", responses=read_responses())
async def read_treasury(services: Given) -> TreasuryAnswer:
    """Read what the DAO has, what its tasks have left, and what it paid lately."""
    deployment = services.link.deployment

    def read(reads: Reads) -> dict[str, object]:
        return {**fields(reads.treasury(deployment)), "grants": reads.payments(limit=_NEWEST).items}

    found, as_of = await services.read(read)
    return TreasuryAnswer.model_validate({**found, "as_of": as_of})


@router.get("/treasury/payments", responses=read_responses())
async def list_payments(
    services: Given, cursor: CursorQuery = None, limit: LimitQuery = USUAL
) -> PaymentPage:
    """List what left the treasury, but for tasks' escrows, the newest first."""
    return await services.page(PaymentPage, lambda reads: reads.payments(cursor, limit))


def _votes(reads: Reads, voter: Address, cursor: str | None, limit: int) -> records.RecordPage[AccountVote]:
    """An account's votes, with the titles of what it voted on."""
    found = reads.votes_of(voter, cursor, limit)
    titles = reads.titles({vote.proposal for vote in found.items})
    votes = [
        AccountVote.model_validate(
            {
                "proposal": vote.proposal,
                "title": titles[vote.proposal],
                "support": vote.support,
                "weight_wei": vote.weight,
                "reason": vote.reason,
                "at": vote.timestamp,
                "tx": vote.tx_hash,
            }
        )
        for vote in found.items
    ]
    return records.RecordPage(tuple(votes), found.next)
