"""What the exports of one pose cost, beside others who make the same: `uv run python benchmarks/images.py`.

Twelve exports and the thumbnail of three 1024x1024 PNG files: one like a photograph, one of strong noise, one flat. All
contenders get the crops that Posegen's framing chose, and make them at quality 90, 4:2:0, with profile and density;
what surrounds a contained picture is a plain colour for the others, which is less work. Each runs in a process of its
own, in turn, several times; medians count, CPU time of all its threads, and the peak of its memory.

The peers are Pillow and pyvips done well, and sharp: as applications use it, with a shared decode, and with the one
option turned off that costs it time and others do without ("leanest"). sharp wants
`npm ci` in `benchmarks/peers/sharp` once and is left out without it; pyvips is fetched by `uv run --script`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from posegen.figure.drawing import Drawing, draw
from posegen.images.pixels import Pixels
from posegen.platforms.drawing import PlannedExport, Source, plan_exports
from posegen.platforms.platform import EXTEND, PLATFORMS
from posegen.poses.avatar import Avatar
from posegen.poses.library import LIBRARY

TABLE = Path(__file__).with_suffix(".md")
HERE = Path(__file__).parent
PEERS = HERE / "peers"
POSE = "hands-on-hips-both"
OURS = "Posegen"


@dataclass
class Contender:
    """A program that makes a job's exports, and what was measured of it. `quality`: dB, mean luma PSNR."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    wall: dict[str, list[float]] = field(default_factory=dict)
    peak: float = 0
    version: str = ""
    quality: dict[str, float] = field(default_factory=dict)
    size: dict[str, int] = field(default_factory=dict)


# --- the sources --------------------------------------------------------------------------------------------------


def sources(drawing: Drawing) -> dict[str, Pixels]:
    """Like a photograph: the figure in a park, with the fine texture that all surfaces have, and a sensor's grain."""
    chance = np.random.default_rng(11)
    height, width = drawing.pixels.shape[:2]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    frequency[0, 0] = 1
    spectrum = np.fft.fft2(chance.normal(size=(height, width))) / frequency**1.2
    texture = np.fft.ifft2(spectrum).real
    texture *= 14 / texture.std()
    grain = chance.normal(0, 2, (height, width, 3))
    photograph = drawing.pixels + texture[..., None] + grain
    noisy = drawing.pixels + chance.normal(0, 32, (height, width, 3))
    flat = np.full((height, width, 3), (236, 233, 226))
    flat[drawing.part_mask > 0] = (38, 70, 83)
    return {
        name: np.clip(np.round(pixels), 0, 255).astype(np.uint8)
        for name, pixels in (("photograph", photograph), ("noise", noisy), ("flat", flat))
    }


def figure() -> Drawing:
    """The figure that the sources show."""
    (pose,) = (pose for pose in LIBRARY if pose.slug == POSE)
    avatar = Avatar(setting="park", clothing="suit")
    return draw(pose.specification, avatar, seed=1)


# --- the job ------------------------------------------------------------------------------------------------------


def job(source: Path, plan: list[PlannedExport], out: Path, rounds: int) -> dict[str, Any]:
    """What every contender is told: all platforms, and each distinct file once."""
    return {
        "source": str(source),
        "out": str(out),
        "rounds": rounds,
        "platforms": [wanted(name, planned) for planned in plan for name in planned.names],
        "distinct": [wanted(planned.names[0], planned) for planned in plan],
    }


def wanted(name: str, planned: PlannedExport) -> dict[str, Any]:
    """One export: the part of the source that it shows, and whether that fills it."""
    placement, rules = planned.placement, PLATFORMS[name]
    window, (width, height) = placement.window, placement.source
    whole = {"left": 0, "top": 0, "width": width, "height": height}
    crop = {"left": window.left, "top": window.top, "width": window.width, "height": window.height}
    return {
        "name": name,
        "width": rules.width,
        "height": rules.height,
        "dpi": rules.dpi,
        "covers": placement.covers,
        "crop": crop if placement.covers else whole,
        "background": "#808080" if rules.background == EXTEND else rules.background,
    }


# --- measuring ----------------------------------------------------------------------------------------------------


