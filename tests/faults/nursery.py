"""Processes to be killed: a nursery imports everything once, then each worker is forked from it in milliseconds.

`Nursery` is our end; run as a module it is the other. Signals are sent by the nursery itself, the parent of all
workers, so that none can ever hit a stranger who was given the number of a dead one.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from posegen.settings import PROJECT_ROOT

PATIENCE = 300.0
_PR_SET_PDEATHSIG = 1


class Worker:
    """A process of the nursery. `code`: how it ended, negative for a signal; None while it lives."""

    def __init__(self, nursery: Nursery, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self.pid = 0
        self.code: int | None = None
        self._nursery = nursery
        self._started = threading.Event()
        self._ended = threading.Event()

    @property
    def alive(self) -> bool:
        """Whether it has not ended; a stopped process lives."""
        return not self._ended.is_set()

    @property
    def stopped(self) -> bool:
        """Whether a SIGSTOP holds it now."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        except OSError:
            return False

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens to a process that has ended."""
        self._nursery.tell({"signal": int(number), "pid": self.pid})

    def kill(self) -> None:
        """SIGKILL, and wait until it is over."""
        self.send(signal.SIGKILL)
        self.wait()

    def stop(self) -> None:
        """SIGSTOP, and wait until not one more instruction runs."""
        self.send(signal.SIGSTOP)
        self.wait_until_stopped()

    def wait_until_stopped(self, seconds: float = PATIENCE) -> None:
        """Wait for somebody, or the process itself, to stop it."""
        deadline = time.monotonic() + seconds
        while not self.stopped:
            assert self.alive, f"{self.name} has ended with {self.code}\n{self.last_words()}"
            assert time.monotonic() < deadline, f"{self.name} was never stopped\n{self.last_words()}"
            time.sleep(0.005)

    def resume(self) -> None:
        """SIGCONT."""
        self.send(signal.SIGCONT)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait until it has ended; how."""
        assert self._ended.wait(seconds), f"{self.name} does not end\n{self.last_words()}"
        assert self.code is not None
        return self.code

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-3000:] if self.log.exists() else "(no log)"

    def has_started(self, pid: int) -> None:
        """What the nursery says."""
        self.pid = pid
        self._started.set()

    def has_ended(self, code: int) -> None:
        """What the nursery says."""
        self.code = code
        self._ended.set()

    def wait_until_started(self) -> None:
        """Wait until there is a process."""
        assert self._started.wait(PATIENCE), "the nursery does not respond"


class Nursery:
    """Starts workers. They end with it, and it ends with us."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT_ROOT,
            env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "MALLOC_ARENA_MAX": "2"},
            start_new_session=True,
        )
        self._workers: dict[int, Worker] = {}
        self._waiting: dict[str, Worker] = {}
        self._started = 0
        self._lock = threading.Lock()
        self._listener = threading.Thread(target=self._listen, name="nursery", daemon=True)
        self._listener.start()

    def start(self, orders: dict[str, Any], log: Path) -> Worker:
        """A new worker with these orders (see `worker.Orders`); what it prints goes to `log`."""
        worker = Worker(self, orders["name"], log)
        with self._lock:
            self._started += 1
            ticket = str(self._started)
            self._waiting[ticket] = worker
        self.tell({"ticket": ticket, "orders": orders, "log": str(log)})
        worker.wait_until_started()
        return worker

    def tell(self, message: dict[str, Any]) -> None:
        """Say something to the nursery, as one line."""
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """End the nursery and every worker that is left."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._listener.join(PATIENCE)
        self._process.stdout.close()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "ticket" in said:
                with self._lock:
                    worker = self._workers[said["pid"]] = self._waiting.pop(said["ticket"])
                worker.has_started(said["pid"])
            else:
                self._workers.pop(said["pid"]).has_ended(said["code"])


# --- the other end ------------------------------------------------------------------------------------------------


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent, who is `parent`, dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _serve(run: Callable[[dict[str, Any]], None]) -> None:
    children: set[int] = set()
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    unread = b""
    while True:
        ready, _, _ = select.select([0, wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            _tell_of_the_dead(children)
        if 0 in ready:
            piece = os.read(0, 65536)
            if not piece:
                break
            *lines, unread = (unread + piece).split(b"\n")
            for line in lines:
                _obey(json.loads(line), children, run)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _obey(message: dict[str, Any], children: set[int], run: Callable[[dict[str, Any]], None]) -> None:
    if "signal" in message:
        if message["pid"] in children:
            os.kill(message["pid"], message["signal"])
        return
    parent, child = os.getpid(), os.fork()
    if child == 0:
        _be_a_worker(parent, message, run)
    children.add(child)
    _say({"ticket": message["ticket"], "pid": child})


def _be_a_worker(parent: int, message: dict[str, Any], run: Callable[[dict[str, Any]], None]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    die_with(parent)
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(message["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    code = 0
    try:
        run(message["orders"])
    except BaseException:  # noqa: BLE001  # the log has to tell, whatever it is
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)


def _tell_of_the_dead(children: set[int]) -> None:
    for child in list(children):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            children.discard(pid)
            _say({"pid": pid, "code": os.waitstatus_to_exitcode(status)})


def _say(message: dict[str, Any]) -> None:
    os.write(1, (json.dumps(message) + "\n").encode())


def main() -> None:
    """Import and read what a worker needs, and start workers until our input ends."""
    # The other end has no use for all of it. Each worker would import the wires for itself.
    from posegen.backends.wires import bfl, fal, huggingface, openai  # noqa: F401
    from tests.faults.worker import be_a_worker, read_what_workers_share

    read_what_workers_share()
    _serve(be_a_worker)


if __name__ == "__main__":
    main()
