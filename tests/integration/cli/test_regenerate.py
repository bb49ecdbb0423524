"""`posegen regenerate`: exports of an ended generation, made anew from the shell."""

from __future__ import annotations

import pytest

from tests.builders import SLUGS, finished, rows, running


@pytest.fixture
def generation(studio):
    """Two poses with an export each."""
    return finished(studio, poses=SLUGS[:2], formats=["shopee"])


def formats(studio):
    found = rows(
        studio.database,
        "select position, format from exports e join generated_poses p on p.id = e.pose_id order by 1, 2",
    )
    return [(each["position"], each["format"]) for each in found]


def test_a_format_that_it_never_had_is_made_for_one_pose(posegen, studio, generation):
    answer = posegen("regenerate", generation, "--formats", "tiktok", "--poses", 2)

    assert answer.code == 0
    assert "1 exports derived." in answer.out
    assert formats(studio) == [(0, "shopee"), (1, "shopee"), (1, "tiktok")]


def test_everything_or_only_what_is_missing(posegen, studio, generation):
    assert posegen("regenerate", generation, "--json").json == {"derived": 2, "failed": []}
    assert posegen("regenerate", generation, "--missing", "--json").json == {"derived": 0, "failed": []}


def test_what_cannot_be_made_is_named_and_ends_with_one(posegen, studio, generation):
    for image in rows(studio.database, "select key from objects o join generated_poses p on p.image_object = o.id"):
        studio.store.delete(image["key"])

    answer = posegen("regenerate", generation, width=300)

    assert answer.code == 1
    assert f"pose 1 ({SLUGS[0]}) as shopee could not be made" in answer.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--formats", "myspace"], 1, "There is no export format 'myspace'"),
        (["--poses", "9"], 1, "no completed pose 9"),
        (["--poses", "1-2"], 2, "write 1,3,4"),
    ],
)
def test_a_mistake_ends_with_a_sentence(posegen, generation, arguments, code, said):
    answer = posegen("regenerate", generation, *arguments, width=200)

    assert answer.code == code
    assert said in answer.err


def test_a_generation_at_work_has_to_end_first(posegen, studio):
    answer = posegen("regenerate", running(studio.database).id, width=200)

    assert answer.code == 1
    assert "is running: try again when it has ended" in answer.err
