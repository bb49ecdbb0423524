"""Counting what a store is asked for: how much was written, read, skipped and deleted, how often in vain, how long.

Counting alone lives here; `posegen.objects.traffic` keeps what was counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock

from posegen.errors import ObjectCorrupt, ObjectMissing, StoreDenied, StoreFull, StoreUnavailable

# Where a store has not done its part. A missing object is an answer, and a refused key was never asked for.
_FAILURES = (StoreDenied, StoreFull, StoreUnavailable)


class Operation(StrEnum):
    """What a store is asked for, by its name in the table `store_traffic`. Skipped: a put of what was there already."""

    WRITE = "write"
    READ = "read"
    SKIPPED = "skipped"
    DELETE = "delete"


@dataclass(frozen=True)
class Count:
    """Operations of one kind. `operations`: answered ones, `errors`: the others; `bytes`; `seconds`: of both together.

    A stream counts with all of its bytes as soon as it is open, and a deletion with none.
    """

    operations: int = 0
    bytes: int = 0
    errors: int = 0
    seconds: float = 0.0

    def __bool__(self) -> bool:
        """Whether there was anything."""
        return bool(self.operations or self.errors)


@dataclass(frozen=True)
class Traffic:
    """What an opened store was asked for."""

    written: Count = Count()
    read: Count = Count()
    skipped: Count = Count()
    deleted: Count = Count()

    def by_operation(self) -> dict[Operation, Count]:
        """The same by the names of the operations, without those that were not asked for."""
        counts = {
            Operation.WRITE: self.written,
            Operation.READ: self.read,
            Operation.SKIPPED: self.skipped,
            Operation.DELETE: self.deleted,
        }
        return {operation: count for operation, count in counts.items() if count}


@dataclass
class Measured:
    """An operation that is under way: its code notes here what it transferred."""

    operation: Operation
    bytes: int = 0
    objects: int = 1


class TrafficMeter:
    """The traffic of one opened store, from all threads. `clock`: seconds from any moment on."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._lock = Lock()
        self._counts = {operation: Count() for operation in Operation}

    @contextmanager
    def measuring(self, operation: Operation) -> Iterator[Measured]:
        """Count what the block does: as an error when the store fails in it, else as what it says it came to."""
        measured = Measured(operation)
        began = self._clock()
        try:
            yield measured
        except ObjectMissing:
            self._add(operation, Count(operations=1, seconds=self._clock() - began))
            raise
        except (*_FAILURES, ObjectCorrupt) as failure:
            # A put whose bytes are not those that its caller promised is not the store's failure.
            if operation is Operation.READ or not isinstance(failure, ObjectCorrupt):
                self._add(operation, Count(errors=1, seconds=self._clock() - began))
            raise
        self._add(
            measured.operation,
            Count(operations=measured.objects, bytes=measured.bytes, seconds=self._clock() - began),
        )

    def watching(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same chunks; a failure between them is counted. How long they take is their reader's business, too."""
        try:
            yield from chunks
        except (*_FAILURES, ObjectCorrupt):
            self._add(Operation.READ, Count(errors=1))
            raise

    def traffic(self) -> Traffic:
        """What was counted so far."""
        with self._lock:
            found = dict(self._counts)
        return Traffic(
            written=found[Operation.WRITE],
            read=found[Operation.READ],
            skipped=found[Operation.SKIPPED],
            deleted=found[Operation.DELETE],
        )

    def _add(self, operation: Operation, more: Count) -> None:
        with self._lock:
            now = self._counts[operation]
            self._counts[operation] = replace(
                now,
                operations=now.operations + more.operations,
                bytes=now.bytes + more.bytes,
                errors=now.errors + more.errors,
                seconds=now.seconds + more.seconds,
            )
