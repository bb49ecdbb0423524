"""Statements about what was measured on the pictures of poses."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from posegen.database.connection import Connection
from posegen.images.measures import FigureMeasures, Measures, Passed


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
