"""`docs/reference/validation.md` says what the two gates let pass."""

from __future__ import annotations

import dataclasses

from posegen.images import jpeg_segments, png_chunks, webp_chunks
from posegen.images.decoding.process import FOR_OUR_OWN, Allowance
from posegen.images.file_bytes import MOST_EXTRA_BYTES
from posegen.images.headers import SUFFIXES
from posegen.images.measures import FigureMeasures, Measures
from posegen.images.quality import COPY_DISTANCE, Bounds
from posegen.images.validation import FROM_OUTSIDE, OF_OUR_OWN
from tests.documents import page
from tests.hostile_images import corpus

PAGE = page("docs/reference/validation.md")
LIMITS = {row["rule"]: row["limit"] for row in PAGE.rows("rule")}


def test_the_limits_of_the_page_are_those_of_the_code() -> None:
    limits = FROM_OUTSIDE
    assert LIMITS["file"] == f"at most {limits.max_bytes:,} bytes ({limits.max_bytes // 2**20} MiB)"
    assert LIMITS["pixels"].startswith(f"at most {limits.max_pixels:,} ")
    assert LIMITS["each side"] == f"{limits.min_side} to {limits.max_side:,}"
    assert LIMITS["one side to the other"] == f"at most {limits.max_aspect:g} times"
    assert LIMITS["unpacked"].startswith(f"at most {limits.max_unpacked:,} bytes")
    assert LIMITS["text, profiles and the like"].startswith(f"at most {MOST_EXTRA_BYTES:,} bytes")
    assert LIMITS["PNG chunks"].startswith(f"at most {png_chunks.MOST_CHUNKS:,}")
    assert LIMITS["JPEG segments, scans"] == (
        f"at most {jpeg_segments.MOST_SEGMENTS:,} and {jpeg_segments.MOST_SCANS}, and no more than "
        f"{jpeg_segments.MOST_SCANNED_PIXELS:,} pixels in all scans together"
    )
    assert LIMITS["WebP chunks"] == f"at most {webp_chunks.MOST_CHUNKS:,}"
    assert LIMITS["ending of the name, where there is one"].startswith(", ".join(SUFFIXES))


def test_a_picture_may_take_what_the_page_says() -> None:
    allowed = {row["a picture may take"]: row["at most"] for row in PAGE.rows("a picture may take")}
    allowance = Allowance()
    assert allowed == {
        "memory of the process": f"{allowance.memory_bytes // 10**6} MB",
        "computing": f"{allowance.cpu_seconds:g} s",
        "time on the clock": f"{allowance.wall_seconds:g} s",
    }


def test_files_of_our_own_may_be_and_take_what_the_page_says() -> None:
    text = " ".join(PAGE.text.split())
    limits, allowance = OF_OUR_OWN, FOR_OUR_OWN
    assert (
        f"may therefore have {limits.max_pixels:,} pixels and four bytes for each of them ({limits.max_bytes:,})"
        in text
    )
    assert (
        f"may take {allowance.memory_bytes // 10**6} MB, {allowance.cpu_seconds:g} s of computing and "
        f"{allowance.wall_seconds:g} s on the clock" in text
    )


def test_the_bounds_of_the_gate_are_those_of_the_page() -> None:
    bounds = Bounds()
    passes = {row["column of pose_quality"]: row["passes"] for row in PAGE.rows("column of pose_quality")}
    assert passes == {
        "brightness": "{:g} to {:g}".format(*bounds.brightness),
        "contrast": f"{bounds.contrast:g} or more",
        "sharpness": f"{bounds.sharpness:g} or more",
        "noise": f"{bounds.noise:g} or less",
        "figure_share": "{:g} to {:g}".format(*bounds.figure_share),
        "figure_on_keypoints": f"{bounds.figure_on_keypoints:g} or more",
        "figure_outline": f"{bounds.figure_outline:g} or more",
    }
    assert f"a copy is within {COPY_DISTANCE} levels" in PAGE.text


def test_every_measure_has_a_column() -> None:
    columns = [row["column of pose_quality"] for row in PAGE.rows("column of pose_quality")]
    own = [field.name for field in dataclasses.fields(Measures) if field.name not in ("perceptual_hash", "figure")]
    assert columns == own + [f"figure_{field.name}" for field in dataclasses.fields(FigureMeasures)]


def test_the_size_of_the_corpus_is_that_of_the_page() -> None:
    assert f"each of {len(corpus())} pictures" in PAGE.text
