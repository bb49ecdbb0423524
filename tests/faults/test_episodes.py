"""A crew at work while everything that can break does: each kind of fault once, in an order that the seed decides.

`python -m benchmarks.faults` does the same for as long as you like.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.faults.soak import Episode, drawn_kinds, kinds_here, play_episode
from tests.faults.world import Ground

SEED = "2026"
EPISODES = 3


@pytest.fixture(scope="module")
def episodes(ground: Ground) -> Iterator[list[Future[Episode]]]:
    """All at once: when PostgreSQL goes down, it does so for everybody."""
    kinds = drawn_kinds(SEED, len(kinds_here()), kinds_here())
    with ThreadPoolExecutor(EPISODES, thread_name_prefix="episode") as threads:
        yield [
            threads.submit(play_episode, ground, f"{SEED}.{number}", kinds[number::EPISODES])
            for number in range(EPISODES)
        ]


@pytest.mark.parametrize("number", range(EPISODES))
def test_through_every_kind_of_fault_every_promise_is_kept(episodes, number):
    episode = episodes[number].result()

    print(episode)
    assert episode.evidence.clean, episode
    assert episode.evidence.poses >= 10, "there was something to lose"
    assert all(seconds < 60 for _, seconds in episode.evidence.recoveries)