def contenders() -> Iterable[Contender]:
    """All that can be run here."""
    python = sys.executable
    sharp = ["node", str(PEERS / "sharp" / "exports.mjs")]
    yield Contender(OURS, [python, str(HERE / "exports_of_a_pose.py")], {"MALLOC_ARENA_MAX": "2"})
    yield Contender("Pillow, done well", [python, str(PEERS / "pillow" / "exports.py")])
    uv_script = [str(HERE.parent / "uvw"), "run", "--quiet", "--script"]
    yield Contender("pyvips, done well", [*uv_script, str(PEERS / "pyvips" / "exports.py")], {"VIPS_CONCURRENCY": "1"})
    if (PEERS / "sharp" / "node_modules").is_dir():
        yield Contender("sharp, as applications use it", [*sharp, "JOB", "usual"])
        yield Contender("sharp, with a shared decode", [*sharp, "JOB", "shared"])
        yield Contender("the same, leanest", [*sharp, "JOB", "leanest"])


def measure(contender: Contender, name: str, job_file: Path) -> None:
    """One process."""
    command = [*contender.command, str(job_file)]
    if "JOB" in command:
        command = [str(job_file) if part == "JOB" else part for part in contender.command]
    environment = {**os.environ, **contender.environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{contender.name} failed:\n{done.stderr}")
    answer = json.loads(done.stdout.splitlines()[-1])
    contender.cpu.setdefault(name, []).extend(each["cpu"] for each in answer["rounds"])
    contender.wall.setdefault(name, []).extend(each["wall"] for each in answer["rounds"])
    contender.peak = max(contender.peak, answer["peak"])
    contender.version = answer["version"]


def look(contender: Contender, name: str, job: dict[str, Any], pixels: Pixels) -> None:
    """How near the files are to the source, resized by Lanczos in floating point, where the picture fills them."""
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    errors, size = [], 0
    for wanted in job["distinct"]:
        data = Path(job["out"], f"{wanted['name']}.jpg").read_bytes()
        size += len(data)
        if wanted["covers"]:
            crop = wanted["crop"]
            box = (crop["left"], crop["top"], crop["left"] + crop["width"], crop["top"] + crop["height"])
            reference = Image.fromarray(luma.astype(np.float32)).resize(
                (wanted["width"], wanted["height"]), Image.Resampling.LANCZOS, box
            )
            with Image.open(io.BytesIO(data)) as image:
                image.draft("YCbCr", image.size)
                found = np.asarray(image)[..., 0]
            error = float(np.mean((found - np.clip(np.asarray(reference), 0, 255)) ** 2))
            errors.append(10 * np.log10(255**2 / error))
    contender.quality[name] = float(np.mean(errors))
    contender.size[name] = size


def table(names: list[str], measured: list[Contender], rounds: int) -> list[str]:
    ours = measured[0]
    lines = []
    for name in names:
        base = statistics.median(ours.cpu[name])
        lines += [
            f"**{name.capitalize()}**",
            "",
            "| | CPU s | times ours | wall s | MB written | luma PSNR, dB |",
            "|---|---:|---:|---:|---:|---:|",
            *(
                f"| {each.name} | {statistics.median(each.cpu[name]):.3f} "
                f"| {statistics.median(each.cpu[name]) / base:.1f} | {statistics.median(each.wall[name]):.3f} "
                f"| {each.size[name] / 1e6:.2f} | {each.quality[name]:.1f} |"
                for each in measured
            ),
            "",
        ]
    peaks = ", ".join(f"{each.name} {each.peak:.0f} MB" for each in measured)
    versions = ", ".join(dict.fromkeys(each.version for each in measured))
    head = (
        f"Twelve exports and the thumbnail of one 1024x1024 pose, decoding included; medians of {rounds} rounds, all "
        f"contenders in turn; two threads for Posegen. {os.cpu_count()} cores, Python "
        f"{platform.python_version()}; {versions}."
    )
    return [head, "", *lines, f"Peak memory of the process: {peaks}."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="in each process, after one that does not count")
    parser.add_argument("--turns", type=int, default=3, help="processes of each contender")
    options = parser.parse_args()
    drawing = figure()
    pictures = sources(drawing)
    measured = list(contenders())
    with tempfile.TemporaryDirectory() as folder:
        for name, pixels in pictures.items():
            source = Path(folder, f"{name}.png")
            Image.fromarray(pixels).save(source, compress_level=2)
            plan = plan_exports(Source.of(pixels, drawing.keypoints), PLATFORMS.values())
            for turn in range(options.turns):
                for contender in measured:
                    task = job(source, plan, Path(folder), options.rounds)
                    job_file = Path(folder, "job.json")
                    job_file.write_text(json.dumps({**task, "points": drawing.keypoints.points.tolist()}))
                    measure(contender, name, job_file)
                    if turn == 0:
                        look(contender, name, task, pixels)
    lines = table(list(pictures), measured, options.rounds * options.turns)
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
