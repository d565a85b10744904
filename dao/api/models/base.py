"""What all answers share: the block that they stand on, pages, and the parameters that choose one."""

from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import Field

from dao.api.http.json_types import ReadAddress, ReadNumber, Shown

MOST = 200  # items of a page
USUAL = 50
_LARGEST = 2**53 - 1  # that JSON's readers keep exactly

CursorQuery = Annotated[
    str | None,
    Query(pattern="^[0-9a-f]{1,64}(-[0-9a-f]{1,64})?$", description="`next` of the page before."),
]
LimitQuery = Annotated[int, Query(ge=1, le=MOST, description="Items of a page, at most.")]
TaskPath = Annotated[int, Path(ge=1, le=_LARGEST, examples=[1])]
RoundPath = Annotated[int, Path(ge=1, le=_LARGEST, examples=[1])]
ProposalPath = Annotated[ReadNumber, Path(description="A proposal's number.")]
AddressPath = Annotated[ReadAddress, Path()]


class AsOf(Shown):
    """The newest block that an answer is sure to know; it may know a newer one. `stale`: the chain may be ahead."""

    block: int
    timestamp: int
    stale: bool


class Answer(Shown):
    """What the index answers."""

    as_of: AsOf


class Page(Answer):
    """Some of a list."""

    next: str | None = Field(description="The `cursor` of what follows; null at the end.")


def fields(view: Any) -> dict[str, Any]:
    """A record's fields by name, to which an answer adds its own."""
    return {name: getattr(view, name) for name in view.__slots__}
