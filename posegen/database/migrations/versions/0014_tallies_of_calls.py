"""Tallies may be of calls, too: a scrape of `/metrics` does not count every call that was ever made.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"

_STATEMENTS = """
alter table tallies drop constraint tallies_name_check, add constraint tallies_name_check
    check (name in ('finished', 'failed', 'requeued', 'calls', 'calls_micro_usd', 'calls_delivered', 'calls_ms'));
comment on table tallies is 'counts up to tally_mark: finished by status, failed by error code, requeued by reason; '
    'calls by backend and state, their cost by backend and source, their files and times by backend';
"""


def upgrade() -> None:
    op.get_bind().connection.cursor().execute(_STATEMENTS)


def downgrade() -> None:
    raise RuntimeError("Migrations are not taken back: restore a backup instead.")
