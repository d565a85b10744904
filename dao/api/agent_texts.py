"""Marks in answers to agents what strangers wrote, cleans it of what nobody sees, and cuts it."""

from typing import Any

from dao.gov.texts import clean_text

MAX_CHARACTERS = 4000  # of one text
# of answers: texts of proposals, votes, challengers and Superlinks
_KEYS = ("title", "description", "reason", "challenge", "manifest_refused", "card_refused")
_CARD, _NO_TEXT = "card", "cid"  # of a card, every other text is a stranger's
MARK = "stranger_wrote"


def mark_texts(value: Any, *, marks_all: bool = False) -> Any:
    """Return an answer in which each text of a stranger is an object of its own, {"stranger_wrote": …}."""
    if isinstance(value, list):
        return [mark_texts(item, marks_all=marks_all) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _mark(inner)
        if isinstance(inner, str) and inner and (name in _KEYS or (marks_all and name != _NO_TEXT))
        else mark_texts(inner, marks_all=marks_all or (name == _CARD and isinstance(inner, dict)))
        for name, inner in value.items()
    }


def _mark(text: str) -> dict[str, object]:
    clean = clean_text(text)
    if len(clean) <= MAX_CHARACTERS:
        return {MARK: clean}
    return {MARK: clean[:MAX_CHARACTERS], "characters_cut": len(clean) - MAX_CHARACTERS}
