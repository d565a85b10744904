"""Cases: who disputes what in which round, and how it ended."""

from typing import Annotated

from fastapi import APIRouter, Query

from dao.api.dependencies import Deps
from dao.api.http.problems import describe_read
from dao.api.models.base import USUAL, CursorQuery, LimitQuery
from dao.api.models.cases import CasePage, name_provers
from dao.core.types import RoundId, TaskId

router = APIRouter(tags=["training"])


@router.get("/cases", responses=describe_read())
async def list_cases(
    deps: Deps,
    task: Annotated[int | None, Query(ge=1, le=2**53 - 1, description="Only of this task.")] = None,
    number: Annotated[
        int | None, Query(alias="round", ge=1, le=2**53 - 1, description="Only of this round.")
    ] = None,
    only_open: Annotated[bool, Query(alias="open", description="Only those that are not over.")] = False,
    cursor: CursorQuery = None,
    limit: LimitQuery = USUAL,
) -> CasePage:
    """List the disputes of rounds, the newest first."""
    page, as_of = await deps.read(
        lambda reads: reads.list_cases(
            None if task is None else TaskId(task),
            None if number is None else RoundId(number),
            only_open=only_open,
            cursor=cursor,
            limit=limit,
        )
    )
    cases = name_provers(page.items, deps.chain_connection.deployment)
    return CasePage.of(page, as_of, items=cases)
