"""What the modules of images pass to each other: pixels in, an encoded image out. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
"""(height, width, 3) uint8, sRGB."""
Decode: TypeAlias = Callable[[bytes, str], Pixels]
"""Returns the pixels of a file and its suffix. For files from outside it is `DecoderPool.decode`."""


@dataclass(frozen=True)
class EncodedImage:
    """A file that can be stored as it is. `width`, `height`: pixels; `content_type`: its media type."""

    data: bytes
    width: int
    height: int
    content_type: str
