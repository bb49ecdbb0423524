"""Several writers and readers of one store at the same time."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, Event

import pytest

from posegen.errors import ObjectExists, StorageError
from posegen.storage.protocol import ObjectInfo, ObjectStore
from tests.stores import KEY, keys_in, put

WRITERS = 8


def rounds(store: ObjectStore) -> int:
    """SeaweedFS lets those that meet on one key wait for a second each."""
    return 10 if store.name == "local" else 1


def all_at_once(work: Callable[[int], object]) -> list[object]:
    """Runs the work in threads that start together; errors come back as answers."""
    barrier = Barrier(WRITERS)

    def one(number: int) -> object:
        barrier.wait(timeout=180)
        try:
            return work(number)
        except StorageError as error:
            return error

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(one, range(WRITERS)))


@pytest.mark.parametrize("as_stream", [False, True], ids=["bytes", "stream"])
def test_of_many_creators_of_one_key_exactly_one_wins(store: ObjectStore, as_stream: bool) -> None:
    bodies = [bytes([65 + number]) * 200_000 for number in range(WRITERS)]

    def create(key: str, number: int) -> ObjectInfo:
        return put(store, key, io.BytesIO(bodies[number]) if as_stream else bodies[number])

    for round_number in range(rounds(store)):
        key = f"poses/g{round_number}/p.png"

        answers = all_at_once(partial(create, key))

        winners = [number for number, answer in enumerate(answers) if isinstance(answer, ObjectInfo)]
        assert len(winners) == 1
        assert sum(isinstance(answer, ObjectExists) for answer in answers) == WRITERS - 1
        assert store.get(key) == bodies[winners[0]]


def test_many_creators_of_the_same_bytes_all_succeed(store: ObjectStore) -> None:
    def create(key: str, number: int) -> ObjectInfo:
        return put(store, key, b"same" * 50_000)

    for round_number in range(rounds(store)):
        answers = all_at_once(partial(create, f"poses/g{round_number}/p.png"))

        assert len(set(answers)) == 1
        assert isinstance(answers[0], ObjectInfo)


def test_a_reader_never_sees_half_of_a_replacement(store: ObjectStore) -> None:
    bodies = [bytes([65 + number]) * 300_000 for number in range(WRITERS)]
    put(store, data=bodies[0])
    done = Event()

    def read_on() -> set[bytes]:
        seen = set()
        while not done.is_set():
            seen.add(store.get(KEY))
        return seen

    with ThreadPoolExecutor(1) as reader:
        seen = reader.submit(read_on)
        try:
            for _ in range(5):
                all_at_once(lambda n: put(store, KEY, bodies[n], create_only=False))
        finally:
            done.set()

    assert seen.result(timeout=180) <= set(bodies)


def test_puts_and_deletes_in_one_folder_do_not_disturb_each_other(store: ObjectStore) -> None:
    """A delete tidies up the empty folder that a put is about to use."""

    def come_and_go(number: int) -> int:
        for turn in range(40):
            key = f"poses/shared/p{number}-{turn}.png"
            put(store, key, b"x")
            assert store.get(key) == b"x"
            store.delete(key)
        return number

    assert all_at_once(come_and_go) == list(range(WRITERS))
    assert keys_in(store) == []
