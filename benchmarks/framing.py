"""Whether any export cuts off a part of a figure: `uv run python benchmarks/framing.py`, table in `framing.md`.

Renders every library pose with several avatars, as it is and mirrored, and looks with the figure's own mask where
each platform's export ends: how many pixels of a body, or of what belongs to it, lie outside, and how near to an edge
that cuts the picture the nearest one comes. `--sheets FOLDER` writes a contact sheet of all platforms for each pose,
`--pictures FOLDER` those that the pages show.
"""

from __future__ import annotations

import argparse
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from posegen.figure.drawing import Drawing, draw
from posegen.figure.parts import Part
from posegen.figure.placement import prop_corners
from posegen.images.body import body_of
from posegen.images.contact_sheet import Tile, contact_sheet, encode_sheet
from posegen.images.framing import place
from posegen.platforms.drawing import Export, PlannedExport, Source, encode_export, plan_exports
from posegen.platforms.platform import PLATFORMS
from posegen.poses.avatar import AVATAR_ATTRIBUTES, Avatar
from posegen.poses.keypoints import KEYPOINTS
from posegen.poses.library import LIBRARY, LibraryPose

TABLE = Path(__file__).with_suffix(".md")
AVATARS = {
    "the default": Avatar(),
    "a child, afro, long dress": Avatar(age_group="child", hair="afro_black", clothing="long_dress"),
    "plus size, bun, long coat": Avatar(body_type="plus_size", hair="bun_black", clothing="long_coat"),
    "long hair, summer dress": Avatar(hair="long_blonde", clothing="summer_dress"),
    "a senior, hijab, suit": Avatar(age_group="senior", hair="hijab", clothing="suit", body_type="curvy"),
    "athletic, ponytail": Avatar(body_type="athletic", hair="ponytail_brown", gender_expression="masculine"),
}


TALL = (
    *("standing-straight", "walking-towards-viewer", "hands-on-hips-both", "star-jump", "barbell-overhead"),
    *("thinker-seated", "yoga-warrior-two", "waving-one-hand", "under-an-umbrella"),
)
WIDE = ("standing-straight", "split-leap", "waving-both-arms", "bowing", "stop-palm-out", "lying-on-stomach")


@dataclass
class Found:
    """What was seen of one format. `nearest`: fractions of the picture's side, to an edge that cuts it."""

    fits: Counter[str] = field(default_factory=Counter)
    body_cut: int = 0
    belongings_cut: int = 0
    nearest: float = 1.0


@dataclass(frozen=True)
class Points:
    points: NDArray[np.float64]


def drawn(pose: LibraryPose, avatar: Avatar, side: int) -> tuple[Drawing, NDArray[np.float64] | None]:
    """The drawing, and the corners of what the figure holds, sits on or kicks."""
    drawing = draw(pose.specification, avatar, seed=1, width=side, height=side)
    return drawing, prop_corners(pose.specification, avatar, 1.0)


def mirrored(points: NDArray[np.float64]) -> NDArray[np.float64]:
    swap = {"left": "right", "right": "left"}
    names = ["_".join(swap.get(part, part) for part in name.split("_")) for name in KEYPOINTS]
    swapped: NDArray[np.float64] = (points * (-1, 1) + (1, 0))[[KEYPOINTS.index(name) for name in names]]
    return swapped


def look(found: dict[str, Found], mask: NDArray[np.uint8], points: Points, things: NDArray[np.float64] | None) -> None:
    side = mask.shape[0]
    body = body_of(points, (side, side), things)
    for name, platform in PLATFORMS.items():
        placement = place((side, side), (platform.width, platform.height), platform.fit, body)
        left, top, right, bottom = placement.visible
        seen = found[name]
        seen.fits["cover" if placement.covers else "contain"] += 1
        for part, of_body in (((mask > Part.BACKGROUND) & (mask < Part.PROP), True), (mask == Part.PROP, False)):
            rows, columns = np.nonzero(part)
            outside = int(((columns < left) | (columns + 1 > right) | (rows < top) | (rows + 1 > bottom)).sum())
            if of_body:
                seen.body_cut += outside
                if placement.covers:
                    free = (columns.min() - left, rows.min() - top, right - columns.max() - 1, bottom - rows.max() - 1)
                    cuts = (left > 0, top > 0, right < side - 1, bottom < side - 1)
                    near = [float(pixels) / side for pixels, cut in zip(free, cuts, strict=True) if cut]
                    seen.nearest = min(seen.nearest, *near, 1.0)
            else:
                seen.belongings_cut += outside


