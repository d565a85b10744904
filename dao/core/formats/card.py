"""A task's card: what people should know of it, and the settings of its app. Canonical JSON, named by a rule of the task."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from dao.core.constants import CARD_FORMAT, MAX_CARD, MAX_EVALUATORS, MAX_NAME, MAX_STOP_ROUNDS
from dao.core.formats.app_settings import Setting, read_settings, write_settings
from dao.core.formats.canonical import read_canonical, read_json, write_canonical
from dao.core.formats.cid import Cid
from dao.core.formats.json_form import Count, Settings, get_form
from dao.core.types import Address
from dao.errors import DecodeError


@dataclass(frozen=True, slots=True)
class Metric:
    """The one of the app's metrics that people read first."""

    name: str
    higher_is_better: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """When a task ends by itself: the best of its last `rounds` rounds is less than so many millionths better than that of as many before.

    With a gain of 0: it is worse, and an equal one goes on. By the card's metric where the rounds state it, else by the loss after them.
    """

    rounds: Count
    gain_micro: Count


@dataclass(frozen=True, slots=True)
class FrozenBase:
    """A model that is not trained: the task's model is an adapter of it."""

    cid: Cid
    note: str  # what it is, and where it can be had


@dataclass(frozen=True, slots=True)
class Card:
    """A card; `evaluators` are accounts whose own rows may one day judge a round, none so far."""

    name: str
    purpose: str = ""
    data: str = ""  # which data a member needs, for people
    metric: Metric | None = None
    settings: Settings = field(default_factory=lambda: MappingProxyType({}))
    base: FrozenBase | None = None
    stop: Stop | None = None
    evaluators: tuple[Address, ...] = ()


def parse_card(content: bytes) -> Card:
    """Read a card's content; DecodeError, or TooLarge, names what is wrong."""
    return _read(read_canonical(content, "card", MAX_CARD))


def write_card(card: Card) -> bytes:
    """Write a card as content; DecodeError names what no card may have."""
    form = get_form(Card)
    content = write_canonical({"format": CARD_FORMAT, **form.write(card)})
    parse_card(content)
    return content


def read_draft(text: bytes) -> Card:
    """Read a card as people write one: JSON of any shape, with fractions as numbers, what is not said left out."""
    obj = read_json(text, "card", MAX_CARD)
    obj = {"format": CARD_FORMAT, **get_form(Card).write(Card("")), **obj}
    settings = obj["settings"]
    if isinstance(settings, dict):
        obj["settings"] = write_settings(settings)
    return _read(obj)


def parse_setting(text: str) -> tuple[str, Setting]:
    """Read `name=value`: true, false, a number, or else text; DecodeError names it."""
    name, equals, value = text.partition("=")
    if not equals:
        raise DecodeError(f"setting {text[:80]!r}: expected name=value")
    words: Mapping[str, object] = {"true": True, "false": False}
    written = write_settings({name: words.get(value, _number_or_text(value))})
    return name, read_settings(written, "settings")[name]


def _number_or_text(value: str) -> Setting:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _read(obj: dict[str, object]) -> Card:
    if obj.get("format") != CARD_FORMAT:
        raise DecodeError(f"card.format: expected {CARD_FORMAT!r}, got {repr(obj.get('format'))[:80]}")
    card: Card = get_form(Card).read({name: obj[name] for name in obj if name != "format"}, "card")
    if not 1 <= len(card.name) <= MAX_NAME or not card.name.isprintable():
        raise DecodeError(f"card.name: expected 1 to {MAX_NAME} printable characters")
    if card.metric and not 1 <= len(card.metric.name) <= MAX_NAME:
        raise DecodeError(f"card.metric.name: expected 1 to {MAX_NAME} characters")
    if card.stop and not 1 <= card.stop.rounds <= MAX_STOP_ROUNDS:
        raise DecodeError(f"card.stop.rounds: expected 1 to {MAX_STOP_ROUNDS}")
    if len(card.evaluators) > MAX_EVALUATORS or list(card.evaluators) != sorted(set(card.evaluators)):
        raise DecodeError(f"card.evaluators: expected at most {MAX_EVALUATORS} addresses, rising")
    return card
