"""Small programs to supervise."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from posegen.settings import PROJECT_ROOT
from posegen.supervisor.processes import Program, Surroundings


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "PYTHONUNBUFFERED": "1"}
    return Surroundings(environment, PROJECT_ROOT, tmp_path / "logs")


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., Program]:
    """A program in Python. It is ready when it has made the file `<name>.ready`, which its code finds in argv[1]."""

    def program(name: str, code: str) -> Program:
        mark = tmp_path / f"{name}.ready"
        command = (sys.executable, "-c", code, str(mark))
        return Program(name, command, ready=lambda since: mark.exists() and mark.stat().st_mtime >= since - 0.1)

    return program
