"""Adopting an upload tree of another system: `poses/{generation}/{pose}.png` with `{pose}_thumb.png` beside it.

Every folder becomes a generation that has ended and cost nothing. Done again, it goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid5

from posegen.database import adoption
from posegen.database.adoption import AdoptedPose
from posegen.errors import ImageInvalid, InvalidKey, ObjectExists, RequestRefused
from posegen.images.pixels import Pixels
from posegen.images.thumbnails import encode_thumbnail
from posegen.storage.hashing import fingerprint
from posegen.storage.keys import pose_key, thumbnail_key
from posegen.storage.protocol import ObjectInfo
from posegen.studio.studio import Studio

MOST_POSES = 50
_THUMBNAIL = "_thumb.png"
# Ids that are no UUID become one, the same in every pass.
_NAMES = UUID("6f1d3a52-8a0b-4f57-9c3e-0d2b7a4c5e11")

Decode = Callable[[bytes, str], Pixels]
"""Pixels of a file and its suffix: `DecoderPool.decode`."""


@dataclass
class Adopted:
    """What a pass has done. `known`: generations that were there already; `problems`: a sentence for each file."""

    generations: int = 0
    poses: int = 0
    bytes: int = 0
    known: int = 0
    problems: list[str] = field(default_factory=list)


def adopt_tree(
    studio: Studio,
    root: Path,
    user: UUID,
    decode: Decode,
    *,
    in_place: bool,
    progress: Callable[[Adopted], object] = lambda _: None,
) -> Adopted:
    """Take in every generation below `root/poses`.

    `in_place`: `root` is the folder of the current store, so that its files become objects where they are; otherwise
    they are copied. Files that are no picture, and names that are no key, are named among the problems and left out.
    """
    adopted = Adopted()
    for folder in sorted(each for each in (root / "poses").glob("*") if each.is_dir()):
        generation_id = _uuid(folder.name)
        with studio.database.transaction() as connection:
            is_known = adoption.is_known(connection, generation_id)
        if is_known:
            adopted.known += 1
        else:
            _adopt_folder(studio, root, folder, generation_id, user, decode, adopted, in_place=in_place)
        progress(adopted)
    return adopted


def _adopt_folder(
    studio: Studio, root: Path, folder: Path, generation_id: UUID, user: UUID, decode: Decode, adopted: Adopted,
    *, in_place: bool,
) -> None:  # fmt: skip
    poses = []
    for file in sorted(each for each in folder.glob("*.png") if not each.name.endswith(_THUMBNAIL)):
        try:
            poses.append(_adopted(studio, root, file, generation_id, decode, in_place=in_place))
        except (ImageInvalid, InvalidKey, ObjectExists) as unusable:
            adopted.problems.append(f"{file}: {unusable}")
    if len(poses) > MOST_POSES:
        adopted.problems.append(f"{folder}: {len(poses)} pictures; a generation has {MOST_POSES} at most.")
        return
    if not poses:
        return
    try:
        with studio.database.transaction() as connection:
            adoption.adopt(connection, user, generation_id, poses, store=studio.store.name)
    except RequestRefused as refused:
        adopted.problems.append(f"{folder}: {refused}")
        return
    adopted.generations += 1
    adopted.poses += len(poses)
    adopted.bytes += sum(each.image.size + each.thumbnail.size for each in poses)


def _adopted(
    studio: Studio, root: Path, file: Path, generation_id: UUID, decode: Decode, *, in_place: bool
) -> AdoptedPose:
    data = file.read_bytes()
    pixels = decode(data, file.suffix)
    thumb = file.with_name(file.stem + _THUMBNAIL)
    has_thumbnail = _is_picture(thumb, decode)
    origin = str(file.relative_to(root))
    if in_place:
        image = _where_it_is(studio, root, file)
        thumbnail = _where_it_is(studio, root, thumb) if has_thumbnail else None
    else:
        name = uuid5(_NAMES, origin)
        image = studio.put_verified(lambda sha256: pose_key(generation_id, name, sha256), data, "image/png")
        thumbnail = None
    if thumbnail is None:
        encoded = encode_thumbnail(pixels)
        name = uuid5(_NAMES, origin)
        thumbnail = studio.put_verified(
            lambda sha256: thumbnail_key(generation_id, name, sha256), encoded.data, encoded.content_type
        )
    return AdoptedPose(origin, hashlib.sha256(origin.encode()).hexdigest(), image, thumbnail)


def _where_it_is(studio: Studio, root: Path, file: Path) -> ObjectInfo:
    """The object that a file of the store's folder already is."""
    key = str(file.relative_to(root))
    measured = fingerprint(file.read_bytes())
    return studio.store.put(key, file.read_bytes(), content_type="image/png", known=measured)


def _is_picture(file: Path, decode: Decode) -> bool:
    try:
        return file.is_file() and decode(file.read_bytes(), file.suffix) is not None
    except ImageInvalid:
        return False


def _uuid(name: str) -> UUID:
    try:
        return UUID(name)
    except ValueError:
        return uuid5(_NAMES, name)
