"""Gets a task's app ready before a round opens: fetched, unpacked, started with the node's data."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from dao.app.bundle import MAX_BYTES, unpack
from dao.app.frozen_base import fetch_frozen_base, place_frozen_base
from dao.chain.final_reader import FinalReader
from dao.content.cards import fetch_card
from dao.core.constants import MAX_CARD
from dao.core.engine.backend import get_loops
from dao.core.formats.app_settings import Setting
from dao.core.formats.card import Card
from dao.core.types import Digest, RoundId, Rules, TaskId, hex_of
from dao.errors import ContentError, DaoError, NotFound
from dao.runtime.backoff import pauses
from dao.store.layered import LayeredStore
from dao.wire.superlink_client import SuperlinkClient
from node.approvals import Approvals
from node.check.site_data import SiteData
from node.state_notes import StateNotes
from node.trainer import Trainer

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds until a missing app is asked for again
_log = structlog.get_logger()


class SupernodeReadiness:
    """The app of one task, and the data that it is to see.

    `trainer_of` takes the folder of an app, each in its own below `apps`, and its settings. `follows_card`: what members
    make of the task's card needs no approval.
    """

    def __init__(
        self,
        task: TaskId,
        reader: FinalReader,
        store: LayeredStore,
        client: SuperlinkClient,
        trainer_of: Callable[[Path, Mapping[str, Setting]], Trainer],
        apps: Path,
        approvals: Approvals,
        data: SiteData,
        notes: StateNotes,
        *,
        follows_card: bool = False,
    ) -> None:
        self._reader, self._store, self._client = reader, store, client
        self.data, self._notes = data, notes
        self._task, self._trainer_of, self._apps, self._approvals = task, trainer_of, apps, approvals
        self._log = _log.bind(task=task)
        self._trainer: Trainer | None = None
        self._follows_card = follows_card
        self._card: Digest | None = None  # whose settings it has

    async def prepare(self, last_round: RoundId, is_idle: bool) -> None:
        """Start the app with the data, and load the arithmetic; while idle, ask for a missing app until it is here, or a round opens."""
        for pause in pauses(FIRST_PAUSE, LONGEST_PAUSE):
            try:
                rules = await self._reader.read_rules()
                trainer = await self.get_trainer(rules)
                await asyncio.gather(trainer.start(), asyncio.to_thread(get_loops, rules.chunks))
            except DaoError as error:  # each round tries it again
                self._notes.write(str(error))
                self._log.warning("not ready", last_round=last_round, error=str(error))
                if not is_idle or not isinstance(error, ContentError):
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._reader.wait_next_round(last_round)
                    return
            else:
                self._notes.write("")
                self._log.info("ready", last_round=last_round)
                return

    async def get_trainer(self, rules: Rules) -> Trainer:
        """Return the trainer of the app that the DAO voted for and the owner approved: no other code is run."""
        if self._trainer is not None and self._card != rules.card:
            await self.stop()  # the DAO changed the app's settings
        digest = None if self._follows_card else rules.card
        await asyncio.to_thread(self._approvals.require, self._task, rules.app_hash, digest)
        if self._trainer is None:
            if not await self._store.has(rules.app_hash):
                self._log.info("fetching the app", superlink=self._client.address)
            try:
                bundle = await self._store.get(rules.app_hash, MAX_BYTES)
            except NotFound as error:
                name = hex_of(rules.app_hash)[:10]
                raise NotFound(f"the app {name}… cannot be had: {error.why}") from None
            folder = self._apps / rules.app_hash.hex()
            content, card = bundle.read_bytes(), await self._read_card(rules.card)
            self._approvals.keep(rules.app_hash, content)
            await asyncio.to_thread(unpack, content, folder)
            await self.data.check(content)
            await asyncio.to_thread(place_frozen_base, await fetch_frozen_base(self._store, card), folder)
            self._trainer, self._card = self._trainer_of(folder, card.settings), rules.card
        return self._trainer

    async def _read_card(self, digest: Digest) -> Card:
        card = await fetch_card(self._store, digest)
        self._approvals.keep(digest, (await self._store.get(digest, MAX_CARD)).read_bytes())
        return card

    async def stop(self) -> None:
        """Stop the app's process."""
        trainer, self._trainer = self._trainer, None
        if trainer is not None:
            await trainer.stop()
