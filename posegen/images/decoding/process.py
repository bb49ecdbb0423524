"""Our end of one decoder process: starts it, hands it files, and ends it when it does not respond as it should."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import structlog

from posegen.errors import DecoderUnavailable, ImageInvalid
from posegen.images.decoding.protocol import ANSWER, LONGEST_SENTENCE, PIXELS, REFUSED, Request, heard, in_full
from posegen.images.file_bytes import Header
from posegen.images.pixels import Pixels

log = structlog.get_logger(__name__)

_MODULE = "posegen.images.decoding.worker"
# Large blocks go back to the system at once, and never pile up in a process that is used again.
_ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "1048576"}
_START_SECONDS = 60.0
_END_SECONDS = 2.0


@dataclass(frozen=True)
class Allowance:
    """What one picture may take. `memory_bytes`: of the process, all in all; `cpu_seconds`: of computing;
    `wall_seconds`: until there must be an answer, however busy the machine is.
    """

    memory_bytes: int = 352_000_000
    cpu_seconds: float = 4.0
    wall_seconds: float = 10.0


FOR_OUR_OWN = Allowance(memory_bytes=448_000_000, cpu_seconds=20, wall_seconds=60)
"""For files of ours, which are no attack: the largest one is decoded on a slow machine, too."""


class DecoderProcess:
    """A running decoder, for one thread at a time. Raises `DecoderUnavailable` when it does not come up."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self.jobs = 0
        self._channel, theirs = socket.socketpair()
        arguments = (os.getpid(), allowance.memory_bytes, allowance.cpu_seconds, allowance.wall_seconds)
        with theirs:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-I", "-m", _MODULE, *map(str, arguments)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                cwd="/",
            )
        try:
            (is_filtered,) = in_full(self._reader(time.monotonic() + _START_SECONDS), 1)
        except (EOFError, OSError):
            raise DecoderUnavailable(
                f"The decoder process did not start (exit code {self._exit_code()}); what it says is on standard error."
            ) from None
        except BaseException:
            self.kill()
            raise
        if not is_filtered:
            log.warning("decoder runs without a filter of system calls", decoder=self.pid)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it takes another file."""
        return self._channel.fileno() >= 0 and self._process.poll() is None

    def decode(self, data: bytes, header: Header) -> Pixels:
        """The picture's pixels.

        Raises `ImageInvalid` when the decoder refuses, and when it dies on the picture or returns
        nonsense. Raises `DecoderUnavailable` when it was killed from outside.
        """
        self.jobs += 1
        deadline = time.monotonic() + self._allowance.wall_seconds
        try:
            self._channel.settimeout(self._allowance.wall_seconds)
            self._channel.sendall(Request(header, len(data)).packed())
            self._channel.sendall(data)
            return self._answer(header, deadline)
        except ImageInvalid:
            raise
        except TimeoutError:
            self.kill()
            raise self._death(-signal.SIGALRM, header) from None
        except (EOFError, OSError):
            raise self._death(self._exit_code(), header) from None
        except BaseException:
            self.kill()  # an unread reply must not be taken for the reply to the next picture
            raise

    def close(self) -> None:
        """Let it end: it does when its channel does."""
        self._exit_code()

    def kill(self) -> None:
        """End it now."""
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def forget(self) -> None:
        """Let go of a process of our parent's, which a fork has left us a hold on."""
        self._channel.close()
        self._process.poll()  # sees that it is no child of ours, and asks for it no more

    def _answer(self, header: Header, deadline: float) -> Pixels:
        read = self._reader(deadline)
        kind, width, height, size = ANSWER.unpack(in_full(read, ANSWER.size))
        if kind == REFUSED and size <= LONGEST_SENTENCE:
            raise ImageInvalid(heard(in_full(read, size)))
        fits = (width, height) in ((header.width, header.height), (header.height, header.width))  # as it is, or turned
        if kind != PIXELS or size != width * height * 3 or not fits:
            self.kill()
            raise ImageInvalid(f"The decoder returned something that a {header} cannot become.")
        pixels = np.empty((height, width, 3), np.uint8)
        rest = pixels.data.cast("B")
        while rest:
            self._channel.settimeout(max(deadline - time.monotonic(), 0.001))
            found = self._channel.recv_into(rest)
            if not found:
                raise EOFError
            rest = rest[found:]
        return pixels

    def _reader(self, deadline: float) -> Callable[[int], bytes]:
        def read(size: int) -> bytes:
            self._channel.settimeout(max(deadline - time.monotonic(), 0.001))
            return self._channel.recv(size)

        return read

    def _exit_code(self) -> int:
        """How it ended; it is ended when it does not by itself."""
        self._channel.close()
        try:
            return self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.returncode

    def _death(self, exit_code: int, header: Header) -> ImageInvalid | DecoderUnavailable:
        """What to raise for a process that has ended over a picture."""
        if exit_code == -signal.SIGKILL:
            return DecoderUnavailable("The decoder process was killed; is the machine short of memory?")
        picture = f"The {header}"
        if exit_code == -signal.SIGPROF:
            return ImageInvalid(
                f"{picture} takes more than {self._allowance.cpu_seconds:g} s of computing to decode; save it again, "
                "or send a smaller one."
            )
        if exit_code == -signal.SIGALRM:
            return ImageInvalid(f"{picture} was not decoded in {self._allowance.wall_seconds:g} s.")
        return ImageInvalid(f"{picture} breaks the decoder (exit code {exit_code}).")
