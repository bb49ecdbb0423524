"""Runs fork from a process that has everything imported, instead of starting Python and importing it all again.

Dagster's code server starts each run with multiprocessing's `spawn`; here it is `forkserver`. Imported only by the code
server, and by the fork server that it preloads.
"""

import multiprocessing
import multiprocessing.util
import os
import signal
import tempfile
from collections.abc import Sequence
from multiprocessing import forkserver
from typing import Any

from dagster._grpc import server
from dagster._grpc.impl import start_run_in_subprocess  # noqa: F401  # what a run begins with, imported ahead

from posegen.errors import PlatformUnusable
from posegen.folders import LONGEST_SOCKET_PATH, short_place


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
    _shorten_temporary_folder()
    server.DagsterApiServer = WarmApiServer  # type: ignore[misc]  # `dagster api grpc` looks it up there
    # A SIGTERM to the whole group is for the runs. The fork server has to outlive them, for it tells how they ended;
    # it inherits what is ignored here.
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGTERM, before)


def _shorten_temporary_folder() -> None:
    """Keep the fork server's socket within the longest path of a socket; a TMPDIR may be longer than that."""
    if len(os.fsencode(tempfile.gettempdir())) + len("/pymp-01234567/listener-01234567") > LONGEST_SOCKET_PATH:
        # `multiprocessing` makes its folder once, so what is set here for that moment stays its own.
        chosen, tempfile.tempdir = tempfile.tempdir, str(short_place())
        try:
            multiprocessing.util.get_temp_dir()
        finally:
            tempfile.tempdir = chosen
