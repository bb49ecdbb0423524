"""A worker of its own that renders one design, for tests that kill it: URL, store, design, token."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import UUID

from posegen.backends.registry import open_backend
from posegen.database.connection import Database
from posegen.designs.making import make_design
from posegen.storage.local import LocalStore
from posegen.studio import Studio
from posegen.work.queue import Lease

url, root, design, token = sys.argv[1:]
with Database(url) as database:
    store = LocalStore(Path(root), base_url="https://pictures.example/media")
    studio = Studio(database=database, store=store, open_backend=open_backend)
    make_design(studio, Lease(UUID(design), int(token)))
