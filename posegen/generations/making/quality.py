"""The quality gate at work: a generation's pictures pass one by one, and none of them twice.

What is measured and what passes lies in `posegen.images.quality`; rendering again is the caller's business.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from posegen.backends.protocol import Rendering
from posegen.database.connection import Connection
from posegen.errors import ImageInvalid
from posegen.images.measures import FigureMeasures, Measures, Passed
from posegen.images.quality import copied_from, judge, measure


class Gate:
    """Lets pictures of one generation pass. Threads share it: of two that are the same, the second is the copy."""

    def __init__(self, known: Mapping[int, Measures | None]) -> None:
        """`known`: what was measured on the poses that are completed, by position."""
        self._hashes = {position: each.perceptual_hash for position, each in known.items() if each is not None}
        self._lock = threading.Lock()

    def admit(self, position: int, rendering: Rendering) -> Measures:
        """What was measured on the picture of this pose. Raises `ImageInvalid`, which says all that is wrong."""
        points = None if rendering.keypoints is None else rendering.keypoints.points
        mask = rendering.part_mask
        if mask is not None and mask.shape != rendering.pixels.shape[:2]:
            raise ImageInvalid(f"The backend's mask is {mask.shape}, its picture {rendering.pixels.shape[:2]}.")
        measures = measure(rendering.pixels, mask=mask, points=points)
        verdict = judge(measures)
        if not verdict.passed:
            raise ImageInvalid(f"The picture did not pass: {'; '.join(verdict.problems)}.")
        with self._lock:
            others = [(other, known) for other, known in self._hashes.items() if other != position]
            copied = copied_from(measures.perceptual_hash, others)
            if copied is not None:
                raise ImageInvalid(f"The picture did not pass: it is the picture of pose {copied} again.")
            self._hashes[position] = measures.perceptual_hash
        return measures


def problems_of(measured: Mapping[int, Measures | None]) -> list[str]:
    """A sentence for everything in stored measures, by position, that would not pass today."""
    problems: list[str] = []
    hashes: dict[int, bytes] = {}
    for position, measures in sorted(measured.items()):
        if measures is None:
            problems.append(f"pose {position} was never measured")
            continue
        problems += [f"pose {position}: {problem}" for problem in judge(measures).problems]
        copied = copied_from(measures.perceptual_hash, hashes.items())
        if copied is not None:
            problems.append(f"pose {position}: it is the picture of pose {copied} again")
        hashes[position] = measures.perceptual_hash
    return problems


# --- statements -------------------------------------------------------------------------------------------------------


def put_passed(connection: Connection, pose: UUID, passed: Passed) -> None:
    """Write down what was measured on a pose's picture, and the seed that it was made with after all."""
    measures, figure = passed.measures, passed.measures.figure
    connection.execute(
        """
        update generated_poses set seed = %s, quality_retries = %s, brightness = %s, contrast = %s, sharpness = %s,
            noise = %s, perceptual_hash = %s, figure_share = %s, figure_on_keypoints = %s, figure_outline = %s
        where id = %s
        """,
        [
            passed.seed,
            passed.retries,
            measures.brightness,
            measures.contrast,
            measures.sharpness,
            measures.noise,
            measures.perceptual_hash,
            None if figure is None else figure.share,
            None if figure is None else figure.on_keypoints,
            None if figure is None else figure.outline,
            pose,
        ],
    )


def measures_of(connection: Connection, generation_id: UUID) -> dict[int, Measures | None]:
    """The measures of the completed poses by position; None for one from before there were any."""
    rows = connection.execute(
        """
        select position, brightness, contrast, sharpness, noise, perceptual_hash, figure_share, figure_on_keypoints,
               figure_outline
        from generated_poses where generation_id = %s and status = 'completed' order by position
        """,
        [generation_id],
    )
    return {row["position"]: _measures(row) for row in rows}


def _measures(row: dict[str, Any]) -> Measures | None:
    if row["perceptual_hash"] is None:
        return None
    figure = None
    if row["figure_share"] is not None:
        figure = FigureMeasures(row["figure_share"], row["figure_on_keypoints"], row["figure_outline"])
    return Measures(
        brightness=row["brightness"],
        contrast=row["contrast"],
        sharpness=row["sharpness"],
        noise=row["noise"],
        perceptual_hash=row["perceptual_hash"],
        figure=figure,
    )
