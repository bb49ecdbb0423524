"""Dagster's code server, after it has cleared up what its predecessor left behind.

Takes the options of `dagster api grpc`, of which `--socket` is required.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._cli.api import grpc_command
from dagster._core.storage.tags import GRPC_INFO_TAG

from resources.warm_runs import start_warm

UNDER_WAY = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def main(arguments: Sequence[str]) -> None:
    """Serve the code location until we are told to end."""
    socket = Path(arguments[arguments.index("--socket") + 1])
    # Before connections are opened: the fork server must not inherit them.
    start_warm([arguments[arguments.index("--module-name") + 1]] if "--module-name" in arguments else [])
    with DagsterInstance.get() as instance:
        end_orphaned_runs(instance, socket.parent)
    grpc_command(list(arguments))


def end_orphaned_runs(instance: DagsterInstance, folder: Path) -> list[str]:
    """Mark as ended the runs of earlier code servers with a socket in `folder`: they died without reporting it.

    They would count as running until `max_runtime_seconds`, and take the places of others. Returns their ids.
    """
    orphans = [run for run in instance.get_runs(RunsFilter(statuses=UNDER_WAY)) if _launched_in(run) == folder]
    for run in orphans:
        message = "The code server that executed this run has ended, and the run with it."
        if run.status is DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message)
        else:
            instance.report_run_failed(run, message)
    return [run.run_id for run in orphans]


def _launched_in(run: DagsterRun) -> Path | None:
    """Where the code server that the run was handed to had its socket; None for runs that went another way."""
    address: dict[str, str] = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
    return Path(address["socket"]).parent if "socket" in address else None
