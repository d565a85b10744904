"""The benchmark of the API runs, and the API answers all that it asks."""

from bench import api_load


def test_api_load__ten_thousand_events__each_route_is_asked_and_answers() -> None:
    # slowly: what comes faster than a machine can answer that others keep busy, the API sheds
    figures = api_load.measure(10000, rate=10, seconds=6, database=None, busy=1)
    assert figures["outcomes"] == {"answered": 40}  # the first two seconds do not count
    assert len(figures["routes"]) == 16
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
