# /// script
# requires-python = ">=3.11"
# dependencies = ["pyvips[binary]==3.2.0", "pyvips-binary==8.18.7"]
# ///
"""The exports of one job, with pyvips done well: decoded once, one encoding for each distinct file, one thread.

`VIPS_CONCURRENCY=1 uv run --script exports.py JOB`. Started by benchmarks/images.py.
"""

import json
import re
import sys
import time
from pathlib import Path

import pyvips

job = json.loads(Path(sys.argv[1]).read_text())


def framed(picture, wanted):
    crop = wanted["crop"]
    shown = picture.crop(crop["left"], crop["top"], crop["width"], crop["height"])
    width, height = wanted["width"], wanted["height"]
    across, down = width / shown.width, height / shown.height
    if wanted["covers"]:
        return shown.resize(across, vscale=down, kernel="lanczos3").crop(0, 0, width, height)
    colour = [int(wanted["background"][at : at + 2], 16) for at in (1, 3, 5)]
    return shown.resize(min(across, down), kernel="lanczos3").gravity(
        "centre", width, height, extend="background", background=colour
    )


def once():
    picture = pyvips.Image.new_from_file(job["source"], access="sequential").copy_memory()
    made = {}
    for wanted in job["distinct"]:
        image = framed(picture, wanted).copy(xres=wanted["dpi"] / 25.4, yres=wanted["dpi"] / 25.4)
        made[wanted["name"]] = image.jpegsave_buffer(
            Q=90, subsample_mode="on", optimize_coding=False, interlace=False, profile="srgb"
        )
    picture.thumbnail_image(400, height=400, crop="centre").webpsave_buffer(Q=80, effort=2)
    return made


pyvips.cache_set_max(0)
rounds = []
for number in range(job["rounds"] + 1):
    wall, cpu = time.perf_counter(), time.process_time()
    made = once()
    if number:
        rounds.append({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall})
for name, data in made.items():
    Path(job["out"], f"{name}.jpg").write_bytes(data)
peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
version = ".".join(str(pyvips.version(part)) for part in range(3))
print(json.dumps({"rounds": rounds, "peak": peak, "version": f"pyvips {pyvips.__version__}, libvips {version}"}))
