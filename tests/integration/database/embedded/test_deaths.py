"""Anything may be killed at any time: users, the server, its backends, the making of its data directory."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import psycopg

from posegen.database.embedded import EmbeddedServer
from posegen.file_locks import wait_until
from tests.embedded_server import (
    AS_ROOT,
    Connection,
    StartUser,
    answers,
    cluster_folder,
    connect,
    find_server,
    keep_answer,
    kept_answer,
    kill_server,
    lives,
    needs_linux,
    run_python,
    running,
)


def test_a_killed_user_harms_nobody_and_the_last_one_still_stops_the_server(home: Path, start_user: StartUser) -> None:
    first, second = start_user(home), start_user(home)
    address = first.address()
    second.address()

    first.kill()
    assert answers(address)

    second.leave()
    assert find_server(home) is None


def test_a_server_whose_last_user_was_killed_is_taken_over(home: Path, start_user: StartUser) -> None:
    last = start_user(home)
    last.address()
    last.kill()
    abandoned = running(home)

    with EmbeddedServer(home) as address:
        assert running(home) == abandoned
        assert answers(address)
    assert find_server(home) is None


def test_after_the_death_of_the_server_the_next_user_starts_it_again_with_all_that_was_committed(home: Path) -> None:
    server = EmbeddedServer(home)
    address = server.acquire()
    with connect(address) as connection:
        keep_answer(connection)
        backend = connection.info.backend_pid
        kill_server(home)

        with EmbeddedServer(home) as again:
            assert again == address
            assert not lives(backend)
            with connect(again) as fresh:
                assert kept_answer(fresh) == 42
            assert server.ensure_running() == address

    assert answers(address), "the first user still holds its share"
    server.release()
    assert find_server(home) is None


def test_a_long_lived_user_repairs_the_server(home: Path) -> None:
    with EmbeddedServer(home) as address:
        pass
    server = EmbeddedServer(home)
    server.acquire()
    kill_server(home)

    assert server.ensure_running() == address
    assert answers(address)
    server.release()


@needs_linux
def test_a_backend_that_does_not_notice_the_death_of_the_server_is_ended(home: Path) -> None:
    server = EmbeddedServer(home, remnant_patience=0.3, patience=10)
    address = server.acquire()
    with connect(address) as connection, connect(address) as watcher:
        backend = connection.info.backend_pid
        busy = threading.Thread(target=loop_for_ever, args=[connection])
        busy.start()
        try:
            assert wait_until(lambda: state_of(watcher, backend) == "active", time.monotonic() + 180)
            kill_server(home)

            assert answers(server.ensure_running())
            assert not lives(backend)
        finally:
            with suppress(ProcessLookupError):
                os.kill(backend, signal.SIGKILL)
            busy.join(timeout=180)
    server.release()


def loop_for_ever(connection: Connection) -> None:
    with suppress(psycopg.Error):
        connection.execute("do $$ begin loop end loop; end $$")


def state_of(watcher: Connection, backend: int) -> object:
    row = watcher.execute("select state from pg_stat_activity where pid = %s", [backend]).fetchone()
    return row and row[0]


@needs_linux
def test_a_dead_server_that_nobody_reaps_counts_as_dead(home: Path) -> None:
    run_python(NEGLIGENT_USER, home)

    assert find_server(home) is None


# As a subreaper it inherits the server's processes when they die, and never asks for them.
NEGLIGENT_USER = """
import ctypes, os, signal, sys, time
from pathlib import Path
from posegen.database.cluster import find_postmaster
from posegen.database.embedded import EmbeddedServer
from posegen.file_locks import wait_until
from tests.embedded_server import answers, is_zombie

PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
home = Path(sys.argv[1])
server = EmbeddedServer(home)
server.acquire()
dead = find_postmaster(home / "postgres" / "cluster").pid
os.kill(dead, signal.SIGKILL)
assert wait_until(lambda: is_zombie(dead), time.monotonic() + 180)
assert answers(server.ensure_running())
assert is_zombie(dead)
server.release()
"""


def test_a_stranger_with_the_number_of_a_dead_server_is_not_taken_for_it(home: Path) -> None:
    with EmbeddedServer(home) as address:
        kill_server(home)
        data = cluster_folder(home) / "data"
        owner = data.stat().st_uid
        stranger = subprocess.Popen(["sleep", "60"], user=owner if AS_ROOT else None, cwd="/")
        content = (data / "postmaster.pid").read_text().splitlines()
        (data / "postmaster.pid").write_text("\n".join([str(stranger.pid), *content[1:]]) + "\n")

        with EmbeddedServer(home) as again:
            assert again == address
            assert answers(again)
        stranger.kill()
        stranger.wait()


def test_a_user_killed_while_the_data_directory_is_made_leaves_nothing_in_the_way(
    new_home: Path, start_user: StartUser
) -> None:
    first = start_user(new_home)
    unfinished = new_home / "postgres" / "cluster" / "data.unfinished"
    assert wait_until((unfinished / "base").exists, time.monotonic() + 180)
    first.kill()
    assert not (new_home / "postgres" / "cluster" / "data").exists()

    with EmbeddedServer(new_home) as address:
        assert answers(address)
    assert not unfinished.exists()
