"""Counting what is put into a store: how much was stored, and how much was there already."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True)
class Traffic:
    """What an opened store was given to put. `stored`, `skipped`: objects; `stored_bytes`, `skipped_bytes`: bytes.

    Skipped is what was there already with the same bytes.
    """

    stored: int = 0
    stored_bytes: int = 0
    skipped: int = 0
    skipped_bytes: int = 0


class TrafficMeter:
    """The traffic of one opened store, from all threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._traffic = Traffic()

    def count(self, size: int, *, skipped: bool) -> None:
        """One put of so many bytes that has succeeded."""
        with self._lock:
            now = self._traffic
            self._traffic = (
                Traffic(now.stored, now.stored_bytes, now.skipped + 1, now.skipped_bytes + size)
                if skipped
                else Traffic(now.stored + 1, now.stored_bytes + size, now.skipped, now.skipped_bytes)
            )

    def read(self) -> Traffic:
        """What was counted so far."""
        with self._lock:
            return self._traffic
