"""Schemas of other versions: a database at an earlier migration, and a program with other views and functions."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config

from posegen.database import migrate
from posegen.database.definitions import EDITION_FILE


def upgrade_to(url: str, migration: str) -> None:
    """Run the numbered migrations up to this one, as a version did that had no later ones."""
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    with migrate._connect(url) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, migration)


@dataclass(frozen=True)
class OtherVersion:
    """A copy of the migrations, to be changed."""

    folder: Path

    @classmethod
    def copied_to(cls, folder: Path) -> OtherVersion:
        shutil.copytree(migrate.MIGRATIONS, folder)
        return cls(folder)

    def define(self, file: str, text: str) -> None:
        """Write a file of the definitions, such as `views/pose_results`."""
        (self.folder / "repeatable" / f"{file}.sql").write_text(text)

    def edit(self, file: str, old: str, new: str) -> None:
        """Change a file of the definitions."""
        path = self.folder / "repeatable" / f"{file}.sql"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def migrate(self, *statements: str) -> None:
        """Add a migration."""
        (self.folder / "versions" / "9000_added.py").write_text(
            f"from alembic import op\n\nrevision = '9000'\ndown_revision = {self._newest!r}\n\n"
            f"def upgrade():\n    for statement in {statements!r}:\n        op.execute(statement)\n"
        )

    def number(self, edition: int) -> None:
        """Set the number of the definitions."""
        (self.folder / "repeatable" / EDITION_FILE).write_text(f"{edition} digest\n")

    @property
    def _newest(self) -> str:
        return max(path.name[:4] for path in (self.folder / "versions").glob("*.py"))
