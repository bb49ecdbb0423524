"""Users of the embedded server come and go: the first starts it, the last one stops it."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import psycopg
import pytest

from posegen.database.embedded import EmbeddedServer
from tests.embedded_server import StartUser, answers, connect, find_server, keep_answer, kept_answer, run_python


def test_the_first_user_starts_the_server_and_the_last_one_stops_it(home: Path, start_user: StartUser) -> None:
    first, second = start_user(home), start_user(home)
    address = first.address()
    assert second.address() == address

    first.leave()
    assert answers(address)

    second.leave()
    assert find_server(home) is None
    with pytest.raises(psycopg.OperationalError):
        connect(address)


def test_four_users_that_come_at_once_to_an_empty_folder_get_the_same_server(
    new_home: Path, start_user: StartUser
) -> None:
    users = [start_user(new_home) for _ in range(4)]

    addresses = {each.address().port for each in users}

    assert len(addresses) == 1
    for each in users:
        each.leave()
    assert find_server(new_home) is None


def test_data_and_address_stay_over_a_restart(home: Path) -> None:
    with EmbeddedServer(home) as before, connect(before) as connection:
        keep_answer(connection)

    with EmbeddedServer(home) as after, connect(after) as connection:
        assert after == before
        assert kept_answer(connection) == 42


def test_when_the_port_is_taken_another_one_is_used_and_kept(home: Path) -> None:
    with EmbeddedServer(home) as before:
        pass
    with socket.create_server(("127.0.0.1", before.port)), EmbeddedServer(home) as moved:
        assert moved.port != before.port
        assert answers(moved)

    with EmbeddedServer(home) as after:
        assert after.port == moved.port


def test_a_forked_child_does_not_give_back_its_parents_share(home: Path) -> None:
    run_python(FORKING_USER, home)

    assert find_server(home) is None


FORKING_USER = """
import os, sys
from pathlib import Path
from posegen.database.cluster import find_postmaster
from posegen.database.embedded import EmbeddedServer

home = Path(sys.argv[1])
server = EmbeddedServer(home)
server.acquire()
if (child := os.fork()) == 0:
    server.release()
    os._exit(0)
os.waitpid(child, 0)
assert find_postmaster(home / "postgres" / "cluster") is not None, "the child has stopped the server"
server.release()
"""


def test_a_ctrl_c_for_a_users_terminal_does_not_reach_the_server(home: Path, start_user: StartUser) -> None:
    first, second = start_user(home), start_user(home)
    address = first.address()
    second.address()

    os.killpg(first.process.pid, signal.SIGINT)
    first.process.wait()

    assert answers(address)
    second.leave()
