"""Texts of proposals and votes: how long they may be, in bytes, by which the chain's price goes; and how they are cleaned."""

import re
import unicodedata

from dao.errors import DecodeError

TITLE_BYTES = 400
DESCRIPTION_BYTES = 15_000  # without the title
PROPOSAL_BYTES = 16_000  # title and description, as they stand on chain
REASON_BYTES = 2_000
MAX_ACCENTS = 3  # on one letter: more would paint over the lines above and below
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_JOINERS = re.compile("[\u200c\u200d]{2,}")


def check_size(name: str, text: str, limit: int) -> None:
    """Raise DecodeError where a text is longer than `limit` bytes; `name` is what people call it."""
    size = len(text.encode())
    if size > limit:
        raise DecodeError(
            f"{name}: expected at most {limit} bytes of UTF-8, got {size} in {len(text)} characters"
        )


def clean_text(text: str) -> str:
    """Return a text without what nobody sees, what turns its direction, and accents beyond three on one letter.

    dao/web/js/text.js does the same. U+200C and U+200D stay, which join letters (Persian) and emoji.
    """
    visible = _JOINERS.sub("\u200d", _HIDDEN.sub("", text))
    letters: list[str] = []
    accents = 0
    for letter in visible:
        accents = accents + 1 if unicodedata.category(letter).startswith("M") else 0
        if accents <= MAX_ACCENTS:
            letters.append(letter)
    return "".join(letters)
