"""Where pictures from outside are decoded: in processes of their own, which are used again and can be killed.

Uploads, what hosted backends answer, and the sources of image variants come through here. What a backend makes in this
process, and files of ours whose hash was verified, do not need it (`posegen.images.validation`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

from posegen.errors import DecoderUnavailable
from posegen.images.decoding.process import FOR_OUR_OWN, Allowance, DecoderProcess
from posegen.images.file_bytes import Header
from posegen.images.pixels import Pixels
from posegen.images.validation import FROM_OUTSIDE, OF_OUR_OWN, Limits, examine

_MOST_JOBS = 1_000
"""After which a process makes room for a fresh one."""


class DecoderPool:
    """Decodes untrusted pictures. Any number of threads may use it at once.

    `processes`: how many work at the same time, each of which may take `allowance.memory_bytes`; they are started when
    they are needed first, 0.1 to 0.3 s each, and end with this process, however it ends. After a fork each side has
    its own.
    """

    def __init__(
        self, processes: int = 1, *, limits: Limits = FROM_OUTSIDE, allowance: Allowance | None = None
    ) -> None:
        self._count = processes
        self._limits = limits
        self._allowance = allowance or Allowance()
        self._of_process: dict[int, _Decoders] = {}

    @classmethod
    def of_our_own(cls) -> DecoderPool:
        """A pool for what the stores hold: files that we have written may be larger than what is taken from outside."""
        return cls(limits=OF_OUR_OWN, allowance=FOR_OUR_OWN)

    def __enter__(self) -> DecoderPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def decode(self, data: bytes, suffix: str | None = None) -> Pixels:
        """The pixels of a PNG, JPEG or WebP: upright, opaque, 8-bit sRGB, whatever the file holds.

        Args:
            data: the file.
            suffix: the ending of the file's name, when it came with one (`.png`, `.jpg`, `.jpeg`, `.webp`); it has to
                agree with the format of the file.

        Raises:
            ImageInvalid: the file is refused; the message says what is wrong and by how much.
            DecoderUnavailable: no decoder starts, or none survives.
        """
        header = examine(data, self._limits, suffix=suffix)
        decoders = self._decoders()
        try:
            return _decode(decoders, data, header)
        except DecoderUnavailable:
            # It was killed from outside, not by this picture: try once more in a new process.
            return _decode(decoders, data, header)

    def pids(self) -> list[int]:
        """The decoders that wait for work."""
        return [decoder.pid for decoder in self._decoders().idle]

    def close(self) -> None:
        """End the decoders. Pictures that are being decoded are finished first."""
        self._decoders().close()

    def _decoders(self) -> _Decoders:
        here = os.getpid()
        if here not in self._of_process:
            self._of_process.setdefault(here, _Decoders(self._count, self._allowance))
            for elsewhere in [pid for pid in self._of_process if pid != here]:
                self._of_process.pop(elsewhere).forget()
        return self._of_process[here]


class _Decoders:
    """The decoders of one process of ours."""

    def __init__(self, count: int, allowance: Allowance) -> None:
        self.idle: list[DecoderProcess] = []
        self._allowance = allowance
        self._count = count
        self._free = threading.Semaphore(count)

    @contextmanager
    def one(self) -> Iterator[DecoderProcess]:
        """A decoder for our use alone, started when there is none."""
        with self._free:
            decoder = self._living()
            try:
                yield decoder
            finally:
                if decoder.is_alive and decoder.jobs < _MOST_JOBS:
                    self.idle.append(decoder)
                else:
                    decoder.close()

    def close(self) -> None:
        """Waits for those that work."""
        for _ in range(self._count):
            self._free.acquire()
        while self.idle:
            self.idle.pop().close()
        self._free.release(self._count)

    def forget(self) -> None:
        """They are not ours."""
        for decoder in self.idle:
            decoder.forget()

    def _living(self) -> DecoderProcess:
        with suppress(IndexError):
            while True:
                decoder = self.idle.pop()
                if decoder.is_alive:
                    return decoder
                decoder.close()
        return DecoderProcess(self._allowance)


def _decode(decoders: _Decoders, data: bytes, header: Header) -> Pixels:
    with decoders.one() as decoder:
        return decoder.decode(data, header)
