"""The new model, got before the chain names it: from its base and steps, or whole."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from structlog.testing import capture_logs

from dao.core.constants import MAX_HEADER
from dao.core.formats.layout import Layout, Model, compute_model_size, parse_model, write_model
from dao.core.formats.manifest import Manifest
from dao.core.formats.update import apply_step, decode_update, encode_update_prefix, encode_update_rows
from dao.core.types import NO_ROUND, Codec, Digest, RoundId, TaskId
from dao.errors import TooLarge
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.wire.messages import ComputedModel
from node import model_keeper
from node.model_keeper import ModelKeeper, count_useful_steps

pytestmark = pytest.mark.asyncio

LAYOUT = Layout.of({"a": (3000,), "b": (50, 40)})
ROUNDS = 5


def write_file(values: Any) -> bytes:
    file = bytearray(compute_model_size(LAYOUT))
    write_model(LAYOUT, file).flat[:] = values
    return bytes(file)


def play_rounds() -> tuple[list[bytes], list[bytes]]:
    """The models of a task from its first, and the steps between them."""
    dice = np.random.Generator(np.random.Philox(5))
    models, steps = [write_file(dice.normal(0, 1, LAYOUT.size))], list[bytes]()
    for _ in range(ROUNDS):
        base = parse_model(models[-1])
        trained = Model(LAYOUT, base.flat + dice.normal(0, 0.01, LAYOUT.size).astype(np.float32))
        rows = encode_update_rows(base, trained, Codec.INT8)
        steps.append(encode_update_prefix(LAYOUT, Codec.INT8) + rows.tobytes())
        file = bytearray(len(models[0]))
        apply_step(base, decode_update(steps[-1], LAYOUT, Codec.INT8), write_model(LAYOUT, file).flat)
        models.append(bytes(file))
    return models, steps


MODELS, STEPS = play_rounds()
LARGE = bytes(len(MODELS[0]) + 1)


class Counted(DiskStore):
    """A source that notes what is fetched from it."""

    fetched: list[Digest]
    gone: set[Digest]

    async def get(self, content: Any, *args: Any, **options: Any) -> Path:
        self.fetched.append(content)
        if content in self.gone:
            return await super().get(Digest(bytes(32)))
        return await super().get(content, *args, **options)


class Reader:
    """A chain on which round n leads from model n - 1 to model n."""

    codec = Codec.INT8

    async def read_rules_of(self, _: RoundId) -> SimpleNamespace:
        return SimpleNamespace(codec=self.codec, chunks=LAYOUT.chunks)

    async def read_rules(self) -> SimpleNamespace:
        return await self.read_rules_of(NO_ROUND)

    async def read_result(self, round_id: RoundId) -> SimpleNamespace:
        return SimpleNamespace(manifest_digest=digest_of(name_of_manifest(round_id)))


def name_of_manifest(round_id: int) -> bytes:
    return b"manifest of %d" % round_id


def read_manifest(content: bytes) -> Manifest:
    number = int(content.split()[-1])
    row = SimpleNamespace(
        step=cid_of_bytes(STEPS[number - 1]), base_model=cid_of_bytes(MODELS[number - 1]), parent=number - 1
    )
    return cast("Manifest", row)


def digest_of(data: bytes) -> Digest:
    return cid_of_bytes(data).digest


@pytest.fixture
async def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    monkeypatch.setattr(model_keeper, "parse_manifest", read_manifest)
    disk = Counted(tmp_path / "source")
    disk.fetched, disk.gone = [], set()
    for data in (*MODELS, *STEPS, LARGE, *map(name_of_manifest, range(1, ROUNDS + 1))):
        await disk.put_bytes(data)
    return disk


def keeper_of(source: Counted, folder: Path) -> ModelKeeper:
    """A keeper over what is in a folder, as after a start."""
    store = LayeredStore(DiskStore(folder), [source], attempts=1)
    return ModelKeeper(TaskId(1), cast("Any", Reader()), store)


@pytest.fixture
async def keeper(source: Counted, tmp_path: Path) -> AsyncIterator[ModelKeeper]:
    made = keeper_of(source, tmp_path / "own")
    await made.get(digest_of(MODELS[0]), NO_ROUND)
    source.fetched.clear()
    yield made
    await made.close()


def look_ahead(keeper: ModelKeeper, model: bytes, step: bytes) -> Digest:
    keeper.look_ahead(
        digest_of(MODELS[0]), Codec.INT8, ComputedModel(digest_of(model), digest_of(step), Digest(bytes(32)))
    )
    return digest_of(model)


async def test_look_ahead__the_right_step__model_is_made_of_it_before_the_chain_names_it(
    keeper: ModelKeeper, source: Counted
) -> None:
    digest = look_ahead(keeper, MODELS[1], STEPS[0])
    assert (await keeper.get(digest, RoundId(1))).read_bytes() == MODELS[1]
    assert source.fetched == [digest_of(STEPS[0])]
    assert len(STEPS[0]) <= 0.27 * len(MODELS[0])


@pytest.mark.parametrize("step", [STEPS[1], MODELS[2], b"no such content"], ids=["another", "none", "absent"])
async def test_look_ahead__a_step_that_leads_elsewhere__model_is_fetched_whole(
    keeper: ModelKeeper, source: Counted, tmp_path: Path, step: bytes
) -> None:
    digest = look_ahead(keeper, MODELS[1], step)
    with capture_logs() as said:
        assert (await keeper.get(digest, RoundId(1))).read_bytes() == MODELS[1]
    assert [event["steps"] for event in said if event["event"] == "model"] == [0]
    assert source.fetched[-1] == digest
    own = DiskStore(tmp_path / "own")
    kept = {path.name for path in (own.root / "objects").glob("*/*")} - {digest_of(step).hex()}
    assert kept == {digest_of(MODELS[0]).hex(), digest.hex()}


async def test_look_ahead__another_model__the_one_on_chain_is_used(keeper: ModelKeeper) -> None:
    look_ahead(keeper, b"no such content", STEPS[0])
    assert (await keeper.get(digest_of(MODELS[1]), RoundId(1))).read_bytes() == MODELS[1]


@pytest.mark.parametrize("round_id", [NO_ROUND, RoundId(1)])
async def test_get__result_names_more_bytes_than_a_model_of_the_task_has__is_not_fetched(
    source: Counted, tmp_path: Path, round_id: RoundId
) -> None:
    limit = 8 + MAX_HEADER + 1024 * LAYOUT.chunks
    larger, largest = [await source.put_bytes(bytes(size)) for size in (limit + 1, limit)]
    keeper = keeper_of(source, tmp_path / "node")
    with pytest.raises(TooLarge):
        await keeper.get(larger.digest, round_id)
    assert (await keeper.get(largest.digest, round_id)).stat().st_size == limit
    await keeper.close()


async def test_look_ahead__larger_than_the_base__only_fetched_when_the_chain_names_it(
    keeper: ModelKeeper, tmp_path: Path
) -> None:
    digest = look_ahead(keeper, LARGE, b"no such content")
    with pytest.raises(TooLarge, match=f"more than the {len(MODELS[0]):,}|more than the {len(MODELS[0])}"):
        await keeper._models[digest]
    assert not DiskStore(tmp_path / "own").path_of(digest).exists()
    assert (await keeper.get(digest, NO_ROUND)).read_bytes() == LARGE


@pytest.mark.parametrize("missed", [1, 2, 3])
async def test_get__some_rounds_missed__steps_from_what_is_here(
    keeper: ModelKeeper, source: Counted, missed: int
) -> None:
    with capture_logs() as said:
        path = await keeper.get(digest_of(MODELS[missed]), RoundId(missed))
    assert path.read_bytes() == MODELS[missed]
    assert [event["steps"] for event in said if event["event"] == "model"] == [missed]
    assert not set(source.fetched) & set(map(digest_of, MODELS))


@pytest.mark.parametrize("missed", [4, 5])
async def test_get__more_missed_than_a_model_weighs__the_model(
    keeper: ModelKeeper, source: Counted, missed: int
) -> None:
    assert (await keeper.get(digest_of(MODELS[missed]), RoundId(missed))).read_bytes() == MODELS[missed]
    assert digest_of(MODELS[missed]) in source.fetched
    assert not set(source.fetched) & set(map(digest_of, STEPS))


async def test_get__a_step_is_nowhere__the_model(keeper: ModelKeeper, source: Counted) -> None:
    source.gone.add(digest_of(STEPS[0]))
    assert (await keeper.get(digest_of(MODELS[2]), RoundId(2))).read_bytes() == MODELS[2]
    assert digest_of(MODELS[2]) in source.fetched


async def test_get__process_ended_between_any_two_downloads__goes_on_from_what_is_here(
    source: Counted, tmp_path: Path
) -> None:
    """Content is whole or absent, so a kill leaves nothing but some of: the base, the steps, a file half written."""
    own = DiskStore(tmp_path / "own")
    await own.put_bytes(MODELS[0])
    await own.put_bytes(STEPS[0])
    (own.tmp / f"1-moved-{digest_of(MODELS[2]).hex()}").write_bytes(MODELS[2][:100])
    keeper = keeper_of(source, own.root)
    assert (await keeper.get(digest_of(MODELS[2]), RoundId(2))).read_bytes() == MODELS[2]
    assert digest_of(STEPS[1]) in source.fetched
    assert not {digest_of(STEPS[0]), *map(digest_of, MODELS)} & set(source.fetched)
    await keeper.close()
    again = keeper_of(source, own.root)
    source.fetched.clear()
    await again.get(digest_of(MODELS[2]), RoundId(2))
    assert source.fetched == []
    await again.close()


async def test_get__round_after_a_void_one__its_base_is_still_here(
    keeper: ModelKeeper, source: Counted
) -> None:
    await keeper.get(digest_of(MODELS[1]), RoundId(1))
    await keeper.get(digest_of(MODELS[0]), NO_ROUND)  # the round that made the other is void
    source.fetched.clear()
    await keeper.get(look_ahead(keeper, MODELS[1], STEPS[0]), RoundId(1))
    assert source.fetched == []
    digest = look_ahead(keeper, write_file(0), STEPS[0])
    await asyncio.wait([keeper._models[digest]])
    assert keeper._store.local.path_of(digest_of(MODELS[0])).exists()


async def test_count_useful_steps__by_codec__less_than_a_model() -> None:
    assert [count_useful_steps(codec) for codec in (Codec.INT8, Codec.FLOAT32)] == [3, 0]


async def test_get__model_is_awaited__others_that_are_asked_for_do_not_end_it(
    source: Counted, tmp_path: Path
) -> None:
    class Slow(Counted):
        go = asyncio.Event()

        async def get(self, *args: Any, **options: Any) -> Path:
            await self.go.wait()
            return await super().get(*args, **options)

    slow = Slow(source.root)
    slow.fetched, slow.gone = [], set()
    keeper = keeper_of(slow, tmp_path / "own")
    waiting = asyncio.create_task(keeper.get(digest_of(MODELS[0]), NO_ROUND))
    await asyncio.sleep(0)
    look_ahead(keeper, MODELS[1], STEPS[0])
    look_ahead(keeper, LARGE, STEPS[0])
    slow.go.set()
    assert (await waiting).read_bytes() == MODELS[0]
    await keeper.close()


async def test_get__second_step_is_none__the_model_is_fetched_and_no_scratch_file_stays(
    keeper: ModelKeeper, source: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = await source.put_bytes(b"CWU1" + STEPS[1][4:][::-1])

    def read(content: bytes) -> Manifest:
        manifest = cast("Any", read_manifest(content))
        manifest.step = broken if content == name_of_manifest(2) else manifest.step
        return cast("Manifest", manifest)

    monkeypatch.setattr(model_keeper, "parse_manifest", read)
    assert (await keeper.get(digest_of(MODELS[2]), RoundId(2))).read_bytes() == MODELS[2]
    assert {digest_of(STEPS[0]), broken.digest, digest_of(MODELS[2])} <= {
        getattr(content, "digest", content) for content in source.fetched
    }
    assert not list(keeper._store.local.tmp.iterdir())
