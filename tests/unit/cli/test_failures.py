"""Every error ends as one sentence and an exit code; one that was not expected leaves its traceback in a file."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import psycopg
import pytest
import typer

from posegen.cli import main as command
from posegen.cli.failures import told_on_failure
from posegen.cli.main import main
from posegen.errors import GenerationUnknown, PosegenError
from tests.commands import Shell

SECRET = "hunter2hunter2"


class Unspeakable(Exception):
    """An error whose text cannot be made."""

    def __str__(self):
        raise ValueError("no text")


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("POSEGEN_HOME", str(home))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return home


@pytest.fixture
def ended_by(home, monkeypatch, capsys):
    """How `posegen status --json` ends when it raises an error."""

    def run(failure):
        def raises(*_, **__):
            raise failure

        monkeypatch.setattr("posegen.cli.requests.open_session", raises)
        return Shell(monkeypatch, capsys)("status", "--json")

    return run


EXPECTED = [
    GenerationUnknown("x"),
    PosegenError("several\nlines"),
    psycopg.OperationalError("server closed the connection unexpectedly"),
    psycopg.InterfaceError("the connection is closed"),
    *(OSError(code, os.strerror(code), "/a/file") for code in (errno.ENOSPC, errno.EACCES, errno.EMFILE, errno.EROFS)),
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    OSError("without a number"),
    BrokenPipeError(errno.EPIPE, "Broken pipe"),  # a socket's: standard output is well
    ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    typer.Abort(),
]
UNEXPECTED = [
    *(
        kind("column x does not exist")
        for kind in (
            psycopg.errors.UndefinedColumn,
            psycopg.errors.NumericValueOutOfRange,
            psycopg.DataError,
            psycopg.InternalError,
            psycopg.IntegrityError,
            psycopg.NotSupportedError,
        )
    ),
    psycopg.Error(),
    RecursionError("maximum recursion depth exceeded"),
    MemoryError(),
    UnicodeEncodeError("utf-8", "\udcf6", 0, 1, "surrogates not allowed"),
    UnicodeDecodeError("utf-8", b"\xf6", 0, 1, "invalid start byte"),
    AssertionError(),
    KeyError("[red]x[/red]"),
    ValueError("x" * 100_000),
    ExceptionGroup("several", [ValueError("one")]),
    Unspeakable(),
]


@pytest.mark.parametrize("failure", EXPECTED, ids=repr)
def test_an_expected_error_is_a_sentence(ended_by, home, failure):
    answer = ended_by(failure)

    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("failure", UNEXPECTED, ids=lambda failure: type(failure).__name__)
def test_an_unexpected_error_is_a_sentence_and_a_file(ended_by, home, failure):
    answer = ended_by(failure)

    assert (answer.code, answer.out) == (70, "")
    assert answer.err.startswith("error: ")
    assert len(answer.err.splitlines()) == 1
    assert len(answer.err) < 2_000
    assert f"The traceback is in {home / 'logs' / 'command.log'}." in answer.err
    log = (home / "logs" / "command.log").read_text()
    assert "Traceback" in log
    assert "posegen status, Python" in log


def test_the_next_error_is_added_to_the_file(ended_by, home):
    ended_by(ValueError("the first"))
    ended_by(ValueError("the second"))

    log = (home / "logs" / "command.log").read_text()
    assert "the first" in log
    assert "the second" in log


@pytest.mark.parametrize("obstacle", ["no home", "a file in its place", "settings that cannot be used"])
def test_a_home_that_cannot_be_written_to_is_replaced_by_the_temporary_folder(ended_by, home, monkeypatch, obstacle):
    if obstacle == "no home":
        monkeypatch.setenv("POSEGEN_HOME", str(home / "none"))
    elif obstacle == "a file in its place":
        (home / "logs").write_text("in the way")
    else:
        monkeypatch.setenv("POSEGEN_RENDER_THREADS", "many")

    answer = ended_by(ValueError("x"))

    assert answer.code == 70
    (named,) = re.findall(r"The traceback is in (\S+)\.\n", answer.err)
    assert Path(named).parent == home.parent
    assert Path(named).stat().st_mode & 0o077 == 0, "nobody else reads it"
    assert "ValueError: x" in Path(named).read_text()
    assert not (home / "none").exists()


def test_an_error_that_cannot_be_kept_is_a_sentence_all_the_same(ended_by, home, monkeypatch):
    (home / "logs").write_text("in the way")
    monkeypatch.setattr("tempfile.tempdir", str(home / "none"))

    answer = ended_by(ValueError("x"))

    assert answer.code == 70
    assert "could not be written to any file" in answer.err


@pytest.mark.parametrize(
    "failure",
    [
        ValueError(f"postgresql://ayu:{SECRET}@db/posegen"),
        PosegenError(f"cannot reach postgresql://ayu:{SECRET}@db/posegen"),
        psycopg.OperationalError(f"password={SECRET}"),
        psycopg.ProgrammingError(f"secret_access_key={SECRET}"),
        OSError(errno.EACCES, f"token={SECRET}", "/a/file"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_no_secret_is_in_the_sentence_or_the_file(ended_by, home, failure):
    answer = ended_by(failure)

    assert SECRET not in answer.err
    for file in home.rglob("*.log"):
        assert SECRET not in file.read_text()


def test_an_interrupted_command_ends_with_130_and_silently(ended_by):
    answer = ended_by(KeyboardInterrupt())

    assert (answer.code, answer.out, answer.err) == (130, "", "")


def test_errors_before_the_command_begins_are_told_too(home, monkeypatch, capsys):
    def broken(_):
        raise RuntimeError("no commands")

    monkeypatch.setattr(command.typer.main, "get_command", broken)

    answer = Shell(monkeypatch, capsys)("status")

    assert answer.code == 70
    assert "no commands" in answer.err
    assert main is command.main


def fail_after(sentence, failure):
    with told_on_failure() as progress:
        progress.sentence = sentence
        raise failure


@pytest.mark.parametrize("failure", [ValueError("x"), KeyboardInterrupt(), BrokenPipeError()])
def test_a_failure_after_something_was_stored_says_what(capsys, failure):
    with pytest.raises(type(failure)):
        fail_after("Generation 7 is stored.", failure)

    assert capsys.readouterr().err == "Generation 7 is stored.\n"


@pytest.mark.parametrize("failure", [ValueError("x"), typer.Exit(3)])
def test_a_failure_before_anything_was_stored_or_an_exit_code_says_nothing(capsys, failure):
    with pytest.raises(type(failure)):
        fail_after("Generation 7 is stored." if isinstance(failure, typer.Exit) else "", failure)

    assert capsys.readouterr().err == ""
