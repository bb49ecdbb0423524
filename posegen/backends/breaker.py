"""The circuit breaker of a backend: it opens after N consecutive failures and stays open for a growing pause.

Its state is in the database and applies to all workers. While it is open, generations wait in the queue, use no
attempt, and their time limit is suspended. After the pause one worker calls the backend: a response closes the breaker,
a failure opens it for longer.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from posegen.backends import breaker_rows as breakers
from posegen.database.connection import Database
from posegen.errors import BackendHeldBack, BackendUnavailable
from posegen.settings import Settings

log = structlog.get_logger(__name__)

LONGEST_SECONDS = 600.0
# The longest pause that a backend is believed to ask for.
LONGEST_ASKED_SECONDS = 86_400.0
# Pause of workers that find the breaker being tried by another worker.
TRY_SECONDS = 5.0


@dataclass(frozen=True)
class BackendRule:
    """How a backend is called. Times in seconds.

    `attempts`: calls for one pose while the backend responds to others; `call_seconds`: timeout of a call;
    `first_pause`: before the second call, doubled for each further one; `longest_pause`: for longer pauses a worker
    gives up its slot; `failures`: consecutive failures that open the breaker; `breaker_seconds`: how long it stays open
    at first, doubled each time.
    """

    attempts: int = 4
    call_seconds: float = 300
    first_pause: float = 1
    longest_pause: float = 30
    failures: int = 3
    breaker_seconds: float = 15

    @classmethod
    def of(cls, settings: Settings) -> BackendRule:
        """The rule of these settings."""
        return cls(
            attempts=settings.posegen_backend_attempts,
            call_seconds=settings.posegen_backend_seconds,
            failures=settings.posegen_breaker_failures,
            breaker_seconds=settings.posegen_breaker_seconds,
        )

    def left_alone_for(self, openings: int, retry_after: float | None) -> float:
        """Seconds for which the breaker stays open, at least as long as the backend asked for.

        `openings`: consecutive openings including this one; `retry_after`: seconds, None when the backend gave none.

        >>> [BackendRule(breaker_seconds=15).left_alone_for(n, None) for n in (1, 2, 3, 9)]
        [15.0, 30.0, 60.0, 600.0]
        """
        waited = float(min(self.breaker_seconds * 2 ** min(openings - 1, 20), LONGEST_SECONDS))
        return max(waited, min(retry_after or 0.0, LONGEST_ASKED_SECONDS))


class Breaker:
    """The breaker of one backend, for one worker. Several threads may use it at once."""

    def __init__(self, database: Database, backend: str, rule: BackendRule) -> None:
        self._database = database
        self._backend = backend
        self._rule = rule

    def admits(self) -> bool:
        """Whether the backend may be called now; False while another worker tries it.

        Raises `BackendHeldBack` while the breaker is open.
        """
        with self._database.transaction() as connection:
            row = breakers.breaker_of(connection, self._backend)
            if row is None or not row.is_open:
                return True
            if row.may_be_tried:
                return breakers.take_probe(connection, self._backend, seconds=self._rule.call_seconds + TRY_SECONDS)
        raise self._held_back(row.wait or 0.0, row.last_error)

    def answered(self) -> None:
        """Records a response, even a rejection: the breaker closes."""
        with self._database.transaction() as connection:
            was_open = breakers.close_breaker(connection, self._backend)
        if was_open:
            log.info("breaker closed", backend=self._backend)

    def failed(self, error: BackendUnavailable, *, at_once: bool = False) -> None:
        """Records a failure. Raises `BackendHeldBack` when the breaker is open now.

        `at_once`: the breaker opens without waiting for further failures.
        """
        rule, retry_after = self._rule, error.retry_after
        with self._database.transaction() as connection:
            row = breakers.count_failure(connection, self._backend, str(error))
            if row.is_open and not row.may_be_tried:  # a late failure, of a call that began before the breaker opened
                wait = row.wait or 0.0
            elif at_once or row.is_open or row.failures >= rule.failures or (retry_after or 0) > rule.longest_pause:
                wait = rule.left_alone_for(row.openings + 1, retry_after)
                breakers.open_breaker(connection, self._backend, seconds=wait)
                log.warning("breaker opened", backend=self._backend, seconds=wait, reason=str(error))
            else:
                return
        raise self._held_back(wait, str(error))

    def _held_back(self, wait: float, reason: str | None) -> BackendHeldBack:
        return BackendHeldBack(self._backend, max(wait, 0.0), reason or "it does not respond")
