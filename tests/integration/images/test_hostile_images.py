"""The corpus of hostile and odd pictures: each is refused in words that say why, or comes out as plain pixels.

How long each takes is measured by `benchmarks/hostile_images.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from posegen.errors import ImageInvalid
from posegen.images.decoding.pool import DecoderPool
from posegen.images.decoding.process import Allowance
from posegen.images.validation import open_image
from tests.hostile_images import Hostile, corpus
from tests.mutations import mutants, seeds

MOST_MEMORY = 300_000_000

pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF data")


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    # The time that a picture may take is left wide, for machines that are busy; the memory is not.
    with DecoderPool(allowance=Allowance(cpu_seconds=20, wall_seconds=60)) as opened:
        yield opened
        assert memory_of(opened) < MOST_MEMORY


def memory_of(pool: DecoderPool) -> int:
    """The most that the decoder has taken so far, in bytes."""
    (pid,) = pool.pids()
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(kilobytes) * 1024


@pytest.mark.parametrize("hostile", corpus(), ids=lambda hostile: hostile.name)
def test_a_hostile_picture_is_refused_or_made_plain(pool: DecoderPool, hostile: Hostile) -> None:
    data, before = hostile.make(), pool.pids()
    if hostile.refused_with is not None:
        with pytest.raises(ImageInvalid, match=hostile.refused_with) as refusal:
            pool.decode(data, hostile.suffix)
        assert str(refusal.value).endswith("."), "a refusal is a sentence"
        assert len(str(refusal.value)) < 300
    else:
        pixels = pool.decode(data, hostile.suffix)
        assert (pixels.shape[1], pixels.shape[0]) == hostile.size
        assert pixels.dtype == np.uint8
        if hostile.size[0] < 1000:
            assert np.array_equal(pixels, open_image(data)), "the sandbox takes nothing away that decoding needs"
    if before:
        assert pool.pids() == before, "it took more than a decoder process may"
    if pool.pids():
        assert memory_of(pool) < MOST_MEMORY


def test_damaged_pictures_are_refused_or_made_plain_and_nothing_else(pool: DecoderPool) -> None:
    """`benchmarks/hostile_images.py` does this twenty thousand times."""
    refused = plain = 0
    for data in mutants(7, 500, seeds()):
        try:
            assert pool.decode(data).ndim == 3
            plain += 1
        except ImageInvalid:
            refused += 1

    assert refused > 150
    assert plain > 30
