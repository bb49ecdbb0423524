"""What may happen to a design when: judged once, claimed by one, written by whoever has the claim, tried four times."""

from __future__ import annotations

from uuid import UUID, uuid4

import psycopg
import pytest

from posegen.designs import rows as statements
from posegen.designs import work as designs
from posegen.designs.work import DESIGNS, RenderedDesign, design_rule
from posegen.error_codes import ErrorCode
from posegen.errors import ClaimSuperseded, DesignUnknown, LeaseLost, RequestRefused
from posegen.storage.keys import design_key
from posegen.work.outcomes import cancel_run, recover_run, refuse, release, retry_after_error
from posegen.work.rules import RetryRule
from tests.builders import (
    a_design,
    a_user,
    account,
    claimed_design,
    design,
    execute,
    lose_design,
    next_design_lease,
    rendering_design,
    row,
    rows,
    start_design,
    stored_object,
    sweep,
    value,
)
from tests.concurrency import at_once, until


def rendered(database, design_id, size=1000):
    folder = value(database, "select folder from designs where id = %s", design_id)
    preview, thumbnail = (
        stored_object(design_key(folder, kind, f"{index}" * 64), size=size)
        for index, kind in enumerate(("preview", "thumbnail"))
    )
    return RenderedDesign(preview, thumbnail, None, size_used=40.0, warnings=("a note",))


def publish(database, lease, size=1000):
    designs.publish(database, lease, rendered(database, lease.id, size), store="local")


def claimed(database, most_under_way=1000):
    return [claim.id for claim in designs.claim_designs(database, most_under_way=most_under_way)]


RULE = design_rule(RetryRule())


def unstarted(database):
    with database.transaction() as connection:
        return DESIGNS.queue.unstarted_claims(connection, older_than_seconds=10)


def status_of(database, design_id):
    return value(database, "select status from designs where id = %s", design_id)


# --- judged -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "detail"),
    [
        ({"text": "x" * 501}, "The text has 501 characters; 500 are the most."),
        ({"font": "comic-sans"}, "There is no font 'comic-sans'; known: noto-sans, "),
        ({"product_type": "submarine"}, "There is no product type 'submarine'; known: t-shirt, "),
        ({"text_colour": "blueish"}, "There is no colour 'blueish'; known: #rgb, "),
        ({"text": "ring \x07"}, "The text has the control character U+0007 at 5: remove it."),
        ({"user_id": UUID(int=7)}, "There is no user 00000000-0000-0000-0000-000000000007: insert the user"),
    ],
)
def test_what_cannot_be_made_fails_at_once_with_its_reason_and_others_are_claimed(database, columns, detail):
    bad, good = a_design(database, **columns), a_design(database)

    assert claimed(database) == [good]
    found = design(database, bad)
    assert (found["status"], found["error_code"]) == ("failed", "invalid_request")
    assert found["error_detail"].startswith(detail)
    assert found["error_message"] == "The request has a value that cannot be used; the detail names it."
    assert found["attempts"] == 0


def test_a_defect_in_judging_fails_one_design_and_stops_no_other(database, monkeypatch):
    def judge(request):
        if request.text == "poison":
            raise ZeroDivisionError("by zero")

    monkeypatch.setattr(designs, "judge_design", judge)
    bad, good = a_design(database, text="poison"), a_design(database)

    assert claimed(database) == [good]
    assert design(database, bad)["error_code"] == "poisoned"


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"size": 0}, "design_size_in_range"),
        ({"size": float("nan")}, "design_size_in_range"),
        ({"font": ""}, "design_font_length"),
        ({"product_type": ""}, "design_product_length"),
        ({"project_id": ""}, "design_project_length"),
        ({"text": "x" * 100_001}, "design_text_storable"),
    ],
)
def test_wrong_ranges_are_refused_by_the_database(database, columns, constraint):
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        a_design(database, **columns)

    assert refused.value.diag.constraint_name == constraint


def test_a_request_never_changes(database):
    asked = a_design(database)

    with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        execute(database, "update design_requests set text = 'x' where id = %s", asked)


# --- claimed ------------------------------------------------------------------------------------------------------


