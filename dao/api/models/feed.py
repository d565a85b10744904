"""The feed of events."""

from typing import Literal

from pydantic import Field

from dao.api.http.json_types import AddressText, DigestText, NumberText, ResponseModel
from dao.api.models.base import Page

Topic = Literal["round", "proposal", "vote", "task", "supernode", "account", "status"]


class Happening(ResponseModel):
    """An event of a contract: `kind` is its name there, `topic` its subject."""

    block: int
    at: int = Field(validation_alias="timestamp")
    tx: DigestText = Field(validation_alias="tx_hash")
    kind: str = Field(examples=["ResultPosted"])
    topic: Topic
    task: int | None
    round: int | None
    proposal: NumberText | None
    address: AddressText | None


class HappeningPage(Page):
    """Events, the newest first."""

    items: list[Happening]
