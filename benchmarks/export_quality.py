"""How good exports are: `uv run python benchmarks/export_quality.py`, table in `export_quality.md`.

Of a picture with the spectrum of photographs: luma before it is encoded, against Lanczos in floating point, by PSNR and
SSIM; how far a smooth spot stands from where framing says, in pixels of the export; and after encoding, the gain over
Pillow's encoder at the same quality from the same samples, with the ratio of the two sizes. The tests in
`tests/unit/platforms/test_export_quality.py` hold the bounds.
"""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from posegen.figure.drawing import draw
from posegen.images.pixels import Pixels
from posegen.platforms.drawing import PlannedExport, Source, draw_export, encode_export, plan_exports
from posegen.platforms.platform import PLATFORMS
from posegen.poses.avatar import Avatar
from posegen.poses.keypoints import Keypoints
from posegen.poses.library import LIBRARY

TABLE = Path(__file__).with_suffix(".md")
SIDE = 1024
LUMA = np.array([0.299, 0.587, 0.114])
SPOTS = [(0.4, 0.12), (0.5, 0.5), (0.58, 0.871), (0.45, 0.74)]

Floats = NDArray[np.float32]


def photograph() -> Pixels:
    """Amplitudes that fall with the frequency, as in photographs of nature, with shades and hard edges."""
    chance = np.random.default_rng(5)
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE))
    frequency[0, 0] = 1
    layers = [np.fft.ifft2(np.fft.fft2(chance.normal(size=(SIDE, SIDE))) / frequency**1.1).real for _ in range(4)]
    light, *colours = [layer / layer.std() for layer in layers]
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    picture = np.stack([120 + 38 * light + 12 * colour + 40 * (columns - 0.5) for colour in colours], axis=-1)
    picture[(columns - 0.5) ** 2 / 0.03 + (rows - 0.5) ** 2 / 0.12 < 1] *= 0.6
    return picture.clip(0, 255).round().astype(np.uint8)


def spotted() -> Pixels:
    columns, rows = np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5)
    light = sum(np.exp(-((np.hypot(columns - x * SIDE, rows - y * SIDE) / 14) ** 2)) for x, y in SPOTS)
    return np.repeat((40 + 180 * np.asarray(light))[..., None], 3, axis=2).round().astype(np.uint8)


def pose() -> tuple[Pixels, Keypoints]:
    """The figure upright, and its keypoints, which frame the other pictures as well."""
    drawing = draw(LIBRARY[0].specification, Avatar(setting="park"), seed=1)
    return drawing.pixels, drawing.keypoints


def psnr(found: Floats, reference: Floats) -> float:
    return float(10 * np.log10(255**2 / np.mean((found - reference) ** 2)))


def ssim(found: Floats, reference: Floats) -> float:
    def mean(values: Floats) -> Floats:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5), dtype=np.float32)

    ours, theirs = mean(found), mean(reference)
    spread = mean(found * found) - ours**2 + mean(reference * reference) - theirs**2
    both = mean(found * reference) - ours * theirs
    few, more = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similar = (2 * ours * theirs + few) * (2 * both + more) / ((ours**2 + theirs**2 + few) * (spread + more))
    return float(np.mean(similar))


def reference_of(pixels: Pixels, planned: PlannedExport) -> tuple[Floats, tuple[slice, slice]]:
    """Where the picture lies in the export, resized in floating point, and which rows and columns that are."""
    placement = planned.placement
    left, top, right, bottom = placement.target_box
    plane = Image.fromarray((pixels @ LUMA).astype(np.float32))
    resized = plane.resize((right - left, bottom - top), Image.Resampling.LANCZOS, placement.source_box)
    return np.asarray(resized).clip(0, 255), (slice(top, bottom), slice(left, right))


def registration(planned: PlannedExport) -> float:
    """The largest distance of a spot's centre of gravity from its place."""
    luma = draw_export(planned).luma.astype(float) - 40
    reach, worst = round(40 * max(planned.placement.scale)), 0.0
    for x, y in planned.placement.to_target(SPOTS):
        left, top = round(x) - reach, round(y) - reach
        part = luma[max(top, 0) : top + 2 * reach, max(left, 0) : left + 2 * reach]
        part = np.where(part < 4, 0, part)
        rows, columns = np.indices(part.shape) + 0.5
        found = (columns * part).sum() / part.sum() + max(left, 0), (rows * part).sum() / part.sum() + max(top, 0)
        worst = max(worst, float(np.hypot(found[0] - x, found[1] - y)))
    return worst


def by_pillow(planned: PlannedExport) -> bytes:
    planes = draw_export(planned)
    whole = [planes.luma, *(half.repeat(2, axis=0).repeat(2, axis=1) for half in (planes.blue, planes.red))]
    file = io.BytesIO()
    Image.fromarray(np.dstack(whole), "YCbCr").save(file, "JPEG", quality=planned.platform.quality, subsampling="4:2:0")
    return file.getvalue()


def luma_of(jpeg: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(jpeg)) as image:
        image.draft("YCbCr", image.size)
        return np.asarray(image)[..., 0]


def main() -> None:
    rendered, keypoints = pose()
    pictures = {"photograph": photograph(), "pose": rendered}
    spots = {each.names[0]: each for each in plan_exports(Source.of(spotted(), keypoints), PLATFORMS.values())}
    lines = [
        "| format | fit | PSNR, dB, photograph | pose | SSIM, photograph | pose | registration, px | over Pillow, dB "
        "| size to Pillow's |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    plans = {name: plan_exports(Source.of(pixels, keypoints), PLATFORMS.values()) for name, pixels in pictures.items()}
    for photo, drawn in zip(plans["photograph"], plans["pose"], strict=True):
        measured = []
        for planned, pixels in ((photo, pictures["photograph"]), (drawn, pictures["pose"])):
            reference, shown = reference_of(pixels, planned)
            luma = draw_export(planned).luma[shown].astype(np.float32)
            measured.append((psnr(luma, reference), ssim(luma, reference)))
        reference, shown = reference_of(pictures["photograph"], photo)
        ours, pillows = encode_export(photo).data, by_pillow(photo)
        gain = psnr(luma_of(ours)[shown].astype(np.float32), reference) - psnr(
            luma_of(pillows)[shown].astype(np.float32), reference
        )
        lines.append(
            f"| {', '.join(f'`{name}`' for name in photo.names)} | {'cover' if photo.placement.covers else 'contain'} "
            f"| {measured[0][0]:.1f} | {measured[1][0]:.1f} | {measured[0][1]:.4f} | {measured[1][1]:.4f} "
            f"| {registration(spots[photo.names[0]]):.3f} | {gain:+.2f} | {len(ours) / len(pillows):.3f} |"
        )
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
