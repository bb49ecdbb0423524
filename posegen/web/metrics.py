"""The route `/metrics`: the numbers of this installation in the words of Prometheus.

What they are counted from is `posegen.upkeep.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import get_args

import psycopg
import structlog
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from posegen.backends.hosted import BillSource
from posegen.error_codes import ErrorCode
from posegen.generations.calling.rows import CallState
from posegen.states import GenerationStatus
from posegen.storage.space import Space, space_of
from posegen.upkeep.metrics import Latencies, Numbers, StoreTraffic

PATH = "/metrics"
# What is told of each tally: its words, its label, and the values that are told also while they are 0.
_TALLIES: dict[str, tuple[str, str, Iterable[str]]] = {
    "finished": (
        "Generations that ended.",
        "status",
        [status for status in GenerationStatus if status.is_terminal],
    ),
    "failed": ("Generations that failed.", "code", ErrorCode),
    "requeued": (
        "Generations that were put back: their worker was lost, or an attempt ended with an error.",
        "reason",
        ["lost_lease", "error"],
    ),
}
# A number from a cache would be one of another moment.
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def metrics_route(read: Callable[[], Numbers], *, local_store: Path) -> BaseRoute:
    """The route. `read`: the numbers of now, or `psycopg.Error`; `local_store`: a folder, which need not be there."""

    async def answer(_: Request) -> Response:
        return await run_in_threadpool(scrape, read, local_store)

    return Route(PATH, answer, methods=["GET"])


def exposition(numbers: Numbers, space: Space) -> bytes:
    """The numbers as text, in Prometheus's format."""
    told = (_of_generations(numbers), _of_backends(numbers), _of_calls(numbers), _of_stores(numbers, space))
    return _text([_up(1), *chain.from_iterable(told)])


def scrape(read: Callable[[], Numbers], local_store: Path, more: bytes = b"") -> Response:
    """What Prometheus reads. `read`: as `metrics_route` takes it; `more`: of the process, behind the installation's."""
    try:
        text, status = exposition(read(), space_of(local_store)), 200
    except psycopg.Error as failure:
        structlog.get_logger(__name__).warning("metrics cannot be read", reason=str(failure))
        sentence = b"# The database does not respond; `posegen doctor` says more.\n"
        text, status = sentence + _text([_up(0)]), 503
    return Response(text + more, status, headers={**_HEADERS, "content-type": CONTENT_TYPE_PLAIN_0_0_4})


def _up(value: int) -> Metric:
    return _gauge("posegen_up", "Whether the database responds.", [((), value)])


def _of_generations(numbers: Numbers) -> Iterator[Metric]:
    yield _gauge(
        "posegen_queue_generations",
        "Generations that wait.",
        [((each.status,), each.generations) for each in numbers.waiting],
        ["status"],
    )
    yield _gauge(
        "posegen_queue_oldest_age_seconds",
        "How long the oldest one has waited since its request.",
        [((), max(each.oldest_seconds for each in numbers.waiting))],
    )
    yield _gauge(
        "posegen_generations_under_way",
        "Generations that have or are about to get a run.",
        [((status,), numbers.under_way.get(status, 0)) for status in ("dispatched", "running")],
        ["status"],
    )
    for name, (says, label, known) in _TALLIES.items():
        # From 0 on: what appears for the first time with a 1 is no increase to Prometheus.
        totals = dict.fromkeys(map(str, known), 0) | {
            each.label: each.total for each in numbers.tallies if each.name == name
        }
        samples = [((value,), total) for value, total in totals.items()]
        yield _counter(f"posegen_generations_{name}", says, samples, [label])
    yield _gauge(
        "posegen_policy_refusals_last_hour",
        "Generations that the content policy refused within the last hour.",
        [((category,), number) for category, number in numbers.refusals.items()],
        ["category"],
    )
    yield _gauge(
        "posegen_recoveries_last_hour",
        "Generations that were put back and started again within the last hour.",
        [((), numbers.recoveries.number)],
    )
    yield _gauge(
        "posegen_recovery_last_hour_seconds",
        "From being put back to being started again, over the last hour.",
        _quantiles(numbers.recoveries, ()),
        ["quantile"],
    )
    yield _gauge("posegen_credits_held", "Credits that are held for open poses.", [((), numbers.credits_held)])
    yield _gauge(
        "posegen_findings",
        "What was not in order after the last look.",
        [((each.look,), each.findings) for each in numbers.looks],
        ["look"],
    )
    yield _gauge(
        "posegen_findings_timestamp_seconds",
        "When that look was, in seconds since 1970.",
        [((each.look,), each.looked_at.timestamp()) for each in numbers.looks],
        ["look"],
    )
    yield _gauge(
        "posegen_incidents_open",
        "Incidents that are open.",
        [((each.kind, each.severity), each.incidents) for each in numbers.incidents],
        ["kind", "severity"],
    )
    steps = [((each.tick, each.step), each) for each in numbers.steps]
    yield _counter(
        "posegen_step_failures",
        "Failures of a step of a sensor's tick; the other steps went on.",
        [(labels, each.failures) for labels, each in steps],
        ["sensor", "step"],
    )
    yield _gauge(
        "posegen_step_failing",
        "Whether the step fails now, of those that have ever failed.",
        [(labels, int(each.is_failing)) for labels, each in steps],
        ["sensor", "step"],
    )


