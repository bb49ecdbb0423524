"""The exports of one job, with Pillow done well: decoded once, reduced first where that cannot be seen, one encoding
for each distinct file. `python exports.py JOB`. Started by benchmarks/images.py.
"""

import io
import json
import re
import sys
import time
from pathlib import Path

import PIL
from PIL import Image, ImageCms, ImageOps, features

job = json.loads(Path(sys.argv[1]).read_text())
profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def framed(picture, wanted):
    crop = wanted["crop"]
    box = (crop["left"], crop["top"], crop["left"] + crop["width"], crop["top"] + crop["height"])
    size = wanted["width"], wanted["height"]
    if wanted["covers"]:
        return picture.resize(size, Image.Resampling.LANCZOS, box, reducing_gap=3.0)
    scale = min(size[0] / crop["width"], size[1] / crop["height"])
    fitted = round(crop["width"] * scale), round(crop["height"] * scale)
    canvas = Image.new("RGB", size, wanted["background"])
    shown = picture.resize(fitted, Image.Resampling.LANCZOS, box, reducing_gap=3.0)
    canvas.paste(shown, ((size[0] - fitted[0]) // 2, (size[1] - fitted[1]) // 2))
    return canvas


def once():
    picture = Image.open(job["source"]).convert("RGB")
    made = {}
    for wanted in job["distinct"]:
        file = io.BytesIO()
        dpi = (wanted["dpi"], wanted["dpi"])
        framed(picture, wanted).save(file, "JPEG", quality=90, subsampling="4:2:0", dpi=dpi, icc_profile=profile)
        made[wanted["name"]] = file.getvalue()
    thumbnail = ImageOps.fit(picture, (400, 400), Image.Resampling.LANCZOS)
    thumbnail.save(io.BytesIO(), "WEBP", quality=80, method=2)
    return made


rounds = []
for number in range(job["rounds"] + 1):
    wall, cpu = time.perf_counter(), time.process_time()
    made = once()
    if number:
        rounds.append({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall})
for name, data in made.items():
    Path(job["out"], f"{name}.jpg").write_bytes(data)
peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
version = f"Pillow {PIL.__version__}, libjpeg-turbo {features.version_feature('libjpeg_turbo')}"
print(json.dumps({"rounds": rounds, "peak": peak, "version": version}))
