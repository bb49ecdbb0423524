"""Dagster's runs as the work queue sees them, and what every sensor of a kind of work does in its tick."""

from collections.abc import Sequence

import dagster as dg
from dagster._core.storage.tags import RUN_KEY_TAG

from posegen.database.connection import Database
from posegen.settings import Settings
from posegen.work.tick import Launch, Run, WorkKind, tick
from posegen.work.worker_home import WorkerHome


class DagsterRuns:
    """The runs of one Dagster instance; implements `posegen.work.tick.Orchestrator`."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def run_with_key(self, run_key: str) -> Run | None:
        """The newest run that was launched under this key."""
        runs = self._instance.get_runs(filters=dg.RunsFilter(tags={RUN_KEY_TAG: run_key}), limit=1)
        if not runs:
            return None
        status = runs[0].status
        return Run(runs[0].run_id, status.value, runs[0].is_finished, status is dg.DagsterRunStatus.CANCELED)

    def fail(self, run_id: str, reason: str) -> None:
        """Mark a run as failed, unless it has ended or is not known."""
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            self._instance.report_run_failed(run, reason)


def launches_now(
    instance: dg.DagsterInstance, database: Database, kind: WorkKind, settings: Settings, *, channel: str | None = None
) -> Sequence[Launch]:
    """What a tick launches. With a channel, a tick that finds nothing waits for a notification, and looks once more.

    A request on a channel therefore does not wait for Dagster's next tick.

    Args:
        instance: where runs are.
        database: where the rows are.
        kind: the kind of work.
        settings: of this process.
        channel: where new work is notified; None for work that waits for the next tick.
    """
    runs, home = DagsterRuns(instance), WorkerHome(settings.workers_path)
    if channel is None:
        return tick(database, kind, runs, worker_home=home)
    with database.listening(channel) as listener:
        launches = tick(database, kind, runs, worker_home=home)
        if not launches and listener.wait(settings.posegen_listen_seconds):
            launches = tick(database, kind, runs, worker_home=home)
    return launches
