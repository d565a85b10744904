"""Reads the cards of tasks and proposals."""

from collections.abc import Collection, Mapping
from functools import lru_cache

from sqlalchemy import Connection, select

from dao.core.formats.card import Card, parse_card
from dao.core.formats.cid import Cid, ContentCodec
from dao.core.types import Digest
from dao.index import schema
from dao.index.reads.reader import Reader
from dao.index.reads.records import CardRecord


class CardReads(Reader):
    """Reads cards."""

    def find_cards(self, digests: Collection[Digest]) -> Mapping[Digest, CardRecord]:
        """Find the cards of these digests; those that have not been read are left out."""
        with self._snapshot() as connection:
            return read_cards(connection, digests)


def read_cards(connection: Connection, digests: Collection[Digest]) -> Mapping[Digest, CardRecord]:
    """Read the cards of these digests as a transaction sees them."""
    table = schema.cards
    rows = connection.execute(select(table).where(table.c.digest.in_(digests)))
    return {
        Digest(row.digest): CardRecord(
            str(Cid(ContentCodec.RAW, Digest(row.digest))),  # no card is larger than one leaf
            None if row.refusal else _parse(row.content),
            row.refusal or None,
        )
        for row in rows
    }


@lru_cache(64)
def _parse(content: str) -> Card:
    return parse_card(content.encode())
