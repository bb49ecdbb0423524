"""What `posegen demo` says, and that its exit code is 0 only when everything is as it says."""

from __future__ import annotations

import re
import threading

import pytest

from posegen.cli import demo
from posegen.generations.asking import claims
from posegen.generations.making import outcomes
from posegen.generations.making.exports import derive_exports
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.poses import make_poses
from posegen.images.validation import open_image
from posegen.running_platform import hold_home
from posegen.work.keeper import LeaseKeeper
from tests.builders import execute, started, take_in, value
from tests.concurrency import until


@pytest.fixture(autouse=True)
def _is_up(home):
    """As if `posegen up` served the folder; `worker` does its work."""
    with hold_home(home, "http://127.0.0.1:9"):
        yield


@pytest.fixture
def worker(studio):
    """Makes what the demonstration asks for; calls `before_the_end` when all files are there."""
    worker = Worker(studio)
    thread = threading.Thread(target=worker.work)
    thread.start()
    yield worker
    thread.join(180)


@pytest.fixture
def fewer_requests(monkeypatch):
    """The first request and the refused one, for tests of what is wrong with one of them."""
    monkeypatch.setattr(demo, "REQUESTS", (demo.REQUESTS[0], demo.REQUESTS[-1]))


class Worker:
    def __init__(self, studio):
        self.studio = studio
        self.before_the_end = lambda: None

    def work(self):
        database = self.studio.database
        until(lambda: value(database, "select count(*) from generations") == len(demo.REQUESTS))
        take_in(database)
        for claim in claims.claim_next(database, most_running=10):
            lease = started(database, claim)
            with LeaseKeeper(database, GENERATIONS.queue, [lease], lease_seconds=60) as keeper:
                make_poses(self.studio, lease, keeper)
                derive_exports(self.studio, claim.id, lease, keeper)
                self.before_the_end()
                outcomes.finish_generation(database, lease)


def test_every_file_that_it_names_is_there_and_none_of_an_earlier_one_and_the_sums_are_right(posegen, home, worker):
    (home / "demo" / "generation-9").mkdir(parents=True)

    answer = posegen("demo", width=120)

    assert answer.code == 0
    assert "Credits: 1000 before, 730 after; 270 spent, 0 held." in answer.out
    counted = re.findall(r"(completed|failed) +(\d)/\d +(\d+)", answer.out)
    assert sorted(counted) == [
        ("completed", "1", "12"),
        ("completed", "3", "0"),
        ("completed", "5", "10"),
        ("failed", "0", "0"),
    ]
    assert "nothing charged: invalid_request: There is no pose 'flying-carpet'" in answer.out
    assert not (home / "demo" / "generation-9").exists()
    files = list((home / "demo").rglob("*.*"))
    assert len(files) == 1 + 9 * 2 + 22
    for file in files:
        open_image(file.read_bytes())


def test_a_damaged_file_is_no_success(posegen, fewer_requests, store, worker):
    def damage():
        for entry in list(store.list("exports/"))[:1]:
            store.put(entry.key, b"damaged", content_type="image/jpeg", create_only=False)

    worker.before_the_end = damage

    answer = posegen("demo")

    assert answer.code == 1
    assert "error: " in answer.err
    assert "exports/" in answer.err


def test_a_file_that_is_gone_is_no_success(posegen, fewer_requests, store, worker):
    worker.before_the_end = lambda: store.delete(*[entry.key for entry in store.list("thumbnails/")])

    assert posegen("demo").code == 1


def test_a_request_that_ends_otherwise_is_no_success(posegen, fewer_requests, backend, worker):
    backend.before_each = lambda recipe: 1 / 0 if recipe.pose == "star-jump" else None

    answer = posegen("demo")

    assert answer.code == 1
    assert "five poses for Instagram and TikTok: partial" in answer.err
    assert "instead of completed" in answer.err
    assert "`posegen doctor`" in answer.err


def test_a_refused_request_that_was_charged_is_no_success(posegen, fewer_requests, worker):
    def charge():
        execute(
            worker.studio.database,
            "insert into holds (generation_id, user_id, amount, captured) select id, user_id, 30, 30 from generations "
            "where status = 'failed' on conflict do nothing",
        )

    worker.before_the_end = charge

    answer = posegen("demo")

    assert answer.code == 1
    assert "Refused, and 30 charged" in answer.out
    assert "30 credits were charged for it" in answer.err


def test_what_never_ends_is_given_up_and_no_success(posegen, monkeypatch):
    monkeypatch.setattr(demo, "LONGEST_SECONDS", 0.5)

    answer = posegen("demo")

    assert answer.code == 1
    assert answer.err.count("submitted instead of") == 4
