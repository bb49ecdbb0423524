"""Control maps of library poses as files and data URIs, for tests of hosted backends."""

from __future__ import annotations

import base64
from functools import cache

import numpy as np

from posegen.figure.drawing import draw
from posegen.images.png import encode_png
from posegen.poses.avatar import Avatar
from posegen.poses.control_maps import depth_map, openpose_map
from posegen.poses.library import library_pose


@cache
def map_file(slug: str = "standing-straight", kind: str = "openpose", side: int = 256) -> bytes:
    """A PNG. `kind`: openpose or depth."""
    drawing = draw(library_pose(slug).specification, Avatar(), width=side, height=side)
    if kind == "openpose":
        return encode_png(openpose_map(drawing.keypoints, side, side)).data
    depth = depth_map(drawing.depth)
    return encode_png(np.repeat(depth[..., None], 3, axis=2) if depth.ndim == 2 else depth).data


def data_uri(file: bytes) -> str:
    """A PNG as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(file).decode()}"
