"""What a node trains on of a round that a Superlink lied about: only the shard that the seed drew of the task's."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dao.app.shards import read_shards
from dao.chain.final_reader import FinalReader
from dao.core.constants import PUBLIC_ROUNDS
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import Manifest, dump_manifest
from dao.core.types import Digest, RoundId
from dao.errors import ContentError, NotFound
from dao.store.cid import digest_of_content
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.store.source import MAX_CONTENT
from node.public_shards import PUBLIC_BYTES, PublicShards, take_newest
from tests.audit.stage import TAMPERED, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def fetch(
    stage: Stage, manifest: Manifest, folder: Path, max_bytes: int = PUBLIC_BYTES
) -> tuple[list[str], list[str]]:
    """Post a manifest of the second round; return the names of the files for the third, and what was said to be wrong."""
    content = dump_manifest(manifest)
    stated = stage.stated(manifest)
    async with stage.posted(stated, content), stage.world.network.chain() as chain:
        store = LayeredStore(DiskStore(folder), [DiskStore(stage.folder)], attempts=1)
        public = PublicShards(stage.world.task, FinalReader(chain, stage.world.task), store, max_bytes)
        with capture_logs() as logs:
            paths = await public.fetch(RoundId(TAMPERED + 1), 20)
    assert all(path.read_bytes() for path in paths)
    return [path.name for path in paths], [
        line["error"] for line in logs if line["event"] == "no public shard"
    ]


async def test_shards__of_honest_rounds__the_oldest_first(stage: Stage, tmp_path: Path) -> None:
    names = [one.shard.cid.digest.hex() for one in (stage.previous, stage.manifest)]
    assert await fetch(stage, stage.manifest, tmp_path) == (names, [])


async def test_shards__of_rounds_that_may_still_fall__they_and_their_manifests_are_read_once(
    stage: Stage, tmp_path: Path
) -> None:
    content, asked = dump_manifest(stage.manifest), []

    class Noting(DiskStore):
        async def get(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
            asked.append(content)
            return await super().get(content, max_bytes)

    async with stage.posted(stage.stated(stage.manifest), content), stage.world.network.chain() as chain:
        store = LayeredStore(Noting(tmp_path), [DiskStore(stage.folder)], attempts=1)
        public = PublicShards(stage.world.task, FinalReader(chain, stage.world.task), store, PUBLIC_BYTES)
        paths = await public.fetch(RoundId(TAMPERED + 1), 20)
        assert len(asked) > len(paths) == TAMPERED
        for path in paths:  # of an earlier moment, so that a change since would be seen
            os.utime(path, (0, 0))
        assert await public.fetch(RoundId(TAMPERED + 1), 20) == paths
        asked.clear()
        assert await public.fetch(RoundId(TAMPERED + 1), 20) == paths
        assert asked == []
        changed = paths[-1]
        content = changed.read_bytes()
        changed.chmod(0o600)
        changed.write_bytes(content[:-1] + b"?")
        assert await public.fetch(RoundId(TAMPERED + 1), 20) == paths
        assert (changed.read_bytes(), set(asked)) == (content, {stage.manifest.shard.cid})


@pytest.mark.parametrize(("missing", "limit", "is_here"), [(2, 20, True), (10**9, 1, False)])
async def test_shards__source_gives_no_answer__it_is_asked_again_while_there_is_time(
    stage: Stage, tmp_path: Path, missing: int, limit: float, is_here: bool
) -> None:
    silent = {stage.previous.shard.cid.digest: missing}  # answers that do not come

    class Busy(DiskStore):
        async def get(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
            digest = digest_of_content(content)
            if silent.setdefault(digest, 0):
                silent[digest] -= 1
                raise ContentError("too many fetches; ask again")
            return await super().get(content, max_bytes)

    async with stage.world.network.chain() as chain:
        store = LayeredStore(DiskStore(tmp_path), [Busy(stage.folder)], attempts=1)
        public = PublicShards(stage.world.task, FinalReader(chain, stage.world.task), store, PUBLIC_BYTES)
        with capture_logs() as logs:
            paths = await public.fetch(RoundId(TAMPERED), limit)
    assert [path.name for path in paths] == [stage.previous.shard.cid.digest.hex()] * is_here
    assert any(line["event"] == "no public shard" for line in logs) != is_here


async def test_shard__that_every_source_lacks__is_asked_for_once(stage: Stage, tmp_path: Path) -> None:
    asked: Counter[Digest] = Counter()

    class Lacking(DiskStore):
        async def get(self, content: Cid | Digest, max_bytes: int = MAX_CONTENT) -> Path:
            asked[digest_of_content(content)] += 1
            if content == stage.previous.shard.cid:
                raise NotFound("not here; ask another source")
            return await super().get(content, max_bytes)

    async with stage.world.network.chain() as chain:
        store = LayeredStore(DiskStore(tmp_path), [Lacking(stage.folder)], attempts=1)
        public = PublicShards(stage.world.task, FinalReader(chain, stage.world.task), store, PUBLIC_BYTES)
        assert await public.fetch(RoundId(TAMPERED), 20) == []
    assert asked[stage.previous.shard.cid.digest] == 1


@pytest.mark.parametrize(("max_bytes", "is_here"), [(PUBLIC_BYTES, True), (0, False)])
async def test_look_ahead__shard_of_the_round__is_here_once_the_node_knows_how_large_shards_are(
    stage: Stage, tmp_path: Path, max_bytes: int, is_here: bool
) -> None:
    shard = stage.manifest.shard.cid
    async with stage.world.network.chain() as chain:
        store = LayeredStore(DiskStore(tmp_path), [DiskStore(stage.folder)], attempts=1)
        public = PublicShards(stage.world.task, FinalReader(chain, stage.world.task), store, max_bytes)
        await public.look_ahead(shard.digest)
        assert not await store.local.has(shard)
        assert bool(await public.fetch(RoundId(TAMPERED), 20)) == is_here
        await public.look_ahead(shard.digest)
        assert await store.local.has(shard) == is_here
        if is_here:
            with pytest.raises(ContentError, match="more than"):
                await public.look_ahead((await stage.put(bytes(10**6))).digest)


async def test_shards__more_bytes_than_the_owner_allows__the_newest(stage: Stage, tmp_path: Path) -> None:
    shard = stage.manifest.shard.cid
    size = len(await stage.content(shard))
    assert await fetch(stage, stage.manifest, tmp_path / "one", 2 * size - 1) == ([shard.digest.hex()], [])
    assert await fetch(stage, stage.manifest, tmp_path / "none", size - 1) == ([], [])
    assert await fetch(stage, stage.manifest, tmp_path / "off", 0) == ([], [])


async def test_shard__that_the_seed_did_not_draw__is_refused(stage: Stage, tmp_path: Path) -> None:
    shards = read_shards(stage.world.assignment.shards)
    drawn, used = stage.manifest.shard.index, stage.manifest.used_shards
    other = next(index for index in range(len(shards.paths)) if index not in used)
    shard = replace(
        stage.manifest.shard,
        index=other,
        cid=await stage.put(shards.paths[other].read_bytes()),
        proof=shards.proof(other),
    )
    others = tuple(sorted({*used, other} - {drawn}))
    lie = replace(stage.manifest, shard=shard, used_shards=others)
    names, errors = await fetch(stage, lie, tmp_path)
    assert names == [stage.previous.shard.cid.digest.hex()]
    assert errors == [f"manifest: shard {other}: the seed of the round drew {drawn}"]


async def test_shard__that_is_none_of_the_tasks__is_refused(stage: Stage, tmp_path: Path) -> None:
    made_up = await stage.put(bytes(await stage.content(stage.manifest.shard.cid)) + b" ")
    lie = replace(stage.manifest, shard=replace(stage.manifest.shard, cid=made_up))
    names, errors = await fetch(stage, lie, tmp_path)
    assert names == [stage.previous.shard.cid.digest.hex()]
    assert errors == [f"manifest: shard {made_up}: its proof does not lead to the task's validation root"]


async def test_shards__of_many_rounds__the_newest_that_fit(tmp_path: Path) -> None:
    shards = [tmp_path / f"{number:03}" for number in range(PUBLIC_ROUNDS + 6)]
    for shard in shards:
        shard.write_bytes(b"12345678")
    assert take_newest(shards) == shards[-PUBLIC_ROUNDS:]
    assert take_newest(shards, 8 * 3 + 7) == shards[-3:]
    assert take_newest(shards, 7) == []
    assert take_newest([]) == []
