"""The frozen base of a task whose model is an adapter: one file beside the app's code, which the task's card binds by its digest."""

import filecmp
import tempfile
from pathlib import Path

from dao.app.bundle import FROZEN_BASE
from dao.core.formats.card import Card
from dao.errors import NotFound
from dao.runtime.file_links import link_or_copy
from dao.store.source import Source


def find_frozen_base(app: Path) -> Path | None:
    """Return the frozen base in an app's folder; None for an app without one."""
    path = app / FROZEN_BASE
    return path if path.is_file() else None


async def fetch_frozen_base(source: Source, card: Card) -> Path | None:
    """Return the file of a card's frozen base, None for a card without; NotFound where no source has it, with the card's note."""
    if card.base is None:
        return None
    try:
        return await source.get(card.base.cid)
    except NotFound as error:
        note = f"; the card says of it: {card.base.note}" if card.base.note else ""
        raise NotFound(f"the frozen base {card.base.cid} cannot be had: {error.why}{note}") from None


def place_frozen_base(base: Path | None, app: Path) -> bool:
    """Have an unpacked app's folder hold a base, if there is one; return whether it did not yet. Blocks.

    It is linked where it can be, for a base may be larger than all else.
    """
    place = app / FROZEN_BASE
    if base is None:
        is_there = place.exists()
        place.unlink(missing_ok=True)
        return is_there
    if place.exists() and (place.samefile(base) or filecmp.cmp(place, base)):
        return False
    place.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".base-", dir=app) as folder:
        fresh = Path(folder) / place.name
        link_or_copy(base, fresh)
        fresh.replace(place)
    return True
