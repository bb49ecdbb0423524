"""Comments of columns in plain words.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"

_STATEMENTS = """
comment on column doomed_objects.deleted_at is
    'when the object was deleted; the row stays some days: a worker that refers to the object has to store it again';
comment on column objects.generation_id is 'whose quota it counts against; none for what counts against no quota';
"""


def upgrade() -> None:
    op.get_bind().connection.cursor().execute(_STATEMENTS)


def downgrade() -> None:
    raise RuntimeError("Migrations are not taken back: restore a backup instead.")
