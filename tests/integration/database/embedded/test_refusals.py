"""What the embedded server cannot work with, and what it says then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from posegen.database.embedded import EmbeddedServer
from posegen.errors import EmbeddedServerFailed
from tests.embedded_server import answers, cluster_folder


def test_a_folder_that_cannot_be_written_is_named_together_with_the_way_out() -> None:
    with pytest.raises(EmbeddedServerFailed, match=r"/proc/posegen/postgres.*POSEGEN_HOME"):
        EmbeddedServer(Path("/proc/posegen")).acquire()


def test_data_of_another_major_version_are_refused_and_kept(home: Path) -> None:
    version = cluster_folder(home) / "data" / "PG_VERSION"

    with (
        changed(version, "12\n"),
        pytest.raises(EmbeddedServerFailed, match=r"made by PostgreSQL 12.*pg_dumpall"),
    ):
        EmbeddedServer(home).acquire()

    assert (version.parent / "base").exists()


def test_a_server_that_does_not_start_shows_the_end_of_its_log(home: Path) -> None:
    configuration = cluster_folder(home) / "data" / "postgresql.conf"

    with (
        changed(configuration, "no_such_setting = 1\n"),
        pytest.raises(EmbeddedServerFailed, match=r"postgres\.log(.|\n)*no_such_setting"),
    ):
        EmbeddedServer(home).acquire()


@pytest.mark.parametrize("content", [None, "{", '{"port": 1}'], ids=["missing", "damaged", "incomplete"])
def test_without_the_kept_password_the_data_are_left_alone(home: Path, content: str | None) -> None:
    kept = home / "postgres" / "connection.json"

    with changed(kept, content), pytest.raises(EmbeddedServerFailed, match=r"connection\.json"):
        EmbeddedServer(home).acquire()

    with EmbeddedServer(home) as address:
        assert answers(address)


@contextmanager
def changed(file: Path, content: str | None) -> Iterator[None]:
    """The file with other content, or gone, for the length of the block."""
    before = file.read_text()
    file.unlink() if content is None else file.write_text(content)
    try:
        yield
    finally:
        file.write_text(before)
