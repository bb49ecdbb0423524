"""Numbers of the HTTP API: requests by route and status, how long they took, and who follows streams."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


class RequestMetrics:
    """The counters of one process.

    Attributes:
        registry: what `/metrics` shows of them.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "posegen_api_requests",
            "Requests of the HTTP API that ended.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "posegen_api_request_seconds",
            "How long requests took, streams included.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._followers = Gauge("posegen_api_followers", "Open streams of events.", registry=self.registry)

    def record(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request has ended. `route`: its template, such as `/v1/generations/{generation_id}`."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def count_followers(self, count: Callable[[], int]) -> None:
        """Where the number of open streams is asked."""
        self._followers.set_function(count)
