"""The looks of one figure: skin, face, hair, scarf, and the clothes of its outfit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posegen.figure.body.complexion import SKIN, complexion, hair_colour, hair_look, skin_look
from posegen.figure.body.face import EXPRESSIONS, paint_face
from posegen.figure.clothing.outfit_looks import Colours, clothing_looks
from posegen.figure.geometry.curves import bell
from posegen.figure.geometry.vectors import Floats
from posegen.figure.palettes import PALETTES
from posegen.figure.parts import Surface
from posegen.figure.rendering.looks import Look, Paint, blend, linear
from posegen.poses.avatar import Avatar
from posegen.poses.skeleton import Build
from posegen.poses.specification import PoseSpecification


def figure_looks(avatar: Avatar, specification: PoseSpecification, build: Build, blur: float) -> dict[int, Look]:
    """A look for each surface number. `blur`: metres per pixel; painted edges on the face fade over this length."""
    palette, skin = PALETTES[avatar.style], skin_look(SKIN[avatar.skin])
    masculine = avatar.gender_expression == "masculine"
    colours = Colours(palette, SKIN[avatar.skin], avatar.style, masculine, build.scale, build.torso)
    hair = hair_colour(avatar)
    scarf = blend(palette.accent, linear(250, 244, 234), 0.35)
    own = {
        Surface.SKIN: skin,
        Surface.EAR: skin,
        Surface.FACE: replace(skin, paint=_face_paint(avatar, specification, blur / (build.scale * build.head))),
        Surface.HAIR: replace(
            hair_look(hair), paint=_curls if avatar.hair.split("_")[0] in ("afro", "curly") else _strands
        ),
        Surface.SCARF: Look(scarf, sheen=0.14),
    }
    if avatar.hair == "shaved":
        own[Surface.HAIR] = Look(blend(hair, SKIN[avatar.skin], 0.28), gloss=0.02)
    return {int(number): look for number, look in (own | clothing_looks(avatar, colours)).items()}


def _face_paint(avatar: Avatar, specification: PoseSpecification, blur: float) -> Paint:
    face, expression = complexion(avatar), EXPRESSIONS[specification.expression]

    def paint(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
        colour[:] = paint_face(x, y, z, face, expression, specification.gaze, blur)

    return paint


def _strands(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
    """Lighter and darker strands, and the ring of light on a smooth crown."""
    around = np.arctan2(x - np.float32(0.02), z + np.float32(0.015))
    strands = np.sin(around * 43 + np.sin(y * 31) * 0.8) + np.float32(0.7) * np.sin(around * 89 - y * 23 + 1.0)
    ring = bell(0.146, 0.016, y + np.float32(0.004) * np.sin(around * 29)) * (z > -0.06)
    colour *= 1 + np.float32(0.17) * strands + np.float32(0.55) * ring


def _curls(colour: Floats, x: Floats, y: Floats, z: Floats) -> None:
    """Small light and dark coils."""
    coils = np.sin(x * 260 + np.sin(y * 190) * 1.5) * np.sin(y * 240 + np.sin(z * 170) * 1.4) * np.sin(z * 250 + x * 60)
    colour *= 1 + np.float32(0.35) * coils
