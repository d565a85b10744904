"""Reads the cards that tasks and proposals name, by their digest."""

import asyncio
from collections.abc import Callable

from sqlalchemy import Engine, delete, func, insert, select

from dao.core.constants import MAX_CARD
from dao.core.formats.card import parse_card
from dao.core.types import Digest
from dao.errors import DecodeError, TooLarge
from dao.index import schema
from dao.index.change_notices import ChangeNotice
from dao.index.content_reader import ContentReader
from dao.index.database import WRITE
from dao.index.training_reducer import strip_nuls
from dao.store.source import Source

_LISTED = 64  # cards of one look


class CardReader(ContentReader[Digest]):
    """Reads the cards of one index from a source. It calls `on_change` when one is stored."""

    def __init__(self, engine: Engine, source: Source, on_change: Callable[[ChangeNotice], None]) -> None:
        super().__init__()
        self._engine = engine
        self._source = source
        self._publish = on_change

    def list_unread(self) -> list[Digest]:
        """List the cards that the index lacks, those named last first."""
        named, cards = schema.named_cards.c, schema.cards.c
        query = (
            select(named.digest)
            .outerjoin(schema.cards, cards.digest == named.digest)
            .where(cards.digest.is_(None))
            .group_by(named.digest)
            .order_by(func.max(named.place).desc())
            .limit(_LISTED)
        )
        with self._engine.connect() as connection:
            return [Digest(digest) for digest in connection.execute(query).scalars()]

    async def read_item(self, item: Digest) -> None:
        """Read and store a card, or the reason why it is none."""
        content, refusal = "", ""
        try:
            path = await self._source.get(item, MAX_CARD)
            data = await asyncio.to_thread(path.read_bytes)
            parse_card(data)
            content = data.decode()
        except (TooLarge, DecodeError) as error:
            refusal = strip_nuls(str(error))[:1000]
        await asyncio.to_thread(self._store, item, content, refusal)
        self._publish(ChangeNotice("status", 0))  # it may be any task's, and several proposals'

    def _store(self, digest: Digest, content: str, refusal: str) -> None:
        table = schema.cards
        with self._engine.execution_options(**WRITE).begin() as connection:
            connection.execute(delete(table).where(table.c.digest == digest))
            connection.execute(insert(table).values(digest=digest, content=content, refusal=refusal))
