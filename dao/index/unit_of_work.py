"""The rows that a batch of events reads, changes and adds, until the writer stores them in one transaction; no I/O."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast

from dao.chain.deployment import Deployment
from dao.core.types import BlockNumber, Timestamp
from dao.index.rows import Key, S, SettingsRow


class StoredRows(Protocol):
    """The rows that the database has of earlier blocks."""

    def find_newest(self, kind: type[S], key: Key) -> S | None:
        """Find the newest row of a thing."""
        ...

    def get_settings_at(self, when: Timestamp) -> SettingsRow:
        """Get the settings at the end of a past second."""
        ...


class UnitOfWork:
    """A batch of blocks on top of stored rows: events `get` and `put` rows and `add` facts.

    Events come in the order of the chain; `enter_block` precedes each. `cache` holds rows that were read ahead, None
    where there is no row.
    """

    def __init__(
        self, network: Deployment, stored: StoredRows, cache: dict[tuple[type, Key], Any] | None = None
    ) -> None:
        self.network = network
        self._stored = stored
        self._rows: dict[tuple[type, Key], Any] = cache if cache is not None else {}
        self._changed: dict[tuple[type, Key], None] = {}
        self._block: tuple[BlockNumber, Timestamp] = BlockNumber(0), Timestamp(0)
        self._versions: list[tuple[type, Key, BlockNumber, Timestamp, Any]] = []
        self._facts: list[tuple[str, dict[str, Any]]] = []

    def enter_block(self, block: BlockNumber, timestamp: Timestamp) -> None:
        """Go on to a block: the rows that the block before changed become versions."""
        if block != self._block[0]:
            for kind, key in self._changed:
                self._versions.append((kind, key, *self._block, self._rows[kind, key]))
            self._changed.clear()
            self._block = block, timestamp

    def find(self, kind: type[S], *key: Any) -> S | None:
        """Find a thing's row; None where there is none."""
        if (kind, key) not in self._rows:
            self._rows[kind, key] = self._stored.find_newest(kind, key)
        return cast("S | None", self._rows[kind, key])

    def get(self, kind: type[S], *key: Any) -> S:
        """Get a thing's row; LookupError where there is none."""
        row = self.find(kind, *key)
        if row is None:
            raise LookupError(f"{kind.__name__} {key}")
        return row

    def put(self, row: object, *key: Any) -> None:
        """Replace a thing's row."""
        self._rows[type(row), key] = row
        self._changed[type(row), key] = None

    def add(self, table: str, **values: Any) -> None:
        """Add a row that never changes to a table, as of this block."""
        self._facts.append((table, {"block": self._block[0], **values}))

    def change_settings(self, change: Callable[[SettingsRow], SettingsRow]) -> None:
        """Replace the settings by what `change` makes of them."""
        self.put(change(self.find(SettingsRow) or SettingsRow()))

    def get_settings_at(self, when: Timestamp) -> SettingsRow:
        """Get the settings at the end of a past second."""
        for kind, _, _, timestamp, row in reversed(self._versions):
            if kind is SettingsRow and timestamp <= when:
                return cast("SettingsRow", row)
        return self._stored.get_settings_at(when)

    def list_versions(self) -> Iterator[tuple[type, Key, BlockNumber, Timestamp, Any]]:
        """List the rows that changed, once for each block that changed them."""
        self.enter_block(BlockNumber(-1), Timestamp(0))
        return iter(self._versions)

    def list_facts(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """List the rows that were added, as (table, row)."""
        return iter(self._facts)
