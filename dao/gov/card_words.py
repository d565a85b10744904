"""A task's card in words, for a terminal: texts of strangers, cleaned, each on one line."""

from dao.content.cards import fetch_card
from dao.core.formats.card import Card, Stop
from dao.core.formats.manifest import MeasuredMetric
from dao.core.types import Digest
from dao.errors import ContentError, DecodeError
from dao.gov.texts import clean_text
from dao.store.source import Source

MOST_CHARACTERS = 300  # of a text; the card itself has all
NOT_KNOWN = "not known"


def describe_card(card: Card) -> dict[str, str]:
    """Return what a card says for people, by name, without what it leaves open."""
    metric = (
        card.metric
        and f"{card.metric.name}, {'higher' if card.metric.higher_is_better else 'lower'} is better"
    )
    texts = {
        "name": card.name,
        "purpose": card.purpose,
        "data": card.data,
        "metric": metric or "",
        "settings": " ".join(f"{name}={value}" for name, value in sorted(card.settings.items())),
        "stop": _describe_stop(card.stop) if card.stop else "",
        "frozen_base": f"{card.base.cid} {card.base.note}".strip() if card.base else "",
    }
    return {name: shorten(text) for name, text in texts.items() if text}


async def read_card_words(source: Source, digest: Digest) -> dict[str, str]:
    """Return what the card of this digest says; a `name` that says why not, where it cannot be had or is none."""
    try:
        return describe_card(await fetch_card(source, digest))
    except (ContentError, DecodeError) as error:
        return {"name": f"{NOT_KNOWN}: {shorten(str(error))}"}


def _describe_stop(stop: Stop) -> str:
    return (
        f"once the best of {stop.rounds} rounds is not {describe_gain(stop)} that of the {stop.rounds} before"
    )


def describe_gain(stop: Stop) -> str:
    """Return how good rounds must be, beside those before them, for a task to go on."""
    return f"{stop.gain_micro / 1e6:g} better than" if stop.gain_micro else "as good as"


def describe_metric(metric: MeasuredMetric) -> str:
    """Return a round's metric, as its Superlink measured it."""
    return f"{shorten(metric.name)} {metric.value / 1e6:.6g}"


def shorten(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text of strangers on one line, without what nobody sees; an ellipsis stands for what goes beyond `most` characters."""
    line = " ".join(clean_text(text).split())
    return line if len(line) <= most else f"{line[:most].rstrip()}…"
