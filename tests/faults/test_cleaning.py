"""Images are deleted and work is retired while other work goes on, and whoever cleans is killed again and again."""

from __future__ import annotations

import random

import pytest

from tests.faults.ground import new_world
from tests.faults.world import Ground, World

SEED = 2026
ROUNDS = 5
DELETED = "select count(*) from generated_poses where images_deleted_at is not null"


def _mark_one(world: World, source: random.Random) -> str | None:
    """A customer marks one of the pictures that can be seen now; its id when they were in time."""
    seen = world.rows("select pose_id from pose_results where image_url is not null and not is_favourite")
    if not seen:
        return None
    pose = source.choice(seen)["pose_id"]
    return pose if world.value("select set_favourite(%s, true)", pose) else None


def _is_clean(world: World) -> bool:
    """Whether nothing is left to delete: what ended and was not marked."""
    left = """
        select count(*) from generated_poses p join generations g on g.id = p.generation_id
        where p.status = 'completed' and p.images_deleted_at is null and not p.is_favourite
    """
    return bool(world.value(left) == 0)


@pytest.fixture
def world(ground: Ground):
    with new_world(ground, "cleaning") as world:
        yield world


def test_cleaning_beside_live_work_loses_nothing_that_is_wanted(world):
    source = random.Random(SEED)
    world.sensor()
    for number in range(2):
        world.run(f"run{number}")
    marked = set()
    for number in range(ROUNDS):
        cleaner = world.cleaner(f"cleaner{number}")
        generations = [world.submit(poses=source.randint(1, 3)) for _ in range(3)]
        world.wait(lambda ended=generations: any(world.status(each) == "completed" for each in ended))
        marked.add(_mark_one(world, source))
        if number % 2:
            # While a busy machine looks, the cleaner may have come to the last one.
            before = world.value(DELETED)
            world.wait(lambda before=before: world.value(DELETED) > before or (world.all_ended() and _is_clean(world)))
        cleaner.kill()
    world.cleaner("last")
    world.wait(lambda: world.all_ended() and _is_clean(world))
    retired = "select count(*) from generations where retired_at is null"
    world.wait(lambda: world.value(retired) == 0)

    evidence = world.look()

    assert evidence.clean, evidence
    kept = world.rows("select p.id, o.key from generated_poses p join objects o on o.id = p.image_object")
    assert {row["id"] for row in kept} == marked - {None} != set()
    assert all(world.store.exists(row["key"]) for row in kept)
    assert evidence.objects == len(kept) * 3, "image, thumbnail and one export of each that was marked"
    assert world.value("select count(*) from events") == 0
