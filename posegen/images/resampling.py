"""Pixels brought to a placement's scale. Where they lie is framing's business, what surrounds them backgrounds'."""

from __future__ import annotations

from PIL import Image

from posegen.images.framing import Placement
from posegen.images.pixels import Pixels

_REDUCING_GAP = 3.0  # Pillow halves by averaging first while the result still cannot be told from one Lanczos pass
_BAND = 1200  # rows: a picture enlarged beyond them is drawn in bands, so that a print needs memory for its canvas only


def draw_picture(canvas: Image.Image, pixels: Pixels, placement: Placement) -> None:
    """Draws the part of the picture that the target shows into `placement.target_box` of `canvas`, Lanczos-filtered."""
    picture = Image.fromarray(pixels)
    left, top, right, bottom = placement.target_box
    source_left, source_top, source_right, source_bottom = placement.source_box
    rows = _BAND if placement.scale > 1 else bottom - top
    for upper in range(top, bottom, rows):
        lower = min(upper + rows, bottom)
        box = (
            source_left,
            source_top + (upper - top) / placement.scale,
            source_right,
            source_bottom - (bottom - lower) / placement.scale,
        )
        band = picture.resize((right - left, lower - upper), Image.Resampling.LANCZOS, box, _REDUCING_GAP)
        canvas.paste(band, (left, upper))
