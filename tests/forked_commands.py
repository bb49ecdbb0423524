"""The `posegen` command in processes of its own, forked from a warm one: its imports take seconds, a fork takes none.

The end of the interpreter is played: what is still buffered is written, and exit code 120 says that it cannot be.
"""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from posegen.settings import PROJECT_ROOT
from tests.commands import Ended

LONGEST_SECONDS = 120


class Forked:
    """Runs commands. `environment`: is added to that of the tests."""

    def __init__(self, process: subprocess.Popen[bytes], environment: Mapping[str, str], folder: Path) -> None:
        self._process = process
        self._environment = environment
        self._folder = folder

    def __call__(
        self, *words: object, out: str = "file", err: str = "file", encoding: str = "utf-8", **environment: str
    ) -> Ended:
        """Run `posegen` with these words: texts, paths, or bytes as a shell may send them.

        `out`, `err`: where the streams go: a `file`, a pipe whose reader has `left`, `closed`, or a `full` disk.
        """
        request = {
            "words": [os.fsencode(word if isinstance(word, bytes) else str(word)).hex() for word in words],
            "environment": {**self._environment, **environment},
            "streams": [out, err],
            "files": [str(self._folder / "out"), str(self._folder / "err")],
            "encoding": encoding,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        kept = [Path(file).read_bytes() if Path(file).exists() else b"" for file in request["files"]]
        return Ended(code, *kept)


@contextmanager
def forked_commands(environment: Mapping[str, str]) -> Iterator[Forked]:
    """A warm process that commands are forked from."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked_commands"],
            cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        try:
            yield Forked(process, environment, Path(folder))
        finally:
            process.kill()
            process.communicate()


def _serve() -> None:
    """Fork a command for each line of standard input; answers its exit code."""
    from posegen.cli import main  # what takes the seconds
    from posegen.database.migrate import newest_revision

    newest_revision()
    gc.freeze()
    answers = os.fdopen(os.dup(1), "wb")
    for line in sys.stdin:
        request = json.loads(line)
        for file in request["files"]:
            Path(file).unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            signal.alarm(LONGEST_SECONDS)
            answers.close()
            os._exit(_ended_by(main.main, request))
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        answers.flush()


def _ended_by(command: Callable[[], None], request: dict[str, Any]) -> int:
    """The exit code of a command that is run as the request says."""
    _become(request)
    try:
        command()
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:  # noqa: BLE001  what the product lets through is what the tests look for
        traceback.print_exc()
        code = 1
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:
        return 120
    return code


def _become(request: dict[str, Any]) -> None:
    sys.argv = ["posegen", *(os.fsdecode(bytes.fromhex(word)) for word in request["words"])]
    os.environ.update(request["environment"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115
    for number, kind, file in zip((1, 2), request["streams"], request["files"], strict=True):
        _redirect(number, kind, file)
    sys.stdout = sys.__stdout__ = _stream(1, request["streams"][0], request["encoding"], "strict")
    sys.stderr = sys.__stderr__ = _stream(2, request["streams"][1], request["encoding"], "backslashreplace")


def _redirect(number: int, kind: str, file: str) -> None:
    with suppress(OSError):
        os.close(number)
    if kind == "closed":
        return
    if kind == "left":
        reading, writing = os.pipe()
        os.dup2(writing, number)
        for end in {reading, writing} - {number}:
            os.close(end)
        return
    target = "/dev/full" if kind == "full" else file
    opened = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)


def _stream(number: int, kind: str, encoding: str, errors: str) -> Any:
    """As the interpreter opens it at its start."""
    if kind == "closed":
        return None
    raw = io.FileIO(number, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors=errors, line_buffering=number == 2)


if __name__ == "__main__":
    _serve()
