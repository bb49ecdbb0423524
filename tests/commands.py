"""The `posegen` command as a shell runs it, in this process: arguments in, exit code and both outputs out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from posegen.cli import console
from posegen.cli.main import main


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
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        said = self._capsys.readouterr()
        return Answer(code, said.out, said.err)
