"""What libpng itself makes of PNG files: the yardstick for ours. It is called through ctypes, in a process of its own.

`python -m tests.libpng` reads files from standard input and writes their pixels, each behind its length. An error of
libpng ends that process, for none of its functions may return after one.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import io
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

LIBRARY = ctypes.util.find_library("png16")
"""None where there is no libpng."""

_LENGTH = struct.Struct("<I")
_SIZE = struct.Struct("<II")
_OPAQUE, _AFTER = 0xFF, 1


def pixels_by_libpng(files: Sequence[bytes]) -> list[NDArray[np.uint8] | None]:
    """(height, width, 4) of each file, by `png_set_expand` and `png_set_strip_16`; None for what libpng refuses."""
    found: list[NDArray[np.uint8] | None] = []
    while len(found) < len(files):
        ended = subprocess.run(
            [sys.executable, "-m", "tests.libpng"],
            input=b"".join(_LENGTH.pack(len(file)) + file for file in files[len(found) :]),
            stdout=subprocess.PIPE,
            check=False,
        )
        found += [_array(answer) for answer in _framed(io.BytesIO(ended.stdout))]
        if ended.returncode:
            found.append(None)
    return found


def _array(answer: bytes) -> NDArray[np.uint8]:
    width, height = _SIZE.unpack(answer[: _SIZE.size])
    return np.frombuffer(answer[_SIZE.size :], np.uint8).reshape(height, width, 4)


def _framed(stream: BinaryIO) -> Iterator[bytes]:
    while head := stream.read(_LENGTH.size):
        yield stream.read(*_LENGTH.unpack(head))


def main() -> None:
    """Decode every file, until one is refused."""
    library = ctypes.CDLL(LIBRARY)
    library.png_get_libpng_ver.restype = ctypes.c_char_p
    for name in ("png_create_read_struct", "png_create_info_struct"):
        getattr(library, name).restype = ctypes.c_void_p
    for file in _framed(sys.stdin.buffer):
        answer = _decoded(library, io.BytesIO(file))
        sys.stdout.buffer.write(_LENGTH.pack(len(answer)) + answer)
        sys.stdout.buffer.flush()


def _decoded(library: ctypes.CDLL, file: BinaryIO) -> bytes:
    def refuse(_: int, __: bytes) -> None:
        os._exit(1)

    def read(_: int, target: int, size: int) -> None:
        data = file.read(size)
        if len(data) < size:
            os._exit(1)
        ctypes.memmove(target, data, size)

    on_error = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
    failed, warned = on_error(refuse), on_error(lambda _, __: None)
    source = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)(read)
    version = library.png_get_libpng_ver(None)
    png = ctypes.c_void_p(library.png_create_read_struct(version, None, failed, warned))
    info = ctypes.c_void_p(library.png_create_info_struct(png))
    library.png_set_read_fn(png, None, source)
    library.png_read_info(png, info)
    for transform in ("png_set_expand", "png_set_strip_16", "png_set_gray_to_rgb"):
        getattr(library, transform)(png)
    library.png_set_add_alpha(png, _OPAQUE, _AFTER)
    library.png_set_interlace_handling(png)
    library.png_read_update_info(png, info)
    width, height = library.png_get_image_width(png, info), library.png_get_image_height(png, info)
    rows = [ctypes.create_string_buffer(4 * width) for _ in range(height)]
    pointers = (ctypes.c_void_p * height)(*(ctypes.addressof(row) for row in rows))
    library.png_read_image(png, pointers)
    return _SIZE.pack(width, height) + b"".join(row.raw for row in rows)


if __name__ == "__main__":
    main()
