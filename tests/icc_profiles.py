"""ICC profiles made on the spot, as small as they may be: a wide RGB, a grey, and a press with four inks."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping

# Primaries of Adobe RGB (1998) and the white of all profiles, adapted to D50.
_WIDE = {
    b"rXYZ": (0.60974, 0.31111, 0.01947),
    b"gXYZ": (0.20528, 0.62567, 0.06087),
    b"bXYZ": (0.14919, 0.06322, 0.74457),
}
_WHITE = (0.9642, 1.0, 0.8249)


def wide_rgb() -> bytes:
    """Adobe RGB (1998) with a gamma of 2.2: its green lies outside of sRGB."""
    primaries = {name: _xyz(*value) for name, value in _WIDE.items()}
    curves = {name: _gamma(2.2) for name in (b"rTRC", b"gTRC", b"bTRC")}
    return profile(b"mntr", b"RGB ", b"XYZ ", {b"wtpt": _xyz(*_WHITE), **primaries, **curves})


def grey(gamma: float) -> bytes:
    """Grey with this gamma."""
    return profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": _xyz(*_WHITE), b"kTRC": _gamma(gamma)})


def press(grid: int = 2) -> bytes:
    """Four inks, of which cyan alone has a colour: paper is white, full cyan is Lab (60, -35, -50), black is black.

    `grid`: points along each ink; a profile of a real press has 9 to 17.
    """
    points = itertools.product([step / (grid - 1) for step in range(grid)], repeat=4)
    table = b"".join(_ink(*point) for point in points)
    identity = bytes(range(256))
    lut = struct.pack(">4sIBBBx", b"mft1", 0, 4, 3, grid) + _matrix() + identity * 4 + table + identity * 3
    return profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": _xyz(*_WHITE), b"A2B0": lut, b"A2B1": lut})


def profile(kind: bytes, space: bytes, connection: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    """A profile of this class and colour space, version 2."""
    at = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, at + len(data), len(value))
        data += value + b"\0" * (-len(value) % 4)
    size = at + len(data)
    start = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x02400000, kind, space, connection)
    dated = struct.pack(">6H4s", 2026, 11, 1, 0, 0, 0, b"acsp")
    return (start + dated).ljust(68, b"\0") + _numbers(*_WHITE).ljust(60, b"\0") + table + data


def _ink(cyan: float, magenta: float, yellow: float, black: float) -> bytes:
    light = (1 - black) * (1 - 0.4 * cyan)
    a, b = (-35 * cyan * (1 - black), -50 * cyan * (1 - black))
    return bytes([round(light * 255), round(a + 128), round(b + 128)])


def _matrix() -> bytes:
    return struct.pack(">9i", *(65536 if at % 4 == 0 else 0 for at in range(9)))


def _numbers(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + _numbers(*values)


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))
