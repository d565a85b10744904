"""A task's card in words, for a terminal: texts of strangers, cleaned, each on one line."""

from dao.content.cards import fetch_card
from dao.core.formats.card import Card, Metric, Stop
from dao.core.formats.manifest import MeasuredMetric
from dao.core.formats.reasons import format_millionths
from dao.core.types import Digest
from dao.errors import ContentError, DecodeError
from dao.gov.texts import clean_text
from dao.store.source import Source

MOST_CHARACTERS = 300  # of a text; the card itself has all
NOT_KNOWN = "not known"


def describe_card(card: Card) -> dict[str, str]:
    """Return what a card says for people, by name, without what it leaves open."""
    metric = card.metric and f"{card.metric.name}, {_name_direction(card.metric)} is better"
    texts = {
        "name": card.name,
        "purpose": card.purpose,
        "data": card.data,
        "metric": metric or "",
        "settings": " ".join(f"{name}={value}" for name, value in sorted(card.settings.items())),
        "stop": f"once {describe_stop(card.stop)}" if card.stop else "",
        "frozen_base": f"{card.base.cid} {card.base.note}".strip() if card.base else "",
    }
    return {name: shorten(text) for name, text in texts.items() if text}


async def read_card_words(source: Source, digest: Digest) -> dict[str, str]:
    """Return what the card of this digest says; a `name` that says why not, where it cannot be had or is none."""
    try:
        return describe_card(await fetch_card(source, digest))
    except (ContentError, DecodeError) as error:
        return {"name": f"{NOT_KNOWN}: {shorten(str(error))}"}


def describe_stop(stop: Stop, what: str = "", bests: tuple[int, int] | None = None) -> str:
    """Return by what a card ends its task; where it does, with the name of what was compared.

    `bests`: of the last rounds and of those before them, in millionths.
    """
    rounds, before = ("round", "one") if stop.rounds == 1 else (f"{stop.rounds} rounds", f"{stop.rounds}")
    gain = f"{format_millionths(stop.gain_micro)} better than" if stop.gain_micro else "as good as"
    new, old = [f" ({format_millionths(best)})" for best in bests] if bests else ("", "")
    best = f"best {what}".rstrip()
    return f"the {best} of its last {rounds}{new} is not {gain} that of the {before} before{old}"


def _name_direction(metric: Metric) -> str:
    return "higher" if metric.higher_is_better else "lower"


def describe_metric(metric: MeasuredMetric) -> str:
    """Return a round's metric, as its Superlink measured it."""
    return f"{shorten(metric.name)} {format_millionths(metric.value)}"


def shorten(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text of strangers on one line, without what nobody sees; an ellipsis stands for what goes beyond `most` characters."""
    line = " ".join(clean_text(text).split())
    return line if len(line) <= most else f"{line[:most].rstrip()}…"
