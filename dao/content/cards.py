"""Fetches a task's card by its digest, and checks it."""

import asyncio

from dao.core.constants import MAX_CARD
from dao.core.formats.card import Card, parse_card
from dao.core.types import Digest, hex_of
from dao.errors import NotFound
from dao.store.source import Source


async def fetch_card(source: Source, digest: Digest) -> Card:
    """Return the card of this digest; NotFound where no source has it, DecodeError where it is none."""
    try:
        path = await source.get(digest, MAX_CARD)
    except NotFound as error:
        raise NotFound(f"the card {hex_of(digest)[:10]}… cannot be had: {error.why}") from None
    return parse_card(await asyncio.to_thread(path.read_bytes))
