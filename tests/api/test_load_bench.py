"""The benchmark of the API runs, and the API answers all that it asks."""

from bench import api_load


def test_api_load__ten_thousand_events__each_route_is_asked_and_answers() -> None:
    figures = api_load.measure(10000, rate=40, seconds=4, database=None, busy=1)
    assert figures["outcomes"] == {"answered": 80}  # the first two seconds do not count
    assert len(figures["routes"]) == 16
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
