"""Supernodes, accounts, delegates, and the DAO's own tokens."""

from fastapi import APIRouter

from dao.api.dependencies import Deps
from dao.api.http.json_types import show_address
from dao.api.http.problems import Problem, describe_read
from dao.api.models.base import USUAL, AddressPath, CursorQuery, Extended, LimitQuery
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
_NEWEST = 20  # votes of an account, or payments of the treasury, in one answer


@router.get("/supernodes/{operator}", responses=describe_read(404))
async def read_supernode(operator: AddressPath, deps: Deps) -> SupernodeAnswer:
    """Read an operator, its stake and its tasks."""
    record, as_of = await deps.read(lambda reads: reads.find_supernode(operator))
    if record is None:
        raise Problem(404, "not-found", f"{show_address(operator)}: no Supernode has this operator")
    return SupernodeAnswer.of(record, as_of)


@router.get("/accounts/{address}", responses=describe_read())
async def read_account(address: AddressPath, deps: Deps) -> AccountAnswer:
    """Read an account: tokens, stake, votes, delegation, its Supernodes and its newest votes."""

    def read(reads: Reads) -> tuple[records.AccountRecord, list[AccountVote]]:
        return reads.get_account(address), list(_list_votes(reads, address, None, _NEWEST).items)

    (record, votes), as_of = await deps.read(read)
    return AccountAnswer.of(record, as_of, delegate=record, vote_history=votes)


@router.get("/accounts/{address}/votes", responses=describe_read())
async def list_account_votes(
    address: AddressPath, deps: Deps, cursor: CursorQuery = None, limit: LimitQuery = USUAL
) -> AccountVotePage:
    """List an account's votes, the newest first."""
    return await deps.page(AccountVotePage, lambda reads: _list_votes(reads, address, cursor, limit))


@router.get("/delegates", responses=describe_read())
async def list_delegates(deps: Deps, cursor: CursorQuery = None, limit: LimitQuery = USUAL) -> DelegatePage:
    """List all accounts with votes, the most first."""
    return await deps.page(DelegatePage, lambda reads: reads.list_delegates(cursor, limit))


@router.get("/treasury", responses=describe_read())
async def read_treasury(deps: Deps) -> TreasuryAnswer:
    """Read the DAO's tokens, those left to its tasks, and its newest payments."""
    deployment = deps.chain_connection.deployment

    def read(reads: Reads) -> tuple[records.TreasuryRecord, tuple[records.PaymentRecord, ...]]:
        return reads.get_treasury(deployment), reads.list_payments(limit=_NEWEST).items

    (record, payments), as_of = await deps.read(read)
    return TreasuryAnswer.of(record, as_of, grants=payments)


@router.get("/treasury/payments", responses=describe_read())
async def list_payments(deps: Deps, cursor: CursorQuery = None, limit: LimitQuery = USUAL) -> PaymentPage:
    """List the treasury's payments, but for those to tasks' escrows, the newest first."""
    return await deps.page(PaymentPage, lambda reads: reads.list_payments(cursor, limit))


def _list_votes(
    reads: Reads, voter: Address, cursor: str | None, limit: int
) -> records.RecordPage[AccountVote]:
    """List an account's votes, with the titles of the proposals."""
    page = reads.list_votes_of(voter, cursor, limit)
    titles = reads.get_titles({vote.proposal for vote in page.items})
    votes = [AccountVote.model_validate(Extended(vote, title=titles[vote.proposal])) for vote in page.items]
    return records.RecordPage(tuple(votes), page.next)
