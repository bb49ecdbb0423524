"""Colours as people write them, and how far two of them can be told apart."""

from __future__ import annotations

import re
from typing import TypeAlias

from PIL import ImageColor

from posegen.errors import UnknownName

Colour: TypeAlias = tuple[int, int, int]
"""Red, green and blue, 0 to 255 each, in sRGB."""

_HEX = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", re.ASCII)
_HOW = ["#rgb", "#rrggbb", "the names of CSS, such as navy or papayawhip"]


def parse_colour(text: str) -> Colour:
    """`#rgb`, `#rrggbb`, or one of CSS's 148 names, in any case. Raises `UnknownName`.

    >>> parse_colour("#F80"), parse_colour("Navy")
    ((255, 136, 0), (0, 0, 128))
    """
    written = text.strip().lower()
    code = ImageColor.colormap.get(written, written)
    if isinstance(code, tuple):  # Pillow puts the numbers of a name that it has looked up in place of its code
        return code[0], code[1], code[2]
    if not _HEX.fullmatch(code):
        raise UnknownName("colour", text, _HOW)
    digits = code[1:] if len(code) == 7 else "".join(digit * 2 for digit in code[1:])
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def hex_of(colour: Colour) -> str:
    """`#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def contrast(one: Colour, other: Colour) -> float:
    """The contrast ratio of WCAG 2.2: 1 for equal colours, 21 for black on white.

    >>> round(contrast((0, 0, 0), (255, 255, 255)))
    21
    """
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(channel / 255) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
