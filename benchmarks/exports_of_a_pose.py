"""The exports of one job as a worker makes them: `python exports_of_a_pose.py JOB`. Started by benchmarks/images.py."""

from __future__ import annotations

import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posegen.images.thumbnails import encode_thumbnail
from posegen.images.validation import open_image
from posegen.platforms.drawing import PlannedExport, Source, encode_export, in_turns, plan_exports
from posegen.platforms.platform import PLATFORMS

THREADS = 2


@dataclass(frozen=True)
class Points:
    """Keypoints as framing wants them."""

    points: np.ndarray


def main(job_file: Path) -> None:
    job = json.loads(job_file.read_text())
    keypoints = Points(np.array(job["points"]))
    rounds = []

    def make(some: list[PlannedExport]) -> None:
        for planned in some:
            export = encode_export(planned)  # a worker stores it at once; here the last round is looked at
            if len(rounds) == job["rounds"] - 1:
                Path(job["out"], f"{planned.names[0]}.jpg").write_bytes(export.data)

    for number in range(job["rounds"] + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        pixels = open_image(Path(job["source"]).read_bytes())
        plan = plan_exports(Source.of(pixels, keypoints), PLATFORMS.values())
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(make, in_turns(plan)))
        encode_thumbnail(pixels, keypoints)
        if number:
            rounds.append({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall})
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert peak is not None, "Linux says how much a process took"
    print(json.dumps({"rounds": rounds, "peak": int(peak[1]) / 1024, "version": "OpenCV, simplejpeg"}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
