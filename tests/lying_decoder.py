"""A decoder that was taken over: the file says which lie it is to tell. It runs in the real one's place."""

from __future__ import annotations

import io
import os
import signal
import time

from posegen.images.decoding.protocol import ANSWER, PIXELS, REFUSED, REQUEST, Request, in_full

LIES = {
    b"another kind of answer": ANSWER.pack(7, 0, 0, 0),
    b"pixels of another size": ANSWER.pack(PIXELS, 4000, 4000, 48_000_000),
    b"more pixels than it says": ANSWER.pack(PIXELS, 32, 32, 2_000_000_000),
    b"an endless sentence": ANSWER.pack(REFUSED, 0, 0, 2_000_000_000),
    b"letters that cannot be shown": ANSWER.pack(REFUSED, 0, 0, 9) + b"\x1b[31mred\n",
}


def _drip(channel: io.FileIO, at_once: bytes, drops: bytes) -> None:
    """Each byte in time, and all of them never: ten take longer than any test allows."""
    channel.write(at_once)
    for drop in drops:
        channel.write(bytes([drop]))
        time.sleep(0.4)
    raise SystemExit


def main() -> None:
    """Tell one lie after the other."""
    channel = io.FileIO(0, "r+", closefd=False)
    channel.write(b"\1")
    while header := channel.read(REQUEST.size):
        lie = in_full(channel.read, Request.unpacked(header).size)
        if lie == b"silence":
            time.sleep(600)
        if lie == b"drops of a sentence":
            _drip(channel, ANSWER.pack(REFUSED, 0, 0, 10), b"not today!")
        if lie == b"drops of pixels":
            _drip(channel, ANSWER.pack(PIXELS, 32, 32, 3072), bytes(10))
        if lie.startswith(b"signal "):
            os.kill(os.getpid(), signal.Signals[lie.split()[1].decode()])
        if lie not in LIES:  # a picture
            os.kill(os.getpid(), signal.SIGKILL)
        channel.write(LIES[lie])


if __name__ == "__main__":
    main()
