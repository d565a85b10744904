"""Lists the contracts' events, for readers who want the history rather than the present state."""

from typing import Annotated

from fastapi import APIRouter, Query

from dao.api.dependencies import Deps
from dao.api.http.json_types import ReadAddress, ReadNumber
from dao.api.http.problems import describe_read
from dao.api.models.base import USUAL, LimitQuery
from dao.api.models.feed import HappeningPage, Topic
from dao.core.types import TaskId
from dao.index.reads import Reads, records
from dao.index.reads.reader import dump_cursor, read_cursor

router = APIRouter(tags=["network"])


@router.get("/activity", responses=describe_read())
async def list_activity(
    deps: Deps,
    topic: Annotated[list[Topic] | None, Query(max_length=7, description="Only of these topics.")] = None,
    task: Annotated[int | None, Query(ge=1, le=2**53 - 1)] = None,
    proposal: Annotated[ReadNumber | None, Query()] = None,
    address: Annotated[ReadAddress | None, Query(description="Only what concerns this account.")] = None,
    cursor: Annotated[str | None, Query(pattern="^[0-9a-f]{1,16}$")] = None,
    limit: LimitQuery = USUAL,
) -> HappeningPage:
    """List the contracts' events, the newest first."""

    def read(reads: Reads) -> records.RecordPage[records.EventRecord]:
        events = reads.list_events(
            before=None if cursor is None else read_cursor(cursor, int)[0],
            topics=topic or (),
            task=None if task is None else TaskId(task),
            proposal=proposal,
            address=address,
            limit=limit + 1,
        )
        items = tuple(events[:limit])
        return records.RecordPage(items, dump_cursor([items[-1].place]) if len(events) > limit else None)

    return await deps.page(HappeningPage, read)
