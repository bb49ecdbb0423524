"""Pictures of another system, adopted for a test: where they lie in the store's folder, or by copy."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from uuid import UUID

from posegen.generations.adopting.adoption import Adopted, Adoption, adopt_tree
from posegen.images.validation import open_image
from posegen.storage.local import LocalStore
from posegen.studio import Studio
from tests.builders import a_user
from tests.hostile_images import encoded

FOLDER = "0b7c4f0e-5d3c-4b8e-9a38-5a7d5a9a1c11"
# What another system may call its pictures: names of its own, and one that looks like a key of Posegen's.
NAMES = ("a", "photo-0123456789ab")


def fill(root: Path, *, written: datetime | None = None) -> dict[Path, bytes]:
    """Pictures below `root/poses`, one of them with a thumbnail; what lies there then. `written`: the time of files."""
    for name in (*NAMES, f"{NAMES[0]}_thumb"):
        file = root / "poses" / FOLDER / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded("PNG"))
        if written is not None:
            os.utime(file, (written.timestamp(), written.timestamp()))
    return {file: file.read_bytes() for file in (root / "poses" / FOLDER).iterdir()}


def adopt(studio: Studio, root: Path, user: UUID | None = None, **how: object) -> Adopted:
    """Take in `root`; in place where it is the store's folder."""
    assert isinstance(studio.store, LocalStore)
    tree = Adoption(root, user or a_user(studio.database), root == studio.store._root, **how)  # type: ignore[arg-type]
    return adopt_tree(studio, tree, lambda file, _: open_image(file))
