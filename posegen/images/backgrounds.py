"""What surrounds a picture that does not fill its target: a plain colour, or its own edges carried on."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from posegen.images.framing import Placement

EXTEND = "extend"

_EDGE_SHARE = 0.01  # of the picture's side: how deep the strip is that stands for the edge
_NEAR_BLUR, _FAR_BLUR = 0.006, 0.12  # of the edge's length: what is carried on beside the picture, and far from it
_CHUNK = 128  # columns that are computed in floating point at once


def blank_canvas(placement: Placement, background: str) -> Image.Image:
    """A canvas of the target's size in the colour `background`, or empty where the edges will be carried on."""
    return Image.new("RGB", placement.target, None if background == EXTEND else background)


def extend_edges(canvas: Image.Image, placement: Placement) -> None:
    """Fills what surrounds the picture, which lies in `placement.target_box` already, by carrying its edges on.

    Beside the picture stands what the edge shows, so that there is no seam, and further out only its broad tones, so
    that nothing that touches the edge is drawn out into streaks.
    """
    _extend_sideways(canvas, placement.target_box)
    _extend_up_and_down(canvas, placement.target_box)


def _extend_sideways(canvas: Image.Image, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    depth = _edge_depth(right - left)
    if left > 0:
        bar = _carry_on(canvas.crop((left, top, left + depth, bottom)), left)
        canvas.paste(bar.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (0, top))
    if right < canvas.width:
        canvas.paste(_carry_on(canvas.crop((right - depth, top, right, bottom)), canvas.width - right), (right, top))


def _extend_up_and_down(canvas: Image.Image, box: tuple[int, int, int, int]) -> None:
    _, top, _, bottom = box
    depth = _edge_depth(bottom - top)
    turn = Image.Transpose.TRANSPOSE
    if top > 0:
        bar = _carry_on(canvas.crop((0, top, canvas.width, top + depth)).transpose(turn), top)
        canvas.paste(bar.transpose(Image.Transpose.FLIP_LEFT_RIGHT).transpose(turn), (0, 0))
    if bottom < canvas.height:
        edge = canvas.crop((0, bottom - depth, canvas.width, bottom)).transpose(turn)
        canvas.paste(_carry_on(edge, canvas.height - bottom).transpose(turn), (0, bottom))


def _edge_depth(side: int) -> int:
    return max(1, round(side * _EDGE_SHARE))


def _carry_on(edge: Image.Image, length: int) -> Image.Image:
    """The upright strip `edge` carried on to the right for `length` pixels."""
    profile = np.asarray(edge, dtype=np.float32).mean(axis=1)
    near = _softened(profile, _NEAR_BLUR)[:, None]
    towards_far = _softened(profile, _FAR_BLUR)[:, None] - near
    start = near + _dither(edge.height, min(_CHUNK, length))
    way = np.linspace(0.0, 1.0, length, dtype=np.float32)
    fade = (way * way * (3.0 - 2.0 * way))[None, :, None]
    bar = np.empty((edge.height, length, 3), dtype=np.uint8)
    for left in range(0, length, _CHUNK):
        share = fade[:, left : left + _CHUNK]
        tones = towards_far * share
        tones += start[:, : share.shape[1]]
        bar[:, left : left + _CHUNK] = tones
    return Image.fromarray(bar)


def _softened(profile: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """(n, 3): the colours along an edge, blurred by a Gaussian whose sigma is `share` of its length."""
    sigma = max(profile.shape[0] * share, 0.5)
    radius = math.ceil(3 * sigma)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1, dtype=np.float32) / sigma) ** 2).astype(np.float32)
    weights /= weights.sum()
    padded = np.pad(profile, ((radius, radius), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, channel], weights, mode="valid") for channel in range(3)], axis=-1)


def _dither(height: int, width: int) -> NDArray[np.float32]:
    """(height, width, 1): what to add before rounding down, 0 to 1, so that slow gradients show no bands.

    Interleaved gradient noise (Jimenez, 2014): even in every neighbourhood, and the same for the same place.
    """
    rows, columns = np.ogrid[0:height, 0:width]
    noise = 52.9829189 * ((0.06711056 * columns + 0.00583715 * rows) % 1.0) % 1.0
    return (noise[..., None] * 0.99).astype(np.float32)
