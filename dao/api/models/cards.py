"""Tasks' cards, words of strangers: cleaned of what nobody sees, and long settings cut."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AliasPath, BeforeValidator, Field

from dao.api.http.json_types import ResponseModel
from dao.api.models.base import Extended
from dao.core.formats.app_settings import Setting
from dao.gov.texts import clean_text
from dao.index.reads.records import CardRecord

MOST_OF_SETTING = 200  # characters that are shown; the card itself, by its CID, has all


def _clean_words(text: object) -> object:
    return clean_text(text) if isinstance(text, str) else text


Words = Annotated[str, BeforeValidator(_clean_words)]


def _clean_settings(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    return {
        name: _shorten(clean_text(value)) if isinstance(value, str) else value
        for name, value in settings.items()
    }


def _shorten(text: str) -> str:
    return text if len(text) <= MOST_OF_SETTING else f"{text[:MOST_OF_SETTING].rstrip()}…"


class CardMetric(ResponseModel):
    """The one of the app's metrics that people read first."""

    name: Words
    higher_is_better: bool


class CardBase(ResponseModel):
    """A frozen model that the task's model is an adapter of."""

    cid: Annotated[str, BeforeValidator(str)]
    note: Words


class CardStop(ResponseModel):
    """When a task ends by itself: the best of its last rounds is worse than that of as many before, or with a gain not so much better."""

    rounds: int
    gain_micro: int = Field(
        description="In millionths of the metric, or of the loss where not all of them state it."
    )


class TaskCard(ResponseModel):
    """What a task's members say that it is for. Texts are cleaned; a long one among the settings is cut, and ends in an ellipsis."""

    cid: str = Field(description="Of the whole card.")
    name: Words
    purpose: Words
    data: Words = Field(description="Which data a member needs, in words.")
    metric: CardMetric | None
    settings: Annotated[dict[str, str | int | float | bool], BeforeValidator(_clean_settings)] = Field(
        description="Of the app, which gets them beside its code."
    )
    base: CardBase | None
    stop: CardStop | None


def _show_card(value: object) -> object:
    if not isinstance(value, CardRecord):
        return value
    return value.card and Extended(value.card, cid=value.cid)


ReadCard = Annotated[
    TaskCard | None,
    BeforeValidator(_show_card),
    Field(None, description="Null: it has not been read yet, or is refused."),
]
CardRefusal = Annotated[
    str | None,
    Field(validation_alias=AliasPath("card", "refusal"), description="Why a card is not shown: it is none."),
]
