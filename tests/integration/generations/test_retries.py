"""Retries: what failed or was cancelled is made again, and nothing else."""

from __future__ import annotations

from uuid import uuid4

import pytest

from posegen.errors import GenerationUnknown, IdempotencyConflict, RequestRefused
from posegen.generations import service
from posegen.generations.asking import claims
from posegen.generations.asking.requests import GenerationRequest
from tests.builders import (
    PRICE,
    SLUGS,
    a_request,
    a_user,
    cancel_generation,
    credits,
    execute,
    finished,
    open_poses,
    queued,
    result,
    rows,
    started,
    status,
    take_in,
    value,
    work,
)

KEPT = "library_pose, variation, seed, prompt_used, control_weight, backend, price"
AVATAR = {"hair": "bob_brown"}


def poses(database, generation, columns=KEPT):
    return rows(
        database, f"select {columns} from generated_poses where generation_id = %s order by position", generation
    )


@pytest.fixture
def cancelled(studio):
    """Three of four poses were cancelled."""
    database, user = studio.database, a_user(studio.database)
    generation = queued(
        database, user, poses=SLUGS[:2], variations=2, prompt="at dusk", avatar=AVATAR, formats=["tiktok"], fit="cover",
        project_id="summer", group_name="one", private=True, priority=2,
    )  # fmt: skip
    cancel_generation(database, generation, actor="Ayu")
    return database, user, generation


def retried(database, generation, **named):
    again = service.retry(database, generation, **named).generation_id
    take_in(database)
    return again


def test_a_retry_plans_the_poses_that_were_not_made(cancelled):
    database, user, generation = cancelled
    with database.transaction() as connection:
        connection.execute("set local session_replication_role = replica")
        statement = """
            update generated_poses set status = 'completed', recipe_hash = repeat('0', 64), completed_at = now(),
                delete_after = now(), delete_reason = 'asked', images_deleted_at = now()
            where generation_id = %s and position = 1
        """
        connection.execute(statement, [generation])

    again = retried(database, generation)

    earlier = poses(database, generation)
    assert poses(database, again) == [earlier[0], *earlier[2:]]
    assert [pose["position"] for pose in poses(database, again, "position")] == [0, 1, 2]
    made = result(database, again)
    assert (made["status"], made["retry_of"], made["poses_total"]) == ("queued", generation, 3)
    kept = ("user_id", "formats", "project_id", "group_name", "private", "backend")
    assert {name: made[name] for name in kept} == {name: result(database, generation)[name] for name in kept}
    assert value(database, "select fit from generations where id = %s", again) == "cover"
    assert value(database, "select priority from generations where id = %s", again) == 2
    assert credits(database, user)[1] == 3 * PRICE


def test_a_retry_of_a_retry_has_the_first_avatar(cancelled):
    database, _, generation = cancelled
    again = retried(database, generation)
    cancel_generation(database, again, actor="Ayu")

    third = retried(database, again)

    assert [pose.avatar for pose in open_poses(database, third)] == [AVATAR] * 4
    assert poses(database, third) == poses(database, generation)


def test_a_retry_is_made_like_any_request(studio, cancelled):
    database, _, generation = cancelled
    again = retried(database, generation)

    (claim,) = claims.claim_next(database, most_running=1)
    work(studio, started(database, claim))

    assert status(database, again) == "completed"
    assert {tuple(pose.exports) for pose in service.pose_results(database, again)} == {("tiktok",)}


def test_a_retry_may_name_other_formats(cancelled):
    database, _, generation = cancelled

    again = retried(database, generation, formats=["shopee"])

    assert result(database, again)["formats"] == ["shopee"]


def test_a_retry_of_a_private_generation_is_private_whatever_its_request_says(cancelled):
    database, user, generation = cancelled

    again = a_request(database, user, poses=[], retry_of=generation)
    take_in(database)

    assert result(database, again)["private"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("poses", SLUGS[:1]), ("categories", ["yoga"]), ("prompt", "x"), ("avatar", AVATAR), ("variations", 2),
        ("seed", 1), ("backend", "mannequin"), ("control_weight", 0.5), ("negative_prompt", "x"),
        ("allow_degraded", True), ("control_kind", "depth"), ("control_image", "x"), ("control_start", 0.1),
        ("control_end", 0.9),
    ],
)  # fmt: skip
def test_a_column_that_contradicts_a_retry_is_named(cancelled, name, said):
    database, user, generation = cancelled

    again = a_request(database, user, **{"poses": [], "retry_of": generation, name: said})
    take_in(database)

    ended = result(database, again)
    assert ended["error_code"] == "invalid_request"
    assert ended["error_detail"] == f"A retry takes {name} from the earlier generation: leave it out."


def test_only_an_ended_generation_of_the_same_user_with_something_left_is_retried(studio, cancelled):
    database, user, generation = cancelled
    whole, open_one = finished(studio, user), queued(database, user)
    refused = {
        a_request(database, user, poses=[], retry_of=open_one): "is queued: retry it when it has ended",
        a_request(database, user, poses=[], retry_of=whole): "has no failed or cancelled pose",
        a_request(database, a_user(database), poses=[], retry_of=generation): "has no generation",
    }

    take_in(database)

    for again, words in refused.items():
        assert words in result(database, again)["error_detail"]
    for each in (open_one, whole):
        with pytest.raises(RequestRefused):
            service.retry(database, each)
    with pytest.raises(GenerationUnknown):
        service.retry(database, uuid4())
    with pytest.raises(RequestRefused, match="retry_of"):
        service.submit(database, user, GenerationRequest(retry_of=uuid4()))


def test_a_library_pose_that_is_gone_is_named(cancelled):
    database, _, generation = cancelled
    execute(database, "update library_poses set enabled = false where slug = %s", SLUGS[1])

    again = retried(database, generation)

    assert f"There is no pose '{SLUGS[1]}'" in result(database, again)["error_detail"]


def test_a_retry_with_a_key_is_stored_once(cancelled):
    database, _, generation = cancelled

    first = service.retry(database, generation, idempotency_key="again")
    second = service.retry(database, generation, idempotency_key="again")

    assert (first.generation_id, first.replayed) == (second.generation_id, False)
    assert second.replayed
    with pytest.raises(IdempotencyConflict):
        service.retry(database, generation, formats=["shopee"], idempotency_key="again")
