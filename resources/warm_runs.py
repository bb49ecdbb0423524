"""Runs fork from a process that has everything imported, instead of starting Python and importing it all again.

Dagster's code server starts each run with multiprocessing's `spawn`; here it is `forkserver`. Imported only by the code
server, and by the fork server that it preloads.
"""

import multiprocessing
import signal
from collections.abc import Sequence
from multiprocessing import forkserver
from typing import Any

from dagster._grpc import server
from dagster._grpc.impl import start_run_in_subprocess  # noqa: F401  # what a run begins with, imported ahead

from posegen.errors import PlatformUnusable


class WarmApiServer(server.DagsterApiServer):
    """Dagster's server with another way of starting processes."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if not hasattr(self, "_mp_ctx"):
            raise PlatformUnusable(
                "This version of Dagster starts its runs in another way than resources/warm_runs.py expects. "
                "Use the version in uv.lock."
            )
        self._mp_ctx = multiprocessing.get_context("forkserver")  # type: ignore[assignment]  # spawn, says Dagster


def start_warm(modules: Sequence[str]) -> None:
    """Let runs fork from a process that has imported `modules`; it is started now, and ends with this process."""
    multiprocessing.set_forkserver_preload([__name__, *modules])
    server.DagsterApiServer = WarmApiServer  # type: ignore[misc]  # `dagster api grpc` looks it up there
    # A SIGTERM to the whole group is for the runs. The fork server has to outlive them, for it tells how they ended;
    # it inherits what is ignored here.
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGTERM, before)
