"""Materialising `exports` again for an ended generation: what the run config names, and nothing else."""

from __future__ import annotations

import pytest

from tests.builders import SLUGS, a_user, credits, finished, rows


@pytest.fixture
def user(studio):
    return a_user(studio.database)


@pytest.fixture
def generation(studio, deployment, user):
    """Two poses with an export each, made by the run of another day."""
    made = finished(studio, user, poses=SLUGS[:2], formats=["shopee"])
    deployment.put_manifest(made)
    return made


def formats(studio):
    found = rows(
        studio.database,
        "select position, format from exports e join generated_poses p on p.id = e.pose_id order by 1, 2",
    )
    return [(each["position"], each["format"]) for each in found]


def test_one_format_of_one_pose(studio, deployment, generation, user):
    paid = credits(studio.database, user)

    run = deployment.generate(generation, only=["exports"], exports_config={"formats": ["tiktok"], "poses": [2]})

    assert run.succeeded, run.errors
    assert run.metadata("exports")["derived in this run"] == 1
    assert formats(studio) == [(0, "shopee"), (1, "shopee"), (1, "tiktok")]
    assert credits(studio.database, user) == paid


def test_everything_again(studio, deployment, generation):
    run = deployment.generate(generation, only=["exports"], exports_config={"again": True})

    assert run.metadata("exports")["derived in this run"] == 2


def test_a_pose_that_does_not_exist_is_refused_in_words(studio, deployment, generation):
    run = deployment.generate(generation, only=["exports"], exports_config={"poses": [3]})

    assert not run.succeeded
    assert run.refusals == ["There is no completed pose 3; it has 1, 2."]
