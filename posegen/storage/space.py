"""Space on the disk below a folder of this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Space:
    """Of a disk, in bytes. `free`: to us, without what is kept for root."""

    free: int
    size: int

    @property
    def free_share(self) -> float:
        """0 to 1; a disk without any size counts as full."""
        return self.free / self.size if self.size else 0.0


def space_of(folder: Path) -> Space:
    """What is left on the disk that a folder lies on, or would lie on once it is made."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    found = os.statvfs(there)
    return Space(free=found.f_bavail * found.f_frsize, size=found.f_blocks * found.f_frsize)