def test_no_more_is_claimed_than_there_are_slots(database):
    user = a_user(database)
    for _ in range(4):
        a_design(database, user)

    assert len(claimed(database, most_under_way=3)) == 3
    assert claimed(database, most_under_way=3) == []


def test_users_are_served_in_turn(database):
    first, second = a_user(database), a_user(database)
    flood = [a_design(database, first) for _ in range(3)]
    one = a_design(database, second)

    assert set(claimed(database, most_under_way=2)) == {flood[0], one}


def test_claimers_at_the_same_moment_never_get_the_same_design(database, connections_open):
    user = a_user(database)
    asked = [a_design(database, user) for _ in range(6)]

    found = at_once([lambda: claimed(database)] * 4)

    assert sorted(each for answer in found for each in answer) == sorted(asked)


def test_a_claim_whose_run_never_came_is_sent_again(database):
    claim = claimed_design(database)
    assert unstarted(database) == []

    execute(database, "update designs set dispatched_at = now() - interval '11 seconds'")

    assert unstarted(database) == [claim]


def test_a_run_that_ended_before_it_began_counts_as_a_lost_worker(database):
    claim = claimed_design(database)

    assert recover_run(database, DESIGNS, claim, RULE, reason="it broke")
    assert not recover_run(database, DESIGNS, claim, RULE, reason="it broke")
    found = row(database, "select status, attempts, lost_leases from designs")
    assert found == {"status": "draft", "attempts": 0, "lost_leases": 1}


def test_a_claim_that_an_operator_cancels_ends_the_design(database):
    claim = claimed_design(database)

    assert cancel_run(database, DESIGNS, claim, actor="ops")
    assert design(database, claim.id)["error_code"] == "cancelled"


# --- written ------------------------------------------------------------------------------------------------------


def test_a_design_is_published_with_its_objects_and_its_space_in_one_step(database):
    user = a_user(database)
    lease = rendering_design(database, user)

    publish(database, lease)

    found = design(database, lease.id)
    assert (found["status"], found["size_used"], found["warnings"]) == ("published", 40.0, ["a note"])
    assert found["preview_url"].startswith("https://pictures.example/media/designs/")
    assert found["thumbnail_url"].endswith(".png")
    assert account(database, user)["storage_used"] == 2000
    assert value(database, "select count(*) from ledger_entries where kind <> 'grant'") == 0


def test_a_late_worker_cannot_publish_after_another_has_the_design(database):
    late = rendering_design(database)
    lose_design(database, late)
    lease = next_design_lease(database)

    with pytest.raises(LeaseLost):
        publish(database, late)
    assert not refuse(database, DESIGNS, late, RequestRefused(ErrorCode.INVALID_REQUEST, "no"))
    assert not retry_after_error(database, DESIGNS, late, RULE, code=ErrorCode.POISONED, reason="no")
    assert not release(database, DESIGNS, late, reason="stop")

    assert status_of(database, late.id) == "rendering"
    publish(database, lease)
    assert status_of(database, late.id) == "published"


def test_a_worker_cannot_publish_what_was_deleted(database):
    user = a_user(database)
    lease = rendering_design(database, user)
    made = rendered(database, lease.id)
    execute(database, "delete from design_requests")

    with pytest.raises(LeaseLost):
        designs.publish(database, lease, made, store="local")

    assert rows(database, "select * from objects where key like 'designs/%%'") == []
    assert account(database, user)["storage_used"] == 0


def test_what_does_not_fit_into_the_users_space_is_refused_and_leaves_nothing(database):
    user = a_user(database, storage_limit=1500)
    lease = rendering_design(database, user)

    with pytest.raises(RequestRefused, match="quota_exceeded"):
        publish(database, lease)

    assert account(database, user)["storage_used"] == 0
    assert rows(database, "select * from objects where key like 'designs/%%'") == []


@pytest.mark.parametrize("ending", ["published", "failed"])
def test_an_ended_design_stays_as_it_is(database, ending):
    lease = rendering_design(database)
    if ending == "published":
        publish(database, lease)
    else:
        refuse(database, DESIGNS, lease, RequestRefused(ErrorCode.INVALID_REQUEST, "no"))

    assert designs.start_design(database, lease.id, dispatch=None, run_id="x", lease_seconds=60) is None
    with pytest.raises(psycopg.errors.RestrictViolation, match=f"cannot go from {ending} to"):
        execute(database, "update designs set status = 'draft', finished_at = null, error_code = null")


