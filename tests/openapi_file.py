"""`docs/reference/openapi.json`: the document of the HTTP API, as clients are generated from it.

`python -m tests.openapi_file` writes it.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute

from posegen.database.connection import Database
from posegen.settings import PROJECT_ROOT, Settings
from posegen.web.app import create_app
from posegen.web.installation import open_installation

OPENAPI_FILE = PROJECT_ROOT / "docs" / "reference" / "openapi.json"
COMMAND = "./uvw run python -m tests.openapi_file"


def application() -> FastAPI:
    """The application of an installation whose database is never asked."""
    with (
        Database("postgresql://nobody@localhost/none") as database,
        open_installation(Settings(), database, url="http://127.0.0.1:8080") as installation,
    ):
        return create_app(installation).routes


def document() -> dict[str, Any]:
    """The document of the code."""
    return application().openapi()


def routes() -> list[BaseRoute]:
    """All routes of the application, those without a place in the document included."""
    return application().routes


def text() -> str:
    """The text of the file."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    OPENAPI_FILE.write_text(text())
