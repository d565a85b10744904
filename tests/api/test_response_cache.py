"""An answer is computed once as long as nothing changes, in bounded memory, and no other answer takes its place."""

from typing import Any

from dao.api.http import response_cache as module
from dao.api.http.response_cache import CachedResponse, ResponseCache
from dao.index.reads import Reads
from tests.api.stage import BASE, Stage, caught_up, member


async def test_reads__again_while_nothing_changed__the_same_bytes_without_the_database(
    stage: Stage, monkeypatch: Any
) -> None:
    async with stage.open() as running, member(running, stage.members[0]) as who:
        first = await who.http.get(f"{BASE}/delegates")
        monkeypatch.setattr(Reads, "list_delegates", None)  # nobody can ask it any more
        again = await who.http.get(f"{BASE}/delegates")
        assert (again.status_code, again.content) == (200, first.content)
        assert {**again.headers, "date": ""} == {**first.headers, "date": ""}
        assert (await who.http.get(f"{BASE}/delegates?limit=7")).status_code == 500
        metrics = (await who.http.get(f"{BASE}/metrics")).text
        assert 'commonweight_http_requests_total{method="GET",route="/delegates",status="200"} 2.0' in metrics
        monkeypatch.undo()
        before = (await who.get("/delegates"))["as_of"]["block"]
        stage.pass_time(1)
        await caught_up(stage, running)
        assert (await who.get("/delegates"))["as_of"]["block"] > before


async def test_reads__not_found__asked_again(stage: Stage, monkeypatch: Any) -> None:
    async with stage.open() as running, member(running, stage.members[0]) as who:
        await who.get("/tasks/9", 404)
        monkeypatch.setattr(Reads, "find_task", None)
        await who.get("/tasks/9", 500)


def test_response_cache__more_than_fit__the_oldest_make_room() -> None:
    cache = ResponseCache(3 * (module._OVERHEAD + 100))
    for number in range(5):
        cache.store(str(number), CachedResponse({}, bytes(100), None))
        cache.find("0")
    assert len(cache) == 3
    assert [name for name in map(str, range(5)) if cache.find(name)] == ["0", "3", "4"]
    cache.store("large", CachedResponse({}, bytes(module.MAX_BODY + 1), None))
    assert cache.find("large") is None


async def test_reads__in_json__are_compressed_for_who_takes_it(stage: Stage) -> None:
    async with stage.open() as running, member(running, stage.members[0]) as who:
        for path in ("/network", "/openapi.json"):
            plain = await who.http.get(BASE + path, headers={"Accept-Encoding": "identity"})
            packed = await who.http.get(BASE + path, headers={"Accept-Encoding": "br, gzip;q=0.5"})
            again = await who.http.get(BASE + path)
            assert "content-encoding" not in plain.headers
            assert packed.headers["content-encoding"] == again.headers["content-encoding"] == "gzip"
            assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
            assert int(packed.headers["content-length"]) < len(plain.content) * 2 / 3
            assert packed.json() == again.json() == plain.json()
            assert packed.headers["etag"] == plain.headers["etag"]
        await who.sign_in()
        session = await who.http.get(f"{BASE}/auth/session")
        assert "content-encoding" not in session.headers  # a secret's size could be guessed


async def test_reads__by_head_and_for_whoever_has_any__come_without_a_body(stage: Stage) -> None:
    async with stage.open() as running, member(running, stage.members[0]) as who:
        for path in (f"{BASE}/network", f"{BASE}/health", "/", "/js/main.js"):
            whole = await who.http.get(path)
            head = await who.http.head(path)
            assert (head.status_code, head.content) == (200, b""), path
            assert head.headers["content-type"] == whole.headers["content-type"]
            assert head.headers["content-length"] == whole.headers["content-length"]
        assert (await who.http.head(f"{BASE}/nothing")).status_code == 404
        for path in (f"{BASE}/network", "/"):
            assert (await who.http.get(path, headers={"If-None-Match": "*"})).status_code == 304
        missing = await who.http.get(f"{BASE}/tasks/99", headers={"If-None-Match": "*"})
        assert missing.status_code == 404
