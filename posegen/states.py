"""The states of a generation and of a pose. The database guards the steps between them; see the design, section 5."""

from __future__ import annotations

from enum import StrEnum


class GenerationStatus(StrEnum):
    """Where a generation stands."""

    SUBMITTED = "submitted"
    QUEUED = "queued"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether this is the end: no further step is possible."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {GenerationStatus.COMPLETED, GenerationStatus.PARTIAL, GenerationStatus.FAILED, GenerationStatus.CANCELLED}
)


class PoseStatus(StrEnum):
    """Where one pose of a generation stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
