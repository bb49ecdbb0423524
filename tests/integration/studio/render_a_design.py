"""A worker of its own that renders one design, for tests that kill it: URL, store, design, claim."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import UUID

from posegen.backends.registry import open_backend
from posegen.database.connection import Database
from posegen.database.designs import DesignLease
from posegen.storage.local import LocalStore
from posegen.studio.designs import make_design
from posegen.studio.studio import Studio

url, root, design, claim = sys.argv[1:]
with Database(url) as database:
    store = LocalStore(Path(root), base_url="https://pictures.example/media")
    studio = Studio(database=database, store=store, open_backend=open_backend)
    make_design(studio, DesignLease(UUID(design), int(claim)))
