"""The first schema: tables and constraints in one file, guards, functions and views in the other.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

_HERE = Path(__file__).parent


def upgrade() -> None:
    for part in ("0001_tables.sql", "0001_functions.sql"):
        op.get_bind().connection.cursor().execute((_HERE / part).read_text())


def downgrade() -> None:
    raise RuntimeError("The first schema is not taken back: drop the database instead.")
