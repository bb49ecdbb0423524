"""A process that is confined can compute and talk over what it has open, and do nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROLOGUE = """
import json, mmap, os, resource, signal, socket, subprocess, sys
from posegen.images.decoding.sandbox import confine
parent = os.getppid()
is_filtered = confine(200_000_000)
tried = {}
def attempt(name, deed):
    try:
        deed()
        tried[name] = "done"
    except BaseException as error:
        tried[name] = type(error).__name__
"""
_EPILOGUE = """
os.write(1, json.dumps({"filtered": is_filtered, **tried}).encode())
"""


def confined(deeds: str) -> dict[str, object]:
    """What became of each deed in a process that was confined before."""
    program = _PROLOGUE + deeds + _EPILOGUE
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=180)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_nothing_outside_of_the_process_can_be_reached():
    tried = confined(
        """
attempt("read a file", lambda: open("/etc/passwd"))
attempt("write a file", lambda: open("/dev/null", "w"))
attempt("list a folder", lambda: os.listdir("/"))
attempt("open a socket", lambda: socket.socket())
attempt("start a program", lambda: os.execv("/bin/true", ["true"]))
attempt("fork", lambda: os.fork())
attempt("kill the parent", lambda: os.kill(parent, 0))
attempt("look at the parent", lambda: os.readlink(f"/proc/{parent}/exe"))
attempt("raise its limits", lambda: resource.setrlimit(resource.RLIMIT_DATA, (10**12, 10**12)))
attempt("make memory executable", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC))
"""
    )

    assert tried.pop("filtered") is True
    assert tried.pop("raise its limits") == "ValueError"  # which is how Python says EPERM there
    assert set(tried.values()) == {"PermissionError"}, tried
    assert len(tried) == 9


def test_it_can_still_compute_and_keep_time():
    tried = confined(
        """
attempt("compute", lambda: sum(bytearray(50_000_000)))
attempt("compute again", lambda: [bytes(1000) for _ in range(10_000)])
attempt("set a timer", lambda: signal.setitimer(signal.ITIMER_PROF, 5))
"""
    )

    assert tried == {"filtered": True, "compute": "done", "compute again": "done", "set a timer": "done"}


def test_memory_ends_where_it_was_said_to():
    tried = confined(
        'attempt("enough", lambda: bytearray(100_000_000))\nattempt("more", lambda: bytearray(250_000_000))'
    )

    assert (tried["enough"], tried["more"]) == ("done", "MemoryError")


@pytest.mark.parametrize("limit", ["Max core file size", "Max file size", "Max processes", "Max open files"])
def test_the_limits_hold_where_there_is_no_filter(limit):
    """They are what is left on a kernel without seccomp."""
    program = (
        "import sys; from posegen.images.decoding import sandbox; sandbox._filter_calls = lambda: False\n"
        "sandbox.confine(200_000_000); print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ}
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        lines = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
        process.communicate()

    (line,) = [line for line in lines if line.startswith(limit)]
    assert line.removeprefix(limit).split()[:2] == (["1", "1"] if "open" in limit else ["0", "0"])
