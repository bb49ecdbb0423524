"""What doors ask of generations and accounts: typed results, and one rule for which poses are meant."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from uuid import uuid4

import pytest

from posegen.accounts import service as accounts
from posegen.errors import (
    GenerationUnknown,
    NothingToDelete,
    NothingToRefund,
    NothingToRestore,
    PoseNumberUnknown,
    RequestRefused,
    UserUnknown,
)
from posegen.generations import service
from posegen.generations.asking.requests import GenerationRequest
from posegen.generations.reading.results import GenerationResult, PoseResult
from tests.builders import PRICE, SLUGS, a_user, finished, queued, rows, value

DAY = timedelta(days=1)


def columns_of(database, view):
    query = "select column_name from information_schema.columns where table_name = %s order by ordinal_position"
    return [each["column_name"] for each in rows(database, query, view)]


def test_the_result_of_a_pose_has_the_columns_of_the_view_in_their_order(database):
    names = [field.name for field in fields(PoseResult)]

    assert names == [*columns_of(database, "pose_results"), "effective_ppi"]


def test_the_result_of_a_generation_has_columns_of_the_view_only(database):
    assert {field.name for field in fields(GenerationResult)} <= set(columns_of(database, "generation_results"))


def test_a_request_is_stored_once_for_each_key_and_named_before_the_commit(database):
    user, request = a_user(database), GenerationRequest(poses=SLUGS[:2], avatar={"hair": "bob_brown"}, priority=3)
    named = []

    first = service.submit(database, user, request, idempotency_key="order-1", before_commit=named.append)
    again = service.submit(database, user, request, idempotency_key="order-1")

    assert named == [first]
    assert (first.replayed, again.replayed, first.generation_id) == (False, True, again.generation_id)
    (stored,) = rows(database, "select poses, avatar, priority, control_weight, fit from generation_requests")
    assert stored == {
        "poses": SLUGS[:2], "avatar": {"hair": "bob_brown"}, "priority": 3, "control_weight": 1, "fit": None,
    }  # fmt: skip


def test_a_request_that_is_refused_is_not_stored(database):
    with pytest.raises(RequestRefused, match="variations must be 1 to 50"):
        service.submit(database, a_user(database), GenerationRequest(poses=SLUGS[:1], variations=51))

    assert value(database, "select count(*) from generation_requests") == 0


def test_status_names_a_generation_that_does_not_exist(database):
    known, unknown = queued(database), uuid4()

    assert [result.generation_id for result in service.status(database, [known])] == [known]
    with pytest.raises(GenerationUnknown) as raised:
        service.status(database, [known, unknown])
    assert raised.value.generation_id == unknown


def test_deleting_restoring_and_refunding_mean_the_same_poses(studio):
    database, generation = studio.database, finished(studio, poses=SLUGS[:3])
    asked = {"numbers": [1, 3], "actor": "Dewi"}

    assert service.delete(database, generation, grace=DAY, **asked).poses_hidden == 2
    assert [pose.number for pose in service.pose_results(database, generation) if pose.image_url] == [2]
    assert service.refund(database, generation, reason="wrong hat", **asked).credits == 2 * PRICE
    assert service.restore(database, generation, **asked).poses_restored == 2
    for ask in (
        lambda: service.delete(database, generation, numbers=[4], grace=DAY, actor="Dewi"),
        lambda: service.restore(database, generation, numbers=[4], actor="Dewi"),
        lambda: service.refund(database, generation, numbers=[4], reason="x", actor="Dewi"),
    ):
        with pytest.raises(PoseNumberUnknown) as raised:
            ask()
        assert (raised.value.number, raised.value.known) == (4, [1, 2, 3])


def test_what_cannot_be_done_is_an_error_with_its_generation(studio):
    database, generation = studio.database, finished(studio, poses=SLUGS[:1])
    waiting = queued(database)
    service.refund(database, generation, reason="wrong hat", actor="Dewi")

    with pytest.raises(NothingToRefund) as refunded:
        service.refund(database, generation, reason="wrong hat", actor="Dewi")
    with pytest.raises(NothingToRestore) as restored:
        service.restore(database, generation, actor="Dewi")
    with pytest.raises(NothingToDelete) as deleted:
        service.delete(database, waiting, grace=DAY, actor="Dewi")

    found = [raised.value.generation_id for raised in (refunded, restored, deleted)]
    assert found == [generation, generation, waiting]


def test_credits_are_granted_to_users_that_exist(database):
    user, unknown = a_user(database, credits=10), uuid4()

    granted = accounts.grant(database, user, 5, reason="sorry", actor="Dewi")

    assert (granted.available, accounts.balance(database, user).credits_granted) == (15, 15)
    assert [(each.amount, each.actor) for each in accounts.movements(database, user, limit=1)] == [(5, "Dewi")]
    for ask in (
        lambda: accounts.grant(database, unknown, 5, reason="sorry", actor="Dewi"),
        lambda: accounts.balance(database, unknown),
    ):
        with pytest.raises(UserUnknown):
            ask()
