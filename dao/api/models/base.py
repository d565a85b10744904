"""The parts that answers share: the block that they stand on, pages, and the parameters of requests."""

from typing import Annotated, Any, Self

from fastapi import Path, Query
from pydantic import Field

from dao.api.http.json_types import ReadAddress, ReadNumber, ResponseModel

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


class AsOf(ResponseModel):
    """The newest block that an answer is sure to know; it may know a newer one. `stale`: the chain may be ahead."""

    block: int
    timestamp: int
    stale: bool


class Answer(ResponseModel):
    """An answer from the index."""

    as_of: AsOf

    @classmethod
    def of(cls, record: object, as_of: AsOf, **more: object) -> Self:
        """Make an answer of a record's values, the block that they stand on, and more values."""
        return cls.model_validate(Extended(record, as_of=as_of, **more))


class Page(Answer):
    """A page of a list."""

    next: str | None = Field(description="The `cursor` of what follows; null at the end.")


class Extended:
    """A record and further attributes, to make a model of both."""

    def __init__(self, record: object, **more: object) -> None:
        self.__dict__.update(more)
        self.__record = record

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__record, name)
