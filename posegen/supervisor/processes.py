"""One program that is kept running: started, watched, started again when it has died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from posegen.supervisor import process_groups
from posegen.supervisor.guard import Guard
from posegen.supervisor.logs import LogFile

REMNANT_SECONDS = 5


@dataclass(frozen=True)
class Program:
    """What to run.

    Attributes:
        ready: given the time of the start (seconds since 1970); asked until it says yes, then no more until the next.
    """

    name: str
    command: tuple[str, ...]
    ready: Callable[[float], bool]


@dataclass(frozen=True)
class Surroundings:
    """What all programs have in common. `logs`: the folder of their log files."""

    environment: Mapping[str, str]
    folder: Path
    logs: Path


@dataclass(frozen=True)
class Backoff:
    """Seconds to wait before a program is started again: doubling from `first` to `longest`."""

    first: float = 0.5
    longest: float = 30
    forgiven_after: float = 60

    def delay(self, previous: float | None, lived: float) -> float:
        """The wait after a death. `previous`: the wait before this life; `lived`: how long it was, in seconds."""
        if previous is None or lived >= self.forgiven_after:
            return self.first
        return min(previous * 2, self.longest)


class KeptProcess:
    """The process of one program, and each that follows it.

    All methods belong to one thread, which has to outlive the process: Linux tells a child of the death of the thread
    that has started it, not of the whole process.
    """

    def __init__(
        self, program: Program, surroundings: Surroundings, guard: Guard, clock: Callable[[], float], backoff: Backoff
    ) -> None:
        self.program = program
        self.log = LogFile(surroundings.logs / f"{program.name}.log")
        self.ready = False
        self.exit_code: int | None = None
        self._surroundings = surroundings
        self._guard = guard
        self._clock = clock
        self._backoff = backoff
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = self._started_on = 0.0
        self._delay: float | None = None
        self._died_at: float | None = None

    @property
    def group(self) -> int | None:
        """The process group; None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def delay(self) -> float:
        """Seconds from the last death to the next start."""
        return self._delay or 0.0

    def start(self) -> None:
        """Start the program, in a session and process group of its own."""
        self._started_on = time.time()
        launch = (sys.executable, "-m", "posegen.supervisor.launch", str(os.getpid()))
        with self.log.open() as output:
            self._process = subprocess.Popen(
                [*launch, *self.program.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(self._surroundings.environment),
                cwd=self._surroundings.folder,
                start_new_session=True,
            )
        self._guard.watch(self._process.pid)
        self._started_at, self._died_at, self.ready, self.exit_code = self._clock(), None, False, None

    def has_died(self) -> bool:
        """Whether the process has ended since the last call; says so once for each death."""
        if self._process is None or self._died_at is not None or self._process.poll() is None:
            return False
        self._died_at, self.exit_code, self.ready = self._clock(), self._process.returncode, False
        self._delay = self._backoff.delay(self._delay, self._died_at - self._started_at)
        # Runs that it has started are told to stop: they would be left without a supervisor.
        process_groups.send(self._process.pid, signal.SIGTERM)
        return True

    def became_ready(self) -> bool:
        """Whether the process is ready since the last call; says so once for each start."""
        if self.ready or self._process is None or self._died_at is not None or not self.program.ready(self._started_on):
            return False
        self.ready = True
        return True

    def due(self) -> bool:
        """Whether a process that has died may be started again: its group is gone and the wait is over."""
        if self._process is None or self._died_at is None:
            return False
        dead_for = self._clock() - self._died_at
        if process_groups.members(self._process.pid):
            if dead_for >= REMNANT_SECONDS:
                process_groups.send(self._process.pid, signal.SIGKILL)
            return False
        return dead_for >= self.delay

    def clear(self) -> None:
        """Forget the process once its group has ended."""
        if self._process is None or process_groups.members(self._process.pid):
            return
        self._process.wait()
        process_groups.reap(self._process.pid)
        self._guard.forget(self._process.pid)
        self._process = None
