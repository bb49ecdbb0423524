"""Runs fork from a process that has everything imported, instead of starting Python and importing it all again.

Dagster's code server starts each run with multiprocessing's `spawn`; here it is `forkserver`. Imported only by the code
server, and by the fork server that it preloads.
"""

import multiprocessing
import multiprocessing.util
import os
import signal
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

from dagster._grpc import server
from dagster._grpc.impl import start_run_in_subprocess  # noqa: F401  # what a run begins with, imported ahead

from posegen.errors import PlatformUnusable
from posegen.folders import LONGEST_SOCKET_PATH, short_place
from resources.start import import_for_good


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
    """Let runs fork from a process that has imported `modules`; it is started now, and ends with this process.

    This process imports them, too, and has neither connections nor threads that run Python yet: the fork server is a
    fork of it. Only one that follows a killed one is a new Python.
    """
    for module in modules:
        import_for_good(module)
    multiprocessing.set_forkserver_preload([__name__, *modules])
    _shorten_temporary_folder()
    server.DagsterApiServer = WarmApiServer  # type: ignore[misc]  # `dagster api grpc` looks it up there
    resource_tracker.ensure_running()  # a new Python, which the fork server starts with
    # A SIGTERM to the whole group is for the runs. The fork server has to outlive them, for it tells how they ended;
    # it inherits what is ignored here.
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    spawn, multiprocessing.util.spawnv_passfds = multiprocessing.util.spawnv_passfds, _fork
    try:
        forkserver.ensure_running()
    finally:
        multiprocessing.util.spawnv_passfds = spawn
        signal.signal(signal.SIGTERM, before)


def _fork(path: bytes, args: Sequence[Any], passfds: Sequence[int]) -> int:  # noqa: ARG001  # as multiprocessing calls it
    """Stands in for `spawnv_passfds`: a fork executes what the new Python would, `-c CODE`.

    Args:
        path: of the new Python.
        args: of the new Python; the last one is the code.
        passfds: the descriptors that stay open beside standard input, output and error.

    Returns:
        The process ID of the fork.
    """
    child = os.fork()
    if child:
        return child
    try:
        for descriptor in {int(entry.name) for entry in Path("/dev/fd").iterdir()} - {0, 1, 2, *passfds}:
            with suppress(OSError):  # that of the list itself
                os.close(descriptor)
        exec(args[-1], {})
    except SystemExit:
        os._exit(0)
    except BaseException:  # noqa: BLE001  # the stack below belongs to the code server
        traceback.print_exc()
    os._exit(1)


def _shorten_temporary_folder() -> None:
    """Keep the fork server's socket within the longest path of a socket; a TMPDIR may be longer than that."""
    if len(os.fsencode(tempfile.gettempdir())) + len("/pymp-01234567/listener-01234567") > LONGEST_SOCKET_PATH:
        # `multiprocessing` makes its folder once, so what is set here for that moment stays its own.
        chosen, tempfile.tempdir = tempfile.tempdir, str(short_place())
        try:
            multiprocessing.util.get_temp_dir()
        finally:
            tempfile.tempdir = chosen