def test_a_run_with_an_old_claim_or_for_no_design_starts_nothing(database):
    claim = claimed_design(database)
    start_design(database, claim)

    with pytest.raises(ClaimSuperseded, match="is rendering under dispatch 1; this run came with dispatch 1"):
        designs.start_design(database, claim.id, dispatch=1, run_id="x", lease_seconds=60)
    with pytest.raises(DesignUnknown):
        designs.start_design(database, uuid4(), dispatch=1, run_id="x", lease_seconds=60)


def test_a_run_that_was_started_by_hand_claims_for_itself(database):
    asked = a_design(database)

    lease = designs.start_design(database, asked, dispatch=None, run_id="by hand", lease_seconds=60)

    assert lease is not None
    assert status_of(database, asked) == "rendering"


# --- tried again --------------------------------------------------------------------------------------------------


def test_errors_are_tried_again_after_2_4_and_8_seconds_and_then_the_design_fails(database):
    lease = rendering_design(database)
    waited = []
    for _ in range(3):
        retry_after_error(database, DESIGNS, lease, RULE, code=ErrorCode.STORAGE_FAILED, reason="disk full")
        waited.append(value(database, "select extract(epoch from not_before - now()) from designs"))
        assert claimed(database) == []
        lease = next_design_lease(database)

    retry_after_error(database, DESIGNS, lease, RULE, code=ErrorCode.STORAGE_FAILED, reason="disk full")

    assert [round(seconds) for seconds in waited] == [2, 4, 8]
    found = design(database, lease.id)
    assert (found["status"], found["error_code"], found["attempts"]) == ("failed", "storage_failed", 4)
    assert found["error_detail"] == "given up after 4 errors and 0 lost leases; the last: disk full"


def test_a_worker_that_is_asked_to_stop_costs_no_attempt(database):
    lease = rendering_design(database)

    assert release(database, DESIGNS, lease, reason="stop")

    assert row(database, "select status, attempts, lost_leases from designs") == {
        "status": "draft",
        "attempts": 0,
        "lost_leases": 0,
    }
    assert claimed(database) == [lease.id]


def test_lost_workers_are_counted_apart_and_end_a_design_in_the_end(database):
    lease = rendering_design(database)
    for lost in range(1, 5):
        lose_design(database, lease)
        assert row(database, "select status, attempts, lost_leases from designs") == {
            "status": "draft",
            "attempts": 0,
            "lost_leases": lost,
        }
        lease = next_design_lease(database)

    lose_design(database, lease)

    assert design(database, lease.id)["error_code"] == "poisoned"


def test_a_live_lease_is_left_alone(database):
    rendering_design(database)

    assert sweep(database, DESIGNS) == []


# --- deleted ------------------------------------------------------------------------------------------------------


def test_deleting_a_request_takes_its_rows_and_gives_the_space_back(database):
    user = a_user(database)
    lease = rendering_design(database, user)
    publish(database, lease)

    execute(database, "delete from design_requests where id = %s", lease.id)

    for table in ("design_requests", "designs"):
        assert value(database, f"select count(*) from {table}") == 0
    assert rows(database, "select * from objects where key like 'designs/%%'") == []
    assert account(database, user)["storage_used"] == 0
    (left,) = rows(database, "select * from deleted_designs")
    assert (left["design_id"], left["store"], len(left["keys"])) == (lease.id, "local", 2)


def test_an_id_that_is_used_again_has_keys_of_its_own(database):
    user = a_user(database)
    folders = set()
    for _ in range(2):
        asked = a_design(database, user, id=UUID(int=9))
        folders.add(value(database, "select folder from designs where id = %s", asked))
        execute(database, "delete from design_requests")

    assert len(folders) == 2


def test_every_step_is_announced(database):
    with database.listening(statements.STEPS_CHANNEL) as steps:
        lease = rendering_design(database)
        publish(database, lease)

        heard: list[str] = []
        until(lambda: len(heard) == 2 or heard.extend(steps.wait(1)))

    assert heard == [f"{lease.id}:rendering", f"{lease.id}:published"]
