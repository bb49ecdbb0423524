"""Dagster's runs as the work queue sees them."""

import dagster as dg
from dagster._core.storage.tags import RUN_KEY_TAG

from posegen.work.tick import Run


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
