"""The decoder process: takes files over its channel, one at a time, and returns pixels or a refusal.

`python -I -m posegen.images.decoding.worker PARENT MEMORY CPU WALL` with the channel, a socket, as standard input.
It ends when the channel does, when its parent is gone, and by a signal when a picture takes too long.
"""

from __future__ import annotations

import io
import os
import select
import signal
import sys
import warnings

from PIL import Image, ImageCms, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from posegen.errors import ImageInvalid
from posegen.images.decoding.protocol import ANSWER, PIXELS, REFUSED, REQUEST, Request, in_full, sentence
from posegen.images.decoding.sandbox import confine
from posegen.images.file_bytes import Format, Header
from posegen.images.normalising import decode_upright

_CHANNEL, _DIAGNOSES = 0, 2
_LOOK_FOR_PARENT_SECONDS = 2
_STRIP = 64  # rows sent at once: as few bytes as possible beside the picture, in pieces that are not too small
_PLUGINS = (ImageCms, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)


def main(parent: int, memory_bytes: int, cpu_seconds: float, wall_seconds: float) -> None:
    """Serve until the channel is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # meant for the parent, who closes the channel when it is done
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    channel = io.FileIO(_CHANNEL, "r+", closefd=False)
    rehearse()
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  # a decoder's mutterings may hold anything
        os.dup2(nowhere.fileno(), _DIAGNOSES)
    is_filtered = confine(memory_bytes)
    try:
        _write(channel, bytes([is_filtered]))
        while _has_request(parent):
            request = Request.unpacked(in_full(channel.read, REQUEST.size))
            data = in_full(channel.read, request.size)
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            signal.setitimer(signal.ITIMER_REAL, wall_seconds)
            _answer(channel, request, data)
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def rehearse() -> None:
    """Decode one picture of each format, so that everything is imported while that is still possible."""
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds: tuple[Format, ...] = ("PNG", "JPEG", "WEBP")
    for kind in kinds:
        file = io.BytesIO()
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        Image.new("RGB", (16, 16)).save(file, kind, exif=exif, icc_profile=profile)
        decode_upright(file.getvalue(), Header(kind, 16, 16))


def _has_request(parent: int) -> bool:
    """Waits for one. False when the parent is gone: the channel alone may be held open by another child of it."""
    waiting = select.poll()
    waiting.register(_CHANNEL, select.POLLIN)
    while not waiting.poll(_LOOK_FOR_PARENT_SECONDS * 1000):
        if os.getppid() != parent:
            return False
    return True


def _answer(channel: io.FileIO, request: Request, data: bytes) -> None:
    try:
        image = decode_upright(data, request.header)
    except ImageInvalid as refusal:
        words = sentence(str(refusal))
    else:
        _send(channel, image)
        return
    # Only here: a refusal's traceback holds on to the picture that was decoded in part.
    _write(channel, ANSWER.pack(REFUSED, 0, 0, len(words)) + words)


def _send(channel: io.FileIO, image: Image.Image) -> None:
    width, height = image.size
    _write(channel, ANSWER.pack(PIXELS, width, height, width * height * 3))
    for top in range(0, height, _STRIP):
        _write(channel, image.crop((0, top, width, min(top + _STRIP, height))).tobytes())


def _write(channel: io.FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[channel.write(rest) or 0 :]


if __name__ == "__main__":
    parent_argument, memory_argument, *seconds = sys.argv[1:]
    main(int(parent_argument), int(memory_argument), *map(float, seconds))
