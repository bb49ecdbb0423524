"""Every error as one sentence and an exit code; an unexpected one also leaves its traceback in a file.

The sentences go to standard error. `docs/reference/command.md` lists the exit codes.
"""

from __future__ import annotations

import errno
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import typer

from posegen.cli import console, streams
from posegen.cli.commands import PipeBroken
from posegen.database.failures import describe
from posegen.errors import PosegenError
from posegen.redaction import redacted
from posegen.settings import load_settings
from posegen.supervisor.logs import LogFile

USER_ERROR = 1
INTERNAL_ERROR = 70
INTERRUPTED = 130
LOG_NAME = "command.log"
_LONGEST = 500
_LARGEST_LOG = 1_000_000
_MENDS = {
    errno.ENOSPC: "Free some space and try again.",
    errno.EDQUOT: "Free some space or raise the quota, and try again.",
    errno.EMFILE: "Raise the limit of open files (`ulimit -n`) and try again.",
    errno.ENFILE: "Close other programs, or raise the system's limit of open files, and try again.",
    errno.EACCES: "Let this user read and write there.",
    errno.EPERM: "Let this user read and write there.",
    errno.EROFS: "Choose a place on a file system that can be written to.",
}

# The server, the way to it, or the rights there: what the operator mends, and no defect of ours.
_OF_THE_SERVER = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.InsufficientPrivilege,
)


@dataclass
class Progress:
    """What a command has changed so far. `sentence`: says it, and names the command that shows it."""

    sentence: str = ""


@contextmanager
def told_on_failure() -> Iterator[Progress]:
    """Inside the block every failure also says what is stored by then, so that it is not asked for twice."""
    progress = Progress()
    try:
        yield progress
        streams.flush()
    except (SystemExit, typer.Exit):  # the command has said why
        raise
    except BaseException:
        if progress.sentence:
            with suppress(OSError):
                console.note(progress.sentence)
        raise


def tell(failure: BaseException) -> int:
    """Say on standard error what went wrong; returns the exit code."""
    if isinstance(failure, SystemExit):
        if isinstance(failure.__context__, BrokenPipeError):  # rich ends the process when help meets a closed pipe
            return 0
        return failure.code if isinstance(failure.code, int) else USER_ERROR if failure.code else 0
    if isinstance(failure, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(failure, PipeBroken) and failure.__cause__ is not None:
        failure = failure.__cause__
    if streams.reader_has_left(failure):
        return 0
    message, code = _sentence(failure)
    with suppress(OSError):  # when standard error fails too, the exit code is all that is left
        console.complain(message)
    return code


def _sentence(failure: BaseException) -> tuple[str, int]:
    if isinstance(failure, typer.TyperException):
        return _usage(failure), failure.exit_code
    if isinstance(failure, typer.Abort):
        return "The command was ended before it was done.", USER_ERROR
    if isinstance(failure, PosegenError):
        return _without_secrets(str(failure)), USER_ERROR
    if isinstance(failure, _OF_THE_SERVER):
        return _without_secrets(describe(failure)), USER_ERROR
    if isinstance(failure, OSError):
        return _system(failure), USER_ERROR
    if isinstance(failure, psycopg.Error):
        what = _without_secrets(describe(failure))
    elif isinstance(failure, MemoryError):
        what = "The memory of this process is used up."
    else:
        what = f"The command ended with an error that Posegen did not expect: {type(failure).__name__}: "
        what += _words(failure)
    return f"{what} {_kept(failure)}", INTERNAL_ERROR


def _usage(failure: typer.TyperException) -> str:
    context = getattr(failure, "ctx", None)
    message = failure.format_message()
    return message if context is None else f"{message}\n`{context.command_path} --help` lists what it takes."


def _system(failure: OSError) -> str:
    """What the system refused, and what mends it."""
    reason = failure.strerror or _words(failure)
    if failure.filename is not None:
        where = os.fsdecode(failure.filename) if isinstance(failure.filename, (str, bytes)) else str(failure.filename)
        reason = f"{where}: {reason}"
    return _without_secrets(f"{reason}. {_MENDS.get(failure.errno or 0, '')}".strip())


def _words(failure: BaseException) -> str:
    """The first line of what an error says, short enough to be read, ending as a sentence does."""
    try:
        said = str(failure)
    except Exception:  # noqa: BLE001  an error whose own text cannot be made is named by its type alone
        said = ""
    line = _without_secrets(next(iter(said.strip().splitlines()), "no details"))
    line = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
    return line if line.endswith((".", "…", "!", "?")) else f"{line}."


def _without_secrets(text: str) -> str:
    return str(redacted({"text": text}, with_prompts=True)["text"])


def _kept(failure: BaseException) -> str:
    """Write the traceback into a file; a sentence that says where it is."""
    text = "".join(traceback.format_exception(failure))
    text = str(redacted({"text": text}, with_prompts=False)["text"])
    entry = (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, process {os.getpid()}, posegen {_command()}, "
        f"Python {platform.python_version()}\n{text}\n"
    ).encode("utf-8", "backslashreplace")
    for write in (_in_home, _in_temporary_folder):
        try:
            return f"The traceback is in {write(entry)}."
        except Exception:  # noqa: BLE001  settings that cannot be read, a full disk: the next place may do
            continue
    return "Its traceback could not be written to any file."


def _command() -> str:
    """The words of the command, without arguments, which may be secret."""
    return " ".join(word for word in sys.argv[1:3] if word.isascii() and word.isalpha())


def _in_home(entry: bytes) -> Path:
    home = load_settings().posegen_home
    if not home.is_dir():  # to make it is the business of a command that works
        raise FileNotFoundError(home)
    path = home / "logs" / LOG_NAME
    path.parent.mkdir(exist_ok=True)
    with LogFile(path, largest=_LARGEST_LOG).open() as file:
        file.write(entry)
    return path


def _in_temporary_folder(entry: bytes) -> Path:
    descriptor, name = tempfile.mkstemp(prefix="posegen-", suffix=".log")
    with os.fdopen(descriptor, "wb") as file:
        file.write(entry)
    return Path(name)
