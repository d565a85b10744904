"""Reads content that the chain names and the index lacks, until it has all of it."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from dao.errors import ContentError, NotFound
from dao.index.database import one_line

T = TypeVar("T", bound=Hashable)
_SOON, _LATE = 2.0, 600.0  # seconds until the next try to read what is missing, doubled each time
_LIMIT = 120.0  # seconds for one
_AT_ONCE = 4

_log = logging.getLogger(__name__)


class ContentReader(ABC, Generic[T]):
    """Reads what `list_unread` lists by `read_item`; what no source has is tried again, ever more slowly."""

    def __init__(self) -> None:
        # item → (when to read again, seconds to wait after that)
        self._due: dict[T, tuple[float, float]] = {}
        self._new = asyncio.Event()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    @abstractmethod
    def list_unread(self) -> Sequence[T]:
        """List what the index lacks. Blocking; SQLAlchemyError where the database is out of reach."""

    @abstractmethod
    async def read_item(self, item: T) -> None:
        """Read and store one, or the reason why it is rejected; ContentError or OSError where it is missing."""

    def wake(self) -> None:
        """Look for what is new now."""
        self._new.set()

    async def run(self) -> None:
        """Read all, and what is to come, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._new.clear()
            try:
                unread = await asyncio.to_thread(self.list_unread)
                self._due = {item: self._due.get(item, (0.0, _SOON)) for item in unread}
                ready = [item for item in unread if self._due[item][0] <= loop.time()]
                await asyncio.gather(*(self._try(item) for item in ready))
            except SQLAlchemyError as error:
                _log.warning("content of the index: database: %s", one_line(error))
                await asyncio.sleep(_SOON)
                continue
            times = [when for when, _ in self._due.values()]
            try:
                async with asyncio.timeout(max(0.0, min(times) - loop.time()) if times else None):
                    await self._new.wait()
            except TimeoutError:
                pass

    async def _try(self, item: T) -> None:
        try:
            async with self._slots, asyncio.timeout(_LIMIT):
                await self.read_item(item)
        except (NotFound, ContentError, TimeoutError, OSError) as error:
            _log.debug("%s: %s", item, error)
            wait = self._due.get(item, (0.0, _SOON))[1]
            now = asyncio.get_running_loop().time()
            self._due[item] = now + wait, min(2 * wait, _LATE)
        else:
            self._due.pop(item, None)