def exports(pose: LibraryPose, avatar: Avatar, names: Sequence[str]) -> list[tuple[PlannedExport, Export]]:
    drawing, things = drawn(pose, avatar, 1024)
    source = Source.of(drawing.pixels, drawing.keypoints, things)
    return [(each, encode_export(each)) for each in plan_exports(source, [PLATFORMS[name] for name in names])]


def sheet(pose: LibraryPose, avatar: Avatar, target: Path) -> None:
    tiles = [
        Tile(export.data, label=", ".join(planned.names), detail=export.fit)
        for planned, export in exports(pose, avatar, list(PLATFORMS))
    ]
    target.write_bytes(encode_sheet(contact_sheet(tiles, width=1280, columns=4, title=pose.slug), "jpeg").data)


def montage(name: str, slugs: Sequence[str], size: tuple[int, int], columns: int, target: Path) -> None:
    """One format of several poses, each in another setting."""
    by_slug, settings = {pose.slug: pose for pose in LIBRARY}, AVATAR_ATTRIBUTES["setting"]
    rows = -(-len(slugs) // columns)
    canvas = Image.new("RGB", (columns * (size[0] + 6) - 6, rows * (size[1] + 6) - 6), "white")
    for index, slug in enumerate(slugs):
        avatar = Avatar(setting=settings[(3 * index + 5) % len(settings)], hair=AVATAR_ATTRIBUTES["hair"][index])
        ((_, export),) = exports(by_slug[slug], avatar, [name])
        with Image.open(io.BytesIO(export.data)) as image:
            tile = image.resize(size, Image.Resampling.LANCZOS)
        canvas.paste(tile, (index % columns * (size[0] + 6), index // columns * (size[1] + 6)))
    canvas.save(target, quality=82, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=384, help="pixels of the pictures that are looked at")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets of all poses")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures of the pages, and nothing else")
    options = parser.parse_args()
    if options.pictures:
        montage("tiktok", TALL, (142, 252), 9, options.pictures / "exports-tall.jpg")
        montage("facebook", WIDE, (440, 231), 3, options.pictures / "exports-wide.jpg")
        return
    found = {name: Found() for name in PLATFORMS}
    for avatar in track(AVATARS.values(), description="avatars"):
        for pose in LIBRARY:
            drawing, things = drawn(pose, avatar, options.side)
            points = drawing.keypoints.points
            look(found, drawing.part_mask, Points(points), things)
            turned = None if things is None else things * (-1, 1) + (1, 0)
            look(found, drawing.part_mask[:, ::-1], Points(mirrored(points)), turned)
    lines = [
        f"{len(LIBRARY)} poses with {len(AVATARS)} avatars ({'; '.join(AVATARS)}), as they are and mirrored, "
        f"rendered at {options.side}x{options.side}. Cut off: pixels of the mannequin's mask outside of an export, of "
        "all pictures together. Nearest: the least between a body and an edge that cuts the picture, in percent of "
        "its side.",
        "",
        "| format | covered | contained | of bodies cut off | of belongings cut off | nearest |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| `{name}` | {seen.fits['cover']} | {seen.fits['contain']} | {seen.body_cut} | {seen.belongings_cut} "
            f"| {f'{100 * seen.nearest:.1f}' if seen.nearest < 1 else '-'} |"
            for name, seen in found.items()
        ),
    ]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    if options.sheets:
        options.sheets.mkdir(parents=True, exist_ok=True)
        settings, clothing = AVATAR_ATTRIBUTES["setting"], AVATAR_ATTRIBUTES["clothing"]
        for index, pose in enumerate(track(LIBRARY, description="sheets")):
            avatar = Avatar(setting=settings[index % len(settings)], clothing=clothing[index % len(clothing)])
            sheet(pose, avatar, options.sheets / f"{pose.slug}.jpg")


if __name__ == "__main__":
    main()
