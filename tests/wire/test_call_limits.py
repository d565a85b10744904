import asyncio

import pytest

from dao.wire import call_limits
from dao.wire.call_limits import CallLimits, CallPace, CallPlaces
from dao.wire.call_status import Refusal, Why


async def test_pace__within_the_burst__no_wait() -> None:
    pace = CallPace(rate=1.0, burst=9.0, max_wait=0.0)
    for _ in range(10):
        await pace.wait("a")
    with pytest.raises(Refusal, match="slow down") as refused:
        await pace.wait("a")
    assert refused.value.why is Why.BUSY


async def test_pace__one_floods__another_passes_at_once() -> None:
    pace = CallPace(rate=1.0, burst=0.0, max_wait=1000.0)
    flood = [asyncio.create_task(pace.wait("flood")) for _ in range(100)]
    await asyncio.sleep(0)
    await asyncio.wait_for(pace.wait("other"), 0.5)
    assert sum(task.done() for task in flood) <= 2
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)


async def test_pace__many_keys__memory_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_limits, "_MAX_BUCKETS", 10)
    pace = CallPace(rate=100.0, burst=1.0, max_wait=1.0)
    for key in range(50):
        await pace.wait(str(key))
    assert len(pace._next) == 10


async def test_places__one_key_full__waits_then_refused_and_others_pass() -> None:
    places = CallPlaces(per_key=2, queue=1, total=10, what="calls")
    release, entered = asyncio.Event(), asyncio.Semaphore(0)

    async def hold(key: str) -> None:
        async with places.take(key):
            entered.release()
            await release.wait()

    held = [asyncio.create_task(hold("a")) for _ in range(3)]
    for _ in range(2):
        await entered.acquire()
    with pytest.raises(Refusal, match="calls: 3 are in work or waiting"):
        async with places.take("a"):
            pass
    async with places.take("b"):
        pass
    assert entered.locked()  # the third of "a" still waits
    release.set()
    await asyncio.gather(*held)
    assert not places._keys
    assert not places._taken


async def test_places__all_taken__next_in_line_gets_one() -> None:
    places = CallPlaces(per_key=1, queue=0, total=1, what="calls")
    async with places.take("a"):
        waiting = asyncio.create_task(asyncio.wait_for(places.take("b").__aenter__(), 10))
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


async def test_places__waiter_cancelled__place_is_free_again() -> None:
    places = CallPlaces(per_key=1, queue=1, total=5, what="calls")
    async with places.take("a"):
        waiting = asyncio.create_task(places.take("a").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    free = places.take("a")
    await asyncio.wait_for(free.__aenter__(), 1)
    assert places._taken == {"a": 1}


def test_limits__stream_time__grows_with_its_size() -> None:
    granted = CallLimits(silence_seconds=10, min_rate=100)
    assert granted.stream_seconds(1000) == 20
