"""What `posegen up` runs: Dagster's code server, its daemon, the webserver, and the HTTP API.

The database is not started here; the caller passes its URL in the environment, and a way to keep it alive.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from posegen.errors import PosegenError
from posegen.proxies import open_url
from posegen.running_platform import hold_home
from posegen.settings import PROJECT_ROOT, Settings
from posegen.supervisor.ports import API_PORT, choose_port, url_of
from posegen.supervisor.process_groups import Patience
from posegen.supervisor.processes import Program, Surroundings
from posegen.supervisor.readiness import accepts_connections, answers_http
from posegen.supervisor.sockets import code_server_socket
from posegen.supervisor.supervision import Happening, Supervisor

DATABASE_CHECK_SECONDS = 1
# Sensors that wait and runs that start each take one for some seconds.
CODE_SERVER_THREADS = 20
HEARTBEATS = "{instance {daemonHealth {allDaemonStatuses {daemonType lastHeartbeatTime}}}}"


@dataclass(frozen=True)
class PlatformOptions:
    """What the user of `posegen up` may choose.

    Attributes:
        host, port: where the UI listens; without a port, 3000 or a free one.
        read_only: the UI starts nothing and changes nothing.
        with_api: whether the HTTP API runs.
        api_host, api_port: where it listens; without a port, 8080 or a free one.
        code_location: how `dagster api grpc` finds the definitions.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    read_only: bool = False
    with_api: bool = False
    api_host: str = "127.0.0.1"
    api_port: int | None = None
    code_location: tuple[str, ...] = ("--module-name", "posegen_assets.definitions")


class LocalPlatform:
    """The processes of one data folder, from `start` to `stop`; as a context, from its beginning to its end.

    Args:
        settings: of this process.
        environment: of the processes, see `child_environment`.
        keep_database: called every second; starts the database again when it has died.
        report: told what happens, in another thread.
        echo: given each line that a process prints, with the name of the process before it.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        options: PlatformOptions,
        *,
        keep_database: Callable[[], object] = lambda: None,
        report: Callable[[Happening], None] = lambda _: None,
        echo: Callable[[str, str], None] | None = None,
        patience: Patience = Patience(),  # noqa: B008 - frozen
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._options = options
        self._keep_database = keep_database
        self._report = report
        self._echo = echo
        self._patience = patience
        self._port = choose_port(options.host, options.port)
        self._api_port = (
            choose_port(options.api_host, options.api_port, preferred=API_PORT) if options.with_api else None
        )
        self._held = ExitStack()
        self._supervisor: Supervisor | None = None
        self._stopping = False

    @property
    def url(self) -> str:
        """Of the Dagster UI."""
        return url_of(self._options.host, self._port)

    @property
    def api_url(self) -> str | None:
        """Of the HTTP API, as this machine reaches it; None when it does not run."""
        return None if self._api_port is None else url_of(self._options.api_host, self._api_port)

    def start(self) -> bool:
        """Start everything and come back when all of it is ready: True, or False when a stop was requested first.

        Raises `PlatformUnusable`; nothing is left running then.
        """
        home = self._settings.posegen_home
        with ExitStack() as undo:
            held = undo.enter_context(hold_home(home, self.url, self.api_url))
            socket = code_server_socket(home, os.getpid())
            workspace = _write_workspace(home / "run" / "workspace.yaml", socket)
            self._supervisor = Supervisor(
                self._stages(socket, workspace),
                Surroundings(self._environment, PROJECT_ROOT, home / "logs"),
                inherited=[held],
                report=self._report,
                echo=self._echo,
                patience=self._patience,
            )
            if self._stopping:
                return False
            ready = self._supervisor.start()
            watch = threading.Thread(target=self._watch_database, args=[self._supervisor], daemon=True)
            watch.start()
            undo.callback(watch.join, DATABASE_CHECK_SECONDS * 3)
            self._held = undo.pop_all()
        return ready

    def wait(self) -> None:
        """Wait until everything has ended, which it does when a stop is requested. Raises what has gone wrong."""
        if self._supervisor is not None:
            self._supervisor.wait()

    def request_stop(self, hurry: bool = False) -> None:
        """Tell everything to end, without waiting; safe in a signal handler. With `hurry`, kill what is left."""
        self._stopping = True
        if self._supervisor is not None:
            self._supervisor.request_stop(hurry=hurry)

    def stop(self) -> None:
        """End everything: within 10 s when idle, 25 s when runs have to let go. No process is left."""
        self.request_stop()
        if self._supervisor is not None:
            self._supervisor.stop()
        self._held.close()

    def pids(self) -> dict[str, int]:
        """The process of each program that has one now, by name."""
        return {} if self._supervisor is None else self._supervisor.pids()

    def __enter__(self) -> LocalPlatform:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _stages(self, socket: Path, workspace: Path) -> list[list[Program]]:
        python = (sys.executable, "-m", "resources.start")
        formats = ("--log-format", "json" if self._settings.posegen_log_format == "json" else "colored")
        code = ("--location-name", "posegen", "--max-workers", str(CODE_SERVER_THREADS))
        address = ("--host", self._options.host, "--port", str(self._port))
        read_only = ("--read-only",) if self._options.read_only else ()
        code_server = Program(
            "code-server",
            (*python, "resources.code_server", "--socket", str(socket), *self._options.code_location, *code, *formats),
            ready=lambda _: accepts_connections(socket),
        )
        webserver = Program(
            "webserver",
            (*python, "resources.webserver", "--workspace", str(workspace), *address, *read_only, *formats),
            ready=lambda _: answers_http(f"{self.url}/server_info"),
        )
        daemon = Program(
            "daemon",
            (*python, "resources.daemon", "run", "--workspace", str(workspace), *formats),
            ready=lambda since: _daemon_beats(self.url, since),
        )
        return [[code_server], [webserver, daemon, *self._api()]]

    def _api(self) -> list[Program]:
        if self._api_port is None:
            return []
        address = ("--host", self._options.api_host, "--port", str(self._api_port))
        command = (sys.executable, "-m", "posegen.web.server", *address)
        return [Program("api", command, ready=lambda _: answers_http(f"{self.api_url}/v1/ready"))]

    def _watch_database(self, supervisor: Supervisor) -> None:
        complaint = ""
        while not supervisor.has_ended(within=DATABASE_CHECK_SECONDS) and not self._stopping:
            try:
                self._keep_database()
                complaint = ""
            except PosegenError as error:
                if str(error) != complaint and not self._stopping:
                    complaint = str(error)
                    self._report(Happening("database", "died", complaint))


def _write_workspace(path: Path, socket: Path) -> Path:
    """A workspace file that points to the code server. JSON is YAML, too."""
    location = {"grpc_server": {"socket": str(socket), "location_name": "posegen"}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"load_from": [location]}))
    return path


def _daemon_beats(url: str, since: float) -> bool:
    """Whether every part of the daemon has given a sign of life since then, as the webserver sees it."""
    question = urllib.request.Request(
        f"{url}/graphql", json.dumps({"query": HEARTBEATS}).encode(), {"Content-Type": "application/json"}
    )
    try:
        with open_url(question, seconds=5) as answer:
            found = json.load(answer)
        statuses = found["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(statuses) and all((status["lastHeartbeatTime"] or 0) >= since for status in statuses)
