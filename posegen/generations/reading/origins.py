"""Where a file comes from: what it says of itself, and what the database knows of its bytes and of its recipe.

What a file says may have been written by anyone. What the database knows of its bytes is certain.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from posegen.database.connection import Database
from posegen.errors import ImageInvalid
from posegen.generations.calling.listing import ListedCall, calls_behind
from posegen.generations.rows import recipes
from posegen.generations.rows.recipes import KnownFile, PoseOfRecipe
from posegen.images.file_bytes import Header
from posegen.images.headers import read_header
from posegen.images.packets import find_packet
from posegen.images.provenance import Provenance, read_packet

_LARGEST_PICTURE = 64_000_000
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Said:
    """What a file says. `size`: bytes; `header`: None when it is no picture that is accepted here, and `problem` says
    why; `provenance`: None when it says nothing that can be read.
    """

    size: int
    sha256: str
    header: Header | None
    provenance: Provenance | None
    problem: str | None


@dataclass(frozen=True)
class Known:
    """What the database knows.

    `files`: objects with exactly these bytes; `made`: poses of the recipe that is named; `calls`: of hosted backends,
    for these poses or with this file.
    """

    files: list[KnownFile]
    made: list[PoseOfRecipe]
    calls: list[ListedCall]


def what_it_says(path: Path) -> Said:
    """Look at a file; whatever it holds is no error. Raises `OSError` when it cannot be read."""
    with path.open("rb") as file:
        size, sha256 = _fingerprint(file)
        header, problem = _header(file, size)
        provenance = None
        try:
            packet = find_packet(file)
            if packet is not None:
                provenance = read_packet(packet)
        except ImageInvalid as unreadable:
            problem = str(unreadable)
    return Said(size, sha256, header, provenance, problem)


def what_is_known(database: Database, said: Said) -> Known:
    """What the database has on this file."""
    recipe_hash = said.provenance and said.provenance.recipe_hash
    with database.transaction() as connection:
        files = recipes.files_with(connection, said.sha256)
        made = recipes.poses_of_recipe(connection, recipe_hash) if recipe_hash else []
        poses = {each.pose_id for each in made} | {each.pose_id for each in files if each.pose_id is not None}
        return Known(files, made, calls_behind(connection, poses, said.sha256))


def _fingerprint(file: BinaryIO) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def _header(file: BinaryIO, size: int) -> tuple[Header | None, str | None]:
    if size > _LARGEST_PICTURE:
        return None, f"The file has {size:,} bytes; more than {_LARGEST_PICTURE:,} are not looked at as a picture."
    file.seek(0)
    try:
        return read_header(file.read()), None
    except ImageInvalid as refused:
        return None, str(refused)
