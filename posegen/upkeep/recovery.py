"""Recovery of every kind of work at once: on a schedule, and when the platform starts.

The sensor of each kind makes the same pass in each of its ticks.
"""

from __future__ import annotations

from dataclasses import dataclass

from posegen.database.connection import Database
from posegen.designs import kind as designs
from posegen.generations import kind as generations
from posegen.settings import Settings
from posegen.variants import work as variant_requests
from posegen.work.recovery import Recovered
from posegen.work.steps import Steps
from posegen.work.tick import WorkKind, recover
from posegen.work.worker_home import WorkerHome


@dataclass(frozen=True)
class RecoveredWork:
    """A row that was taken from its worker. `noun`: what it is, such as "design"."""

    noun: str
    row: Recovered

    @property
    def outcome(self) -> str:
        """What it does now."""
        return "waits again" if self.row.goes_on else "has ended"


def every_kind(settings: Settings) -> list[WorkKind]:
    """All kinds of work."""
    return [generations.kind(settings), designs.kind(settings), variant_requests.kind(settings)]


def recover_all(database: Database, settings: Settings, steps: Steps) -> list[RecoveredWork]:
    """Put back or end what lost its worker or its time. Raises only when the database is lost.

    Args:
        database: where the rows are.
        settings: of this process.
        steps: counts the kinds that could not be recovered.
    """
    home = WorkerHome(settings.workers_path)
    return [
        RecoveredWork(kind.work.queue.noun, each)
        for kind in every_kind(settings)
        for each in _recover(database, kind, home, steps)
    ]


def _recover(database: Database, kind: WorkKind, home: WorkerHome, steps: Steps) -> list[Recovered]:
    step = f"recovery of {kind.work.queue.table}"
    return steps.run(step, lambda: recover(database, kind, worker_home=home)) or []
