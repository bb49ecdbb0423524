"""A database at an earlier migration."""

from __future__ import annotations

from alembic import command
from alembic.config import Config

from posegen.database import migrate


def upgrade_to(url: str, migration: str) -> None:
    """Run the numbered migrations up to this one, as a version did that had no later ones."""
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    with migrate._connect(url) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, migration)
