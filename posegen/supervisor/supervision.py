"""Keeps several programs running until it is told to stop, and then leaves nothing behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from posegen.errors import PlatformUnusable
from posegen.supervisor.guard import Guard
from posegen.supervisor.process_groups import Patience, end_groups
from posegen.supervisor.processes import Backoff, KeptProcess, Program, Surroundings

LOOP_SECONDS = 0.1


@dataclass(frozen=True)
class Happening:
    """Something that the user may want to know of. `detail`: one line, empty when the rest says it all."""

    process: str
    what: Literal["started", "ready", "died", "killed"]
    detail: str = ""


class Supervisor:
    """Starts programs in stages, the next stage when the one before is ready, and starts again what dies.

    Args:
        stages: the programs, those of one stage being started together.
        surroundings: where they run.
        inherited: descriptors that stay open until the last process has ended, also when we are killed.
        report: told what happens, in the supervisor's thread.
        echo: given each line that a program prints, with the program's name before it.
        patience: how long the processes may take to end.
        start_seconds: until a stage that is not ready is given up.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[Program]],
        surroundings: Surroundings,
        *,
        inherited: Sequence[int] = (),
        report: Callable[[Happening], None] = lambda _: None,
        echo: Callable[[str, str], None] | None = None,
        patience: Patience = Patience(),  # noqa: B008 - frozen
        backoff: Backoff = Backoff(),  # noqa: B008 - frozen
        start_seconds: float = 120,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stages = stages
        self._surroundings = surroundings
        self._inherited = inherited
        self._report = report
        self._echo = echo
        self._patience = patience
        self._backoff = backoff
        self._start_seconds = start_seconds
        self._clock = clock
        self._kept: list[KeptProcess] = []
        # Plain flags: a signal handler sets them, and may not wait for a lock.
        self._stopping = False
        self._hurried = False
        self._up = threading.Event()
        self._failure: BaseException | None = None
        # All children are started by this one thread, which lives as long as they do.
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> bool:
        """Start everything and come back when all of it is ready: True, or False when a stop was requested first.

        Raises `PlatformUnusable` when a program does not get ready; everything has ended by then.
        """
        self._thread.start()
        self._up.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return not self._stopping

    def wait(self) -> None:
        """Wait until everything has ended. Raises what has gone wrong."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def has_ended(self, within: float) -> bool:
        """Whether everything ends in the next `within` seconds."""
        self._thread.join(within)
        return not self._thread.is_alive()

    def request_stop(self, *, hurry: bool = False) -> None:
        """Tell all processes to end, without waiting for it; with `hurry`, kill those that are left."""
        self._hurried = self._hurried or hurry
        self._stopping = True

    def stop(self) -> None:
        """End all processes; none is left afterwards."""
        self.request_stop()
        if self._thread.ident is not None:
            self._thread.join()

    def pids(self) -> dict[str, int]:
        """The process of each program that has one now."""
        return {kept.program.name: kept.group for kept in self._kept if kept.group is not None}

    def _run(self) -> None:
        try:
            self._surroundings.logs.mkdir(parents=True, exist_ok=True)
            with Guard(self._surroundings.environment, self._surroundings.folder, self._inherited) as guard:
                try:
                    self._keep_running(guard)
                finally:
                    self._end_all()
        except BaseException as failure:  # noqa: BLE001 - carried to the thread that waits
            self._failure = failure
        finally:
            self._up.set()

    def _keep_running(self, guard: Guard) -> None:
        for stage in self._stages:
            if not self._stopping:
                self._start_stage(stage, guard)
        self._up.set()
        while not self._stopping:
            time.sleep(LOOP_SECONDS)
            guard.keep_running()
            for kept in self._kept:
                self._see_to(kept)

    def _start_stage(self, stage: Sequence[Program], guard: Guard) -> None:
        started = [KeptProcess(program, self._surroundings, guard, self._clock, self._backoff) for program in stage]
        for kept in started:
            self._kept.append(kept)
            kept.start()
            self._report(Happening(kept.program.name, "started"))
        deadline = self._clock() + self._start_seconds
        while not self._stopping and not all(kept.ready for kept in started):
            time.sleep(LOOP_SECONDS)
            for kept in self._kept:
                if kept in started and kept.has_died():
                    raise _not_ready(kept, f"ended with exit code {kept.exit_code} before it was ready")
                self._see_to(kept)
                if not kept.ready and self._clock() > deadline:
                    raise _not_ready(kept, f"was not ready after {self._start_seconds:.0f} s")

    def _see_to(self, kept: KeptProcess) -> None:
        self._pass_lines_on(kept)
        kept.log.keep_small()
        if kept.has_died():
            again = f"exit code {kept.exit_code}; it starts again in {kept.delay:g} s; see {kept.log.path}"
            self._report(Happening(kept.program.name, "died", again))
        elif kept.due():
            kept.clear()
            kept.start()
            self._report(Happening(kept.program.name, "started"))
        elif kept.became_ready():
            self._report(Happening(kept.program.name, "ready"))

    def _end_all(self) -> None:
        names = {kept.group: kept.program.name for kept in self._kept if kept.group is not None}
        killed = end_groups(list(names), self._patience, hurried=lambda: self._hurried, clock=self._clock)
        for group in killed:
            self._report(Happening(names[group], "killed", "it did not end in time"))
        for kept in self._kept:
            kept.clear()
            self._pass_lines_on(kept)

    def _pass_lines_on(self, kept: KeptProcess) -> None:
        if self._echo is None:
            return
        for line in kept.log.new_lines():
            self._echo(kept.program.name, line)


def _not_ready(kept: KeptProcess, what: str) -> PlatformUnusable:
    return PlatformUnusable(
        f"The {kept.program.name} {what}. Its log, {kept.log.path}, ends with:\n{kept.log.end() or '(nothing)'}"
    )
