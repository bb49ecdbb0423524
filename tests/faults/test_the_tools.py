"""What the fault tests are made with does what it says: a tool that breaks nothing would prove nothing."""

from __future__ import annotations

import http.client
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from posegen.backends.protocol import Recipe
from posegen.errors import BackendUnavailable, ImageInvalid
from posegen.poses.avatar import Avatar
from posegen.poses.library import LIBRARY
from tests.backends import painted
from tests.faults.disks import PrivateDisk, private_disks_work
from tests.faults.far_end import FarEnd, HostedBackend
from tests.faults.ground import new_world
from tests.faults.injections import KINDS
from tests.faults.soak import drawn_kinds
from tests.tcp_fault_proxy import CommitFault, TcpFaultProxy


@pytest.fixture(scope="module")
def world(ground):
    with new_world(ground, "tools") as world:
        yield world


@pytest.fixture
def proxy(ground):
    with TcpFaultProxy(ground.address) as proxy:
        yield proxy


# --- the way to the database --------------------------------------------------------------------------------------


def through(world, proxy):
    return psycopg.connect(world.url_through(proxy), connect_timeout=180)


def test_a_proxy_passes_everything_on(world, proxy):
    with through(world, proxy) as connection:
        (answer,) = connection.execute("select repeat('x', 1000000)").fetchone()

    assert answer == "x" * 1_000_000


def test_what_is_reset_is_gone_and_the_next_connection_works(world, proxy):
    with through(world, proxy) as connection:
        connection.execute("select 1")
        assert proxy.reset() == 1
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")

    with through(world, proxy) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_who_is_refused_gets_no_connection_until_it_is_healed(world, proxy):
    proxy.refuse()
    with pytest.raises(psycopg.OperationalError):
        through(world, proxy)

    proxy.heal()
    through(world, proxy).close()


def test_in_a_blackhole_nothing_arrives_and_everything_does_when_it_is_healed(world, proxy):
    with through(world, proxy) as connection, ThreadPoolExecutor(1) as thread:
        connection.execute("select 1")
        proxy.blackhole()
        answer = thread.submit(connection.execute, "select 42")
        with pytest.raises(TimeoutError):
            answer.result(0.3)

        proxy.heal()
        assert answer.result(180).fetchone() == (42,)


@pytest.mark.parametrize(
    ("fault", "counts"), [(CommitFault.LOSE_THE_ANSWER, True), (CommitFault.LOSE_THE_COMMIT, False)]
)
def test_a_commit_is_lost_before_or_after_it_counts(world, proxy, fault, counts):
    name = f"somebody {fault.value}"
    proxy.fault_next_commit(fault, marker=name.encode())
    with through(world, proxy) as connection:
        connection.execute("select 1")
        connection.commit()
        connection.execute("insert into users (name) values (%s)", [name])
        with pytest.raises(psycopg.OperationalError):
            connection.commit()

    assert proxy.commit_was_faulted(5)
    world.wait(lambda: bool(world.rows("select from users where name = %s", name)) == counts)


# --- the rendering service ----------------------------------------------------------------------------------------


@pytest.fixture
def far_end():
    with FarEnd() as far_end:
        yield far_end


def a_recipe(seed=7):
    pose = LIBRARY[0]
    return Recipe("mannequin", "hosted-1", pose.specification, pose.slug, Avatar(), "", seed)


def test_the_service_draws_and_counts(far_end):
    backend = HostedBackend(far_end.port)

    assert (backend.render(a_recipe(7)).pixels == painted(7)).all()
    backend.render(a_recipe(7))

    assert far_end.counts() == {7: 2}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("429", BackendUnavailable),
        ("500", BackendUnavailable),
        ("reset", BackendUnavailable),
        ("hang", BackendUnavailable),
        ("truncated", ImageInvalid),
        ("another picture", ImageInvalid),
    ],
)
def test_the_service_misbehaves_when_told_to(far_end, answer, error):
    far_end.answer_next(answer)
    backend = HostedBackend(far_end.port, seconds=0.5 if answer == "hang" else 60)

    with pytest.raises(error):
        backend.render(a_recipe())

    assert HostedBackend(far_end.port).render(a_recipe()).pixels.shape == (1024, 1024, 3)


def test_a_refusal_says_when_to_come_again(far_end):
    far_end.answer_next("429")
    connection = http.client.HTTPConnection("127.0.0.1", far_end.port, timeout=180)
    connection.request("POST", "/", a_recipe().canonical())

    answer = connection.getresponse()

    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    connection.close()


def test_a_picture_of_the_wrong_size_is_smaller(far_end):
    far_end.answer_next("wrong size")

    assert HostedBackend(far_end.port).render(a_recipe()).pixels.shape == (512, 512, 3)


# --- the disk -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not private_disks_work(), reason="this system lets us mount no disk of our own")
def test_a_disk_fills_up_and_turns_read_only_and_is_gone_afterwards(tmp_path):
    with PrivateDisk(tmp_path / "disk", megabytes=1) as disk:
        file = disk.seen_from_outside / "file"
        assert disk.fill() == 1_048_576
        with pytest.raises(OSError, match="No space left"):
            file.write_bytes(b"some")
        disk.make_room()
        file.write_bytes(b"some")

        disk.make_read_only()
        with pytest.raises(OSError, match="Read-only"):
            file.write_bytes(b"more")
        disk.make_writable()
        file.write_bytes(b"more")

        assert list((tmp_path / "disk").iterdir()) == [], "nobody else sees it"


# --- seeds --------------------------------------------------------------------------------------------------------


def test_a_seed_draws_the_same_faults_again_and_all_kinds_before_one_twice():
    assert drawn_kinds("7", 40, list(KINDS)) == drawn_kinds("7", 40, list(KINDS))
    assert drawn_kinds("7", 40, list(KINDS)) != drawn_kinds("8", 40, list(KINDS))
    assert set(drawn_kinds("7", len(KINDS), list(KINDS))) == set(KINDS)
