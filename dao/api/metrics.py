"""Metrics for Prometheus: requests, listeners, the relayer, how far the index is, the process."""

import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import Scope

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class _WatchedCounter(Collector):
    """A counter whose value another part of the API counts."""

    def __init__(self, name: str, text: str, value: Callable[[], float]) -> None:
        self._name, self._text, self._value = name, text, value

    def collect(self) -> Iterator[Metric]:
        """Read the counter."""
        yield CounterMetricFamily(self._name, self._text, value=self._value())


class Metrics:
    """The metrics of one API, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "commonweight_http_requests",
            "Requests by method, route and status.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "commonweight_http_request_duration_seconds",
            "Seconds until an answer began.",
            ("route",),
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a gauge, whose value is computed whenever the metrics are read."""
        Gauge(f"commonweight_{name}", text, registry=self._registry).set_function(value)

    def watch_counter(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a counter, whose value is read whenever the metrics are; `_total` is added to its name."""
        self._registry.register(_WatchedCounter(f"commonweight_{name}", text, value))

    def observe(self, scope: Scope, status: int) -> None:
        """Count a request whose answer begins, by its route's path as declared, so that the number of labels is fixed."""
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in ("GET", "POST") else "other"
        self._requests.labels(method, route, str(status)).inc()
        began = scope["state"].get("began")
        if began is not None:
            self._seconds.labels(route).observe(time.perf_counter() - began)

    def dump(self) -> bytes:
        """Dump all metrics in Prometheus' format."""
        return generate_latest(self._registry)
