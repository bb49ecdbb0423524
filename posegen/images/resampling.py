"""Pictures drawn small, for thumbnails and contact sheets: Pillow, on whole RGB pictures. Exports have `planes`."""

from __future__ import annotations

from PIL import Image

from posegen.images.framing import Placement
from posegen.images.pixels import Pixels

_REDUCING_GAP = 3.0  # Pillow halves by averaging first while the result still cannot be told from one Lanczos pass


def draw_picture(canvas: Image.Image, pixels: Pixels, placement: Placement) -> None:
    """Draws the part of the picture that the target shows into `placement.target_box` of `canvas`, Lanczos-filtered."""
    left, top, right, bottom = placement.target_box
    picture = Image.fromarray(pixels).resize(
        (right - left, bottom - top), Image.Resampling.LANCZOS, placement.source_box, _REDUCING_GAP
    )
    canvas.paste(picture, (left, top))
