"""Standard output and error: in any encoding, closed, or with a reader that has left.

What is written to them is in `console`.
"""

from __future__ import annotations

import codecs
import errno
import os
import select
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from rich.console import Console

READABLE = "posegen-readable"
"""The error handler of both streams: what an encoding lacks is drawn in ASCII or written as an escape."""

_DRAWN = str.maketrans(
    {
        **dict.fromkeys("─━═╌╍╸╺╴╶", "-"),
        **dict.fromkeys("│┃║▏▎▍", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯┏┓┗┛┣┫┳┻╋┡┩╇╞╪╡", "+"),
        **dict.fromkeys("‘’‚", "'"),
        **dict.fromkeys("“”„", '"'),
        "×": "x",
        "…": "...",
        "•": "*",
        "–": "-",
        "—": "-",
        "\N{NO-BREAK SPACE}": " ",
    }
)


class QuietPipe(Console):
    """A console that leaves a closed pipe to the caller: rich would end the process with exit code 1."""

    def on_broken_pipe(self) -> None:
        """Raises the `BrokenPipeError` again."""
        del self._buffer[:]
        raise

    @property
    def room(self) -> int | None:
        """Columns that a table may take: of the terminal, or what COLUMNS says; None in a pipe or file."""
        return self.width if self.is_terminal or self._width is not None else None


def prepare() -> None:
    """Make standard output and error able to take any text. A closed one is replaced by the null device."""
    codecs.register_error(READABLE, _readable)
    for number in (0, 1, 2):  # a file that is opened later must not become standard output
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = _able(sys.stdout)
    sys.stderr = _able(sys.stderr)


def flush() -> None:
    """Write what is buffered. Raises `OSError` with the name of the stream that does not take it."""
    for name, stream in (("standard output", sys.stdout), ("standard error", sys.stderr)):
        try:
            stream.flush()
        except OSError as failure:
            raise OSError(failure.errno, failure.strerror, name) from failure


def abandon() -> None:
    """Drop what a failed stream still holds: the interpreter would write it at exit, and complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)
                stream.flush()


def reader_has_left(failure: BaseException) -> bool:
    """Whether the error says that the reader of standard output or error has closed its end.

    A socket breaks with the same error; that one is no reason to be silent.
    """
    if not isinstance(failure, OSError) or failure.errno != errno.EPIPE:
        return False
    poll = select.poll()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # what captures output may have no descriptor
            poll.register(stream.fileno(), select.POLLOUT)
    return any(events & select.POLLERR for _, events in poll.poll(0))


def is_utf8(stream: TextIO) -> bool:
    """Whether the stream writes UTF-8."""
    with suppress(LookupError):
        return codecs.lookup(stream.encoding or "ascii").name == "utf-8"
    return False


def _able(stream: TextIO | None) -> TextIO:
    if stream is None or stream.closed:
        return Path(os.devnull).open("w", encoding="utf-8", errors=READABLE)
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors=READABLE)
    return stream


def _readable(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError), "the handler is for output only"
    text = error.object[error.start : error.end].translate(_DRAWN)
    return "".join(each if each.isascii() else _escaped(each) for each in text), error.end


def _escaped(letter: str) -> str:
    """As JSON and Python write it, so that a JSON document stays one."""
    number = ord(letter)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
