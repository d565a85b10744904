"""What an operator watches: readiness, metrics in Prometheus' form, a log of requests."""

import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dao.api.daemon import open_api
from tests.api.stage import BASE, Stage, member


async def test_ready__with_and_without_the_chains_node__says_so(own_stage: Stage) -> None:
    async with own_stage.open() as running, member(running, own_stage.members[0]) as who:
        assert await who.get("/ready") == {"ready": True}
    own_stage.network.anvil.kill()
    async with open_api(own_stage.settings()) as running, member(running, own_stage.members[0]) as who:
        assert (await who.get("/ready", 503))["type"] == "not-ready"
        await who.get("/health")


async def test_metrics__as_prometheus_reads_them__have_its_names_and_types(stage: Stage) -> None:
    async with stage.open() as running, member(running, stage.members[3]) as who:
        await who.sign_in()
        await who.delegate()
        families = {
            family.name: family
            for family in text_string_to_metric_families((await who.http.get(f"{BASE}/metrics")).text)
        }
    types = {name: family.type for name, family in families.items()}
    assert types["commonweight_http_requests"] == "counter"
    assert types["commonweight_http_request_duration_seconds"] == "histogram"
    assert types["commonweight_event_listeners_dropped"] == "counter"
    assert types["process_cpu_seconds"] == "counter"
    assert types["process_open_fds"] == "gauge"
    [gas] = families["commonweight_relayer_gas"].samples
    assert (gas.name, families["commonweight_relayer_gas"].type) == (
        "commonweight_relayer_gas_total",
        "counter",
    )
    assert gas.value > 21_000


async def test_request_log__as_set__has_a_line_for_each_request(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    for is_wanted in (True, False):
        caplog.clear()
        with caplog.at_level(logging.INFO, "dao.api.http.request_log"):
            async with (
                stage.open(api={"request_log": is_wanted}) as running,
                member(running, stage.members[0]) as who,
            ):
                await who.get("/tasks/9%0Aforged?limit=1", 422)
        lines = [record.getMessage() for record in caplog.records if "request_log" in record.name]
        assert [line.split(" in ")[0] for line in lines] == ["GET /api/v1/tasks/9%0Aforged: 422"] * is_wanted
