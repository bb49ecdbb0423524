"""The `posegen` command as a shell runs it, in this process: arguments in, exit code and both outputs out."""

from __future__ import annotations

import functools
import io
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main

from posegen.cli import console
from posegen.cli.main import app, main

# Commands that run in one process share their tree: to build it takes 50 ms each time.
typer.main.get_command = functools.cache(typer.main.get_command)


@dataclass(frozen=True)
class Answer:
    """What a command has said. `code`: its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What a script reads."""
        return json.loads(self.out)


class Shell:
    """Runs commands. `width`: of the terminal, which is none, as in a script."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: object, width: int = 80) -> Answer:
        """Run `posegen` with these arguments."""
        self._monkeypatch.setattr("sys.argv", ["posegen", *map(str, arguments)])
        for each in (console.out, console.err):
            self._monkeypatch.setattr(each, "_width", width)
        self._capsys.readouterr()
        code = _ended()
        said = self._capsys.readouterr()
        return Answer(code, said.out, said.err)


@dataclass(frozen=True)
class Ended:
    """What a command has left. `code`: its exit code; `out`, `err`: the bytes of both streams, where they were kept."""

    code: int
    out: bytes
    err: bytes


class ByteShell:
    """Runs commands in this process with streams as a shell opens them: of any encoding, in a file or a closed pipe."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, *words: object, out_left: bool = False, encoding: str = "utf-8") -> Ended:
        """Run `posegen` with these words: texts, paths, or bytes. `out_left`: the reader of the output has left."""
        arguments = [os.fsdecode(word) if isinstance(word, bytes) else str(word) for word in words]
        with tempfile.TemporaryDirectory() as folder, self._monkeypatch.context() as patched:
            kept = [Path(folder, name) for name in ("out", "err")]
            for file in kept:
                file.touch()
            out = _stream(_pipe_without_reader() if out_left else io.FileIO(kept[0], "a"), encoding)
            err = _stream(io.FileIO(kept[1], "a"), encoding)
            patched.setattr("sys.argv", ["posegen", *arguments])
            patched.setattr("sys.stdout", out)
            patched.setattr("sys.stderr", err)
            code = _ended()
            out.close()  # raises, as the interpreter would complain, when something is left that cannot be written
            err.close()
            return Ended(code, *(file.read_bytes() for file in kept))


def commands() -> dict[str, Any]:
    """Every command of the app that does something, by its words."""
    return dict(_commands_of(typer.main.get_command(app)))


def _commands_of(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from _commands_of(inner, f"{name} {word}".strip())


def _pipe_without_reader() -> io.FileIO:
    reading, writing = os.pipe()
    os.close(reading)
    return io.FileIO(writing, "w")


def _stream(raw: io.FileIO, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors="strict")


def _ended() -> int:
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
