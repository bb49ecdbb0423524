from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image

from posegen.images.framing import Window
from posegen.images.planes import planes_of, resample, ycbcr


def test_every_colour_comes_back_within_one_level():
    colours = np.random.default_rng(1).integers(0, 256, (500, 500, 3)).astype(np.uint8)
    colours[0, :8] = [[red, green, blue] for red in (0, 255) for green in (0, 255) for blue in (0, 255)]
    planes = planes_of(colours)
    luma, blue, red = (plane.astype(float) for plane in planes.all())
    back = np.dstack(
        [
            luma + 1.402 * (red - 128),
            luma - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
            luma + 1.772 * (blue - 128),
        ]
    )

    assert np.abs(back.clip(0, 255).round() - colours).max() <= 1
    assert planes.size == (500, 500)


def test_one_colour_is_taken_apart_like_a_picture():
    assert ycbcr(255, 255, 255) == (255, 128, 128)
    assert ycbcr(0, 0, 0) == (0, 128, 128)
    assert ycbcr(255, 0, 0) == (76, 85, 255)


@pytest.mark.parametrize(
    "size", [(2550, 2550), (1080, 1920), (1024, 1024), (1000, 1000), (627, 630), (340, 341), (200, 90)]
)
def test_resampling_is_lanczos_for_the_eye(photograph, size):
    window = Window(0, 0, 1024, 1024)
    found = resample(planes_of(photograph).luma, window, size).astype(float)
    plane = Image.fromarray(planes_of(photograph).luma.astype(np.float32))
    reference = np.asarray(plane.resize(size, Image.Resampling.LANCZOS)).clip(0, 255)

    assert np.sqrt(np.mean((found - reference) ** 2)) < 2.55, "40 dB"


def test_only_the_window_is_shown():
    plane = np.full((100, 100), 200, dtype=np.uint8)
    plane[20:60, 30:90] = 50

    assert (resample(plane, Window(30, 20, 60, 40), (600, 400)) == 50).all()
    assert (resample(plane, Window(30, 20, 60, 40), (15, 10)) == 50).all()


def test_a_whole_picture_is_resampled_like_its_planes(photograph):
    window = Window(100, 50, 800, 900)
    together = resample(photograph, window, (400, 450))

    for channel in range(3):
        alone = resample(np.ascontiguousarray(photograph[..., channel]), window, (400, 450))
        assert (together[..., channel] == alone).all()


def test_a_fine_pattern_becomes_grey_and_no_moire():
    lines = np.zeros((1024, 1024), dtype=np.uint8)
    lines[:, ::2] = 255
    small = resample(lines, Window(0, 0, 1024, 1024), (630, 630))

    assert np.abs(small[:, 4:-4].astype(float) - 127.5).max() < 8


def test_opencv_has_no_threads_of_its_own_so_that_a_fork_works():
    """Runs are forked from a process that has all of this imported and may have used it."""
    program = """
        import multiprocessing, threading
        import numpy as np
        from posegen.images.framing import Window
        from posegen.images.planes import cv2, planes_of, resample

        def work(results=None):
            plane = planes_of(np.random.default_rng(1).integers(0, 256, (900, 900, 3)).astype(np.uint8)).luma
            total = int(resample(plane, Window(0, 0, 900, 900), (1800, 1800)).sum())
            return results.put(total) if results else total

        assert cv2.getNumThreads() == 1
        before = threading.active_count(), work()
        forks = multiprocessing.get_context("fork")
        results = forks.Queue()
        child = forks.Process(target=work, args=[results])
        child.start()
        assert results.get(timeout=180) == before[1]
        child.join()
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=180)