def _of_backends(numbers: Numbers) -> Iterator[Metric]:
    yield _gauge(
        "posegen_backend_renderings_last_hour",
        "Poses that were completed within the last hour.",
        [((each.of,), each.number) for each in numbers.renderings],
        ["backend"],
    )
    yield _gauge(
        "posegen_backend_render_last_hour_seconds",
        "What rendering a pose took, over the last hour.",
        [sample for each in numbers.renderings for sample in _quantiles(each, (each.of,))],
        ["backend", "quantile"],
    )
    yield _gauge(
        "posegen_backend_breaker_open",
        "Whether the breaker of the backend is open, for backends that have ever failed.",
        [((backend,), int(is_open)) for backend, is_open in numbers.breakers.items()],
        ["backend"],
    )


def _of_calls(numbers: Numbers) -> Iterator[Metric]:
    """Of each hosted backend that has ever had a call, what has not happened yet as well: 0."""
    totals = {(each.name, *each.label.rsplit(" ", 1)): each.total for each in numbers.tallies}
    opened = {(each.backend, each.state): each.calls for each in numbers.open_calls}
    backends = sorted({labels[0] for name, *labels in totals if name == "calls"} | {name for name, _ in opened})

    def counted(name: str, labels: Iterable[tuple[str, ...]] = ((),), *, per: int = 1) -> list[Sample]:
        each = [(backend, *label) for label in labels for backend in backends]
        return [(values, totals.get((name, *values), 0) / per) for values in each]

    yield _counter(
        "posegen_backend_calls",
        "Calls of a hosted backend that ended.",
        counted("calls", ((state,) for state in CallState if state.is_final)),
        ["backend", "state"],
    )
    yield _gauge(
        "posegen_backend_calls_open",
        "Calls of a hosted backend that have not ended.",
        [
            ((backend, state), opened.get((backend, state), 0))
            for backend in backends
            for state in CallState
            if not state.is_final
        ],
        ["backend", "state"],
    )
    yield _gauge(
        "posegen_backend_oldest_open_call_seconds",
        "How long ago the oldest of these was planned.",
        [
            ((name,), max((each.oldest_seconds for each in numbers.open_calls if each.backend == name), default=0))
            for name in backends
        ],
        ["backend"],
    )
    yield _counter(
        "posegen_backend_files", "Files that a hosted backend has delivered.", counted("calls_delivered"), ["backend"]
    )
    yield _counter(
        "posegen_backend_files_seconds",
        "From sending a call to its file, of all of them together.",
        counted("calls_ms", per=1000),
        ["backend"],
    )
    yield _counter(
        "posegen_backend_usd",
        "US dollars that calls have cost, by what says so.",
        counted("calls_micro_usd", ((source,) for source in get_args(BillSource)), per=1_000_000),
        ["backend", "source"],
    )


def _of_stores(numbers: Numbers, space: Space) -> Iterator[Metric]:
    def counted(name: str, says: str, value: Callable[[StoreTraffic], float]) -> Metric:
        samples = [((each.store, each.operation), value(each)) for each in numbers.traffic]
        return _counter(name, says, samples, ["store", "operation"])

    yield counted("posegen_store_operations", "Completed operations of a store.", lambda each: each.operations)
    yield counted("posegen_store_bytes", "Bytes of these operations.", lambda each: each.bytes)
    yield counted("posegen_store_errors", "Operations that a store failed in.", lambda each: each.errors)
    yield counted("posegen_store_operation_seconds", "Time of both together.", lambda each: each.seconds)
    yield _gauge("posegen_local_store_free_bytes", "Free on the disk of the local store.", [((), space.free)])
    yield _gauge("posegen_local_store_size_bytes", "Size of the disk of the local store.", [((), space.size)])


Sample = tuple[tuple[str, ...], float]


def _quantiles(found: Latencies, labels: tuple[str, ...]) -> list[Sample]:
    """None where nothing was measured: no time is not a short time."""
    if not found.number:
        return []
    return [((*labels, "0.5"), found.median), ((*labels, "0.95"), found.p95), ((*labels, "1"), found.longest)]


def _gauge(name: str, says: str, samples: Iterable[Sample], labels: Iterable[str] = ()) -> Metric:
    family = GaugeMetricFamily(name, says, labels=tuple(labels))
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _counter(name: str, says: str, samples: Iterable[Sample], labels: Iterable[str]) -> Metric:
    family = CounterMetricFamily(name, says, labels=tuple(labels))
    for values, value in samples:
        family.add_metric(values, value)
    return family


class _Told(Collector):
    """Metrics that were counted already; of this process itself nothing is told."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _text(metrics: Iterable[Metric]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(metrics))
    return generate_latest(registry)
