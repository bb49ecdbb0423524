"""What counts as answered, and what as an error of the store. What stores count is in the contract tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from posegen.errors import ObjectCorrupt, ObjectExists, ObjectMissing, StorageError, StoreFull, StoreUnavailable
from posegen.storage.traffic import Count, Operation, TrafficMeter


@pytest.fixture
def meter() -> TrafficMeter:
    """On a clock that goes on by a quarter of a second whenever somebody looks."""
    ticks = iter(range(1000))
    return TrafficMeter(clock=lambda: next(ticks) * 0.25)


def ask(meter: TrafficMeter, operation: Operation, failure: StorageError | None) -> None:
    with meter.measuring(operation) as asked:
        asked.bytes = 7
        if failure is not None:
            raise failure


@pytest.mark.parametrize(
    ("operation", "failure", "counted"),
    [
        (Operation.READ, None, Count(operations=1, bytes=7, seconds=0.25)),
        (Operation.READ, ObjectMissing("gone", store="s"), Count(operations=1, seconds=0.25)),
        (Operation.READ, ObjectCorrupt("bad", store="s"), Count(errors=1, seconds=0.25)),
        (Operation.WRITE, StoreFull("full", store="s"), Count(errors=1, seconds=0.25)),
        (Operation.WRITE, ObjectExists("taken", store="s"), Count()),
        (Operation.WRITE, ObjectCorrupt("not as promised", store="s"), Count()),
        (Operation.DELETE, StoreUnavailable("away", store="s"), Count(errors=1, seconds=0.25)),
    ],
    ids=lambda each: each.value if isinstance(each, Operation) else type(each).__name__,
)
def test_an_answer_counts_as_one_and_only_a_failure_of_the_store_as_an_error(
    meter: TrafficMeter, operation: Operation, failure: StorageError | None, counted: Count
) -> None:
    if failure is None:
        ask(meter, operation, None)
    else:
        with pytest.raises(type(failure)):
            ask(meter, operation, failure)

    assert meter.traffic().by_operation() == ({operation: counted} if counted else {})


def test_a_failure_in_the_middle_of_a_stream_is_counted(meter: TrafficMeter) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"pic"
        raise StoreUnavailable("away", store="s")

    with pytest.raises(StoreUnavailable):
        list(meter.watching(breaking()))

    assert meter.traffic().read == Count(errors=1)
