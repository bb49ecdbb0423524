"""Trying again, by a clock that the test turns."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from posegen.errors import ObjectCorrupt, StoreDenied, StoreUnavailable
from posegen.storage.configuration import RequestLimits
from posegen.storage.s3_attempts import Attempts
from tests.concurrency import at_once

LIMITS = RequestLimits(request=10.0, total=60.0, first_pause=1.0, longest_pause=8.0, at_once=2)
BUSY = GenericError("status code: 503 Slow Down: <Code>SlowDown</Code>")


class World:
    """A clock, and requests that take time on it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self.attempts: list[int] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def request(self, *outcomes: Exception | str, takes: float = 0.0) -> Callable[[int], str]:
        left = list(outcomes)

        def run(attempt: int) -> str:
            self.attempts.append(attempt)
            self.now += takes
            outcome = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return run


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def attempts(world: World) -> Attempts:
    return Attempts(LIMITS, store="s3", clock=lambda: world.now, sleep=world.sleep, chance=lambda: 1.0)


def test_what_succeeds_is_asked_once(attempts: Attempts, world: World) -> None:
    assert attempts.run(world.request("answer"), "k") == "answer"
    assert world.attempts == [0]


def test_pauses_grow_up_to_the_longest(attempts: Attempts, world: World) -> None:
    attempts.run(world.request(*[BUSY] * 5, "answer"), "k")

    assert world.pauses == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert world.attempts == [0, 1, 2, 3, 4, 5]


def test_pauses_are_cut_to_a_random_part_of_at_least_a_half(world: World) -> None:
    for chance, pause in ((0.0, 0.5), (0.5, 0.75), (1.0, 1.0)):
        world.pauses.clear()
        Attempts(
            LIMITS, store="s3", clock=lambda: world.now, sleep=world.sleep, chance=lambda chance=chance: chance
        ).run(world.request(BUSY, "answer"), "k")
        assert world.pauses == [pause]


@pytest.mark.parametrize("takes", [0.0, 3.0, 10.0])
def test_no_attempt_is_begun_that_could_not_end_in_time(attempts: Attempts, world: World, takes: float) -> None:
    with pytest.raises(StoreUnavailable, match=r"503 SlowDown\. Given up after \d+ attempts\.") as raised:
        attempts.run(world.request(BUSY, takes=takes), "poses/a.png")

    assert world.now <= LIMITS.total
    assert world.now + LIMITS.longest_pause + LIMITS.request > LIMITS.total
    assert (raised.value.store, raised.value.key) == ("s3", "poses/a.png")


def test_one_attempt_is_always_made(world: World) -> None:
    hurried = RequestLimits(request=10.0, total=1.0)

    with pytest.raises(StoreUnavailable, match=r"Given up after 1 attempt\."):
        Attempts(hurried, store="s3", clock=lambda: world.now, sleep=world.sleep).run(world.request(BUSY), "k")


def test_what_does_not_pass_is_not_repeated(attempts: Attempts, world: World) -> None:
    with pytest.raises(StoreDenied) as raised:
        attempts.run(world.request(PermissionDeniedError("status code: 403 <Code>AccessDenied</Code>")), "k")

    assert world.attempts == [0]
    assert "Given up" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_corrupt_bytes_are_read_three_times(attempts: Attempts, world: World) -> None:
    corrupt = ObjectCorrupt("other bytes", store="s3", key="k")

    assert attempts.run(world.request(corrupt, corrupt, "answer"), "k") == "answer"
    with pytest.raises(ObjectCorrupt):
        attempts.run(world.request(corrupt), "k")

    assert world.attempts == [0, 1, 2, 0, 1, 2]


def test_a_mistake_of_ours_goes_through(attempts: Attempts, world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        attempts.run(world.request(ZeroDivisionError()), "k")


def test_no_more_requests_are_under_way_than_allowed() -> None:
    under_way, most, lock = [0], [0], threading.Lock()
    both = threading.Barrier(LIMITS.at_once)

    def request(_: int) -> None:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        both.wait(180)  # two are let in together, six times
        with lock:
            under_way[0] -= 1

    attempts = Attempts(LIMITS, store="s3")
    at_once([lambda: attempts.run(request, "k")] * 12)

    assert most == [LIMITS.at_once]


def test_a_store_that_is_kept_busy_says_so() -> None:
    busy = Attempts(RequestLimits(total=0.01, at_once=1), store="s3")

    def while_one_is_under_way(_: int) -> None:
        busy.run(lambda _: None, "k")

    with pytest.raises(StoreUnavailable, match="have kept the store busy"):
        busy.run(while_one_is_under_way, "k")
