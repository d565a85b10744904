"""The validation shards of earlier rounds, which are public: a node's app trains on them beside its own rows.

Who trained on them alone would earn what others' data is worth (docs/attacks.md); once every node does, nobody gains by it.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import structlog

from dao.chain.final_reader import FinalReader
from dao.core.constants import MAX_MANIFEST, PUBLIC_ROUNDS
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Manifest, parse_manifest
from dao.core.round_machine import draw_shard
from dao.core.types import Digest, Phase, RoundId, Rules, TaskId
from dao.errors import DaoError, DecodeError, NotFound, TooLarge
from dao.runtime.backoff import pauses
from dao.store.layered import LayeredStore

LARGER = 2  # times the largest shard that is known, which the next one may have
PUBLIC_BYTES = 256 << 20  # of these files together, unless the owner sets another limit
_OPEN = (Phase.NONE, Phase.OPEN, Phase.CLOSED)
_OVER = (Phase.FINALIZED, Phase.ABORTED, Phase.VOID)
_log = structlog.get_logger()


class PublicShards:
    """One task's, fetched through the node's store and checked: drawn by its round's seed, and among the task's shards."""

    def __init__(self, task: TaskId, reader: FinalReader, store: LayeredStore, max_bytes: int) -> None:
        """`max_bytes` of files are had at a time; 0: none."""
        self._reader, self._store, self._max_bytes = reader, store, max_bytes
        self._task, self._log = task, _log.bind(task=task)
        self._largest = 0  # bytes of those that were had last
        self._shown: dict[RoundId, Cid | None] = {}  # None: of a round that is over, and has shown none

    async def fetch(self, round_id: RoundId, limit: float) -> list[Path]:
        """Return the files of the newest rounds before this one that can be had within `limit` seconds, oldest first.

        A file's name is the digest of its content. One that is missing or wrong is left out, and the log says so. A source that gives no
        answer is asked again: it may be busy, or start anew.
        """
        if not self._max_bytes:
            return []
        end = monotonic() + limit
        paths: list[Path] = []
        left = self._max_bytes
        cids = await self._find(round_id, end)
        here = await asyncio.to_thread(self._store.local.find_unchanged, cids)
        self._largest = max(here.values(), default=0)
        for cid in cids:
            try:
                size = here.get(cid) or await self._get(cid, left, end)
            except TooLarge:
                break
            except (DaoError, OSError, TimeoutError) as error:
                self._warn(error, shard=str(cid))
                continue
            self._largest = max(self._largest, size)
            if size > left:
                break
            paths.append(self._store.local.path_of(cid))
            left -= size
        return paths[::-1]

    async def look_ahead(self, shard: Digest) -> None:
        """Fetch what a Superlink says to be a round's shard before its result says so: then it need not be waited for.

        Once some are here, for by their size the node knows how much it may take at a mere word.
        """
        if self._largest and self._max_bytes:
            await self._store.get(shard, min(LARGER * self._largest, self._max_bytes))

    async def _get(self, cid: Cid, max_bytes: int, end: float) -> int:
        """Fetch a shard's file and check it; return its bytes. TimeoutError where it is not here, and cannot be had by the time `end`."""
        if end <= monotonic() and not await self._store.has(cid):
            raise TimeoutError
        async with asyncio.timeout(max(1.0, end - monotonic())):
            path = await self._ask(cid, max_bytes, end)
        return path.stat().st_size

    async def _ask(self, content: Cid | Digest, max_bytes: int, end: float) -> Path:
        """Return a content's file, as the store gives it; where a source gave no answer, ask again until the time `end`."""
        for pause in pauses():
            try:
                return await self._store.get(content, max_bytes)
            except NotFound as error:
                if error.is_certain or monotonic() + pause >= end:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError  # pauses do not end

    async def _find(self, round_id: RoundId, end: float) -> list[Cid]:
        """Return the shards that earlier rounds showed, newest first, each once."""
        rounds = [RoundId(number) for number in range(round_id - 1, max(0, round_id - 1 - PUBLIC_ROUNDS), -1)]
        for gone in self._shown.keys() - set(rounds):
            del self._shown[gone]
        unread = [number for number in rounds if number not in self._shown]
        reading = [asyncio.create_task(self._read(number, end)) for number in unread]
        try:
            if reading:
                await asyncio.wait(reading, timeout=end - monotonic())
        finally:
            for task in reading:
                task.cancel()
        read = await asyncio.gather(*reading, return_exceptions=True)
        shown = {**self._shown, **dict(zip(unread, read, strict=True))}
        for number in unread:
            if isinstance(one := shown[number], BaseException):
                self._warn(one, of_round=number)
        return list(dict.fromkeys(one for number in rounds if isinstance(one := shown[number], Cid)))

    async def _read(self, number: RoundId, end: float) -> Cid | None:
        """Return the shard that a round showed, None where it has no result; DaoError where it is not the one it drew.

        What was shown once is public, whatever becomes of the round.
        """
        state = await self._reader.read_state(number)
        if state.phase in _OPEN or not state.posted_at:
            cid = None
        else:
            result, rules = await self._reader.read_result(number), await self._reader.read_rules_of(number)
            path = await self._ask(result.manifest_digest, MAX_MANIFEST, end)
            manifest = parse_manifest(await asyncio.to_thread(path.read_bytes))
            cid = check_shard(manifest, result.seed, rules)
        if cid is not None or state.phase in _OVER:
            self._shown[number] = cid
        return cid

    def _warn(self, error: BaseException, **what: object) -> None:
        self._log.warning("no public shard", error=str(error) or "it could not be had in time", **what)


def check_shard(manifest: Manifest, seed: Digest, rules: Rules) -> Cid:
    """Return the shard that a round showed; DecodeError where it is not the one that its seed drew of the task's."""
    shard = manifest.shard
    drawn = draw_shard(seed, rules.shards, set(manifest.used_shards) - {shard.index})
    if drawn != shard.index:
        raise DecodeError(f"manifest: shard {shard.index}: the seed of the round drew {drawn}")
    if not shard.is_under(rules.validation_root):
        raise DecodeError(
            f"manifest: shard {shard.cid}: its proof does not lead to the task's validation root"
        )
    return shard.cid


def take_newest(shards: Sequence[Path], max_bytes: int = PUBLIC_BYTES) -> list[Path]:
    """Return those of some rounds' shards, oldest first, that a node trains on in the next round, as `fetch` chooses them."""
    taken: list[Path] = []
    for path in shards[::-1][:PUBLIC_ROUNDS]:
        max_bytes -= path.stat().st_size
        if max_bytes < 0:
            break
        taken.append(path)
    return taken[::-1]
