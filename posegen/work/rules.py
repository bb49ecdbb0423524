"""When work is tried again, and when it is given up: one rule for every kind of work."""

from __future__ import annotations

from dataclasses import dataclass

from posegen.settings import Settings


@dataclass(frozen=True)
class RetryRule:
    """When to give up.

    `first_wait`: seconds before the second attempt, doubled for each further one up to `longest_wait`.
    """

    most_attempts: int = 3
    most_lost_leases: int = 5
    first_wait: float = 2.0
    longest_wait: float = 300.0

    @classmethod
    def of(cls, settings: Settings) -> RetryRule:
        """As the settings say."""
        return cls(most_attempts=settings.posegen_max_attempts, most_lost_leases=settings.posegen_max_lost_leases)

    def wait_before(self, attempt: int) -> float:
        """Seconds to wait before this attempt, which is the second one or a later one.

        >>> [RetryRule().wait_before(attempt) for attempt in (2, 3, 4, 50)]
        [2.0, 4.0, 8.0, 300.0]
        """
        return float(min(self.first_wait * 2 ** min(attempt - 2, 30), self.longest_wait))
