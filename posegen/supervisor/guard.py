"""The guard: a small process that ends the others when `posegen up` itself is killed.

It reads the groups to guard from its standard input, `+GROUP` and `-GROUP` line by line. The end of the input means
that `up` is gone, however it went: then the guard ends the groups that are still in the list, and itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from posegen.supervisor.process_groups import Patience, end_groups


class Guard:
    """Our end of the guard: keeps one running and tells it which groups there are.

    Args:
        environment: of the guard.
        folder: its working directory, where `posegen` can be imported from.
        inherited: descriptors that stay open as long as the guard lives.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path, inherited: Iterable[int]) -> None:
        self._environment = dict(environment)
        self._folder = folder
        self._inherited = tuple(inherited)
        self._groups: set[int] = set()
        self._process = self._start()

    def __enter__(self) -> Guard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The guard's process."""
        return self._process.pid

    def watch(self, group: int) -> None:
        """From now on the group does not outlive us."""
        self._groups.add(group)
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        """The group has ended, and its number may be given to others."""
        self._groups.discard(group)
        self._tell(f"-{group}")

    def keep_running(self) -> None:
        """Start the guard again if it was killed."""
        if self._process.poll() is None:
            return
        self._hang_up()
        self._process = self._start()

    def close(self) -> None:
        """Let the guard go. It ends what is still in its list."""
        self._hang_up()
        self._process.wait()

    def _hang_up(self) -> None:
        os.close(self._pipe)

    def _start(self) -> subprocess.Popen[bytes]:
        """A guard whose input has the groups before it starts: `up` may be killed at any moment afterwards."""
        reading, self._pipe = os.pipe()
        try:
            for group in self._groups:
                self._tell(f"+{group}")
            return subprocess.Popen(
                [sys.executable, "-m", "posegen.supervisor.guard"],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                env=self._environment,
                cwd=self._folder,
                pass_fds=self._inherited,
                start_new_session=True,
            )
        finally:
            os.close(reading)

    def _tell(self, line: str) -> None:
        # A broken pipe: the guard is dead, and `keep_running` will tell the next one.
        with suppress(BrokenPipeError):
            os.write(self._pipe, line.encode() + b"\n")


def main() -> None:
    """Guard until the input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end_groups(groups_left(sys.stdin), Patience())


def groups_left(lines: Iterable[str]) -> set[int]:
    """The groups that were added and not taken back when the lines ended."""
    groups: set[int] = set()
    for line in lines:
        change = groups.add if line.startswith("+") else groups.discard
        change(int(line[1:]))
    return groups


if __name__ == "__main__":
    main()
