"""Making poses: several at once, each stored and verified before it counts, and each failing alone."""

from __future__ import annotations

import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from posegen.backends.breaker import BackendRule
from posegen.backends.protocol import Recipe, Rendering
from posegen.errors import (
    BackendHeldBack,
    BackendRejected,
    BackendUnavailable,
    LeaseLost,
    ObjectCorrupt,
    StoreFull,
    UnknownName,
)
from posegen.generations.asking import claims
from posegen.generations.asking.judging import POSE_RESERVE_BYTES
from posegen.generations.making import calls, checkpoint
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.poses import make_poses, make_thumbnails_again
from posegen.generations.making.work import at_work
from posegen.images.thumbnail_sizes import thumbnail_sizes
from posegen.images.validation import open_image
from posegen.work.keeper import LeaseKeeper
from tests.backends import painted, standing_keypoints
from tests.builders import (
    PRICE,
    SLUGS,
    a_request,
    a_user,
    account,
    cancel_generation,
    credits,
    execute,
    finished,
    pose_statuses,
    result,
    row,
    rows,
    running,
    started,
    status,
    take_in,
    taken_over,
    value,
    work,
)
from tests.concurrency import until
from tests.conftest import BASE_URL


def make(studio, lease):
    with LeaseKeeper(studio.database, GENERATIONS.queue, [lease], lease_seconds=60) as keeper:
        return make_poses(studio, lease, keeper)


def attempt_at(studio, lease):
    """What a run does, with what follows when it raises."""
    with at_work(studio.database, lease, lease_seconds=60, rule=studio.retry_rule) as keeper:
        make_poses(studio, lease, keeper)


def keys(studio):
    return sorted(entry.key for entry in studio.store.list())


# --- what is made -------------------------------------------------------------------------------------------------


def test_every_pose_is_stored_with_its_thumbnail_and_paid_for(studio, backend):
    user = a_user(studio.database)
    lease = running(studio.database, user, poses=SLUGS[:3])

    made = make(studio, lease)

    assert (made.rendered, made.failed) == (3, 0)
    assert pose_statuses(studio.database, lease.id) == ["completed"] * 3
    assert credits(studio.database, user) == (10_000 - 3 * PRICE, 0, 3 * PRICE)
    objects = rows(studio.database, "select key, sha256, size, content_type from objects order by key")
    assert [found["key"] for found in objects] == keys(studio)
    for found in objects:
        assert len(studio.store.get(found["key"], sha256=found["sha256"])) == found["size"]
    assert sorted({found["content_type"] for found in objects}) == ["image/png", "image/webp"]
    assert account(studio.database, user)["storage_used"] == sum(found["size"] for found in objects)


def test_further_thumbnails_are_stored_with_the_pose_and_made_anew_with_it(studio, store):
    studio = replace(studio, thumbnails=thumbnail_sizes("300.webp,200.png,64.webp"))
    generation = finished(studio, poses=SLUGS[:1])

    def stored():
        pose = row(studio.database, "select thumbnail_url, thumbnails from pose_results")
        return {"first": pose["thumbnail_url"], **pose["thumbnails"]}

    def sides():
        keys = {name: url.removeprefix(f"{BASE_URL}/") for name, url in stored().items()}
        return {name: open_image(store.get(key)).shape[0] for name, key in keys.items()}

    assert sides() == {"first": 300, "200.png": 200, "64.webp": 64}
    user = row(studio.database, "select user_id from generations")["user_id"]
    assert account(studio.database, user)["storage_used"] == value(
        studio.database, "select sum(size)::bigint from objects"
    )

    make_thumbnails_again(replace(studio, thumbnails=thumbnail_sizes("400.webp,64.webp")), generation)

    assert sides() == {"first": 400, "64.webp": 64}


def test_space_for_further_thumbnails_is_set_aside(database):
    sizes = thumbnail_sizes("400.webp,512.png")
    user = a_user(database)
    a_request(database, user)

    take_in(database, thumbnails=sizes)

    more = sum(size.reserve_bytes for size in sizes[1:])
    assert account(database, user)["storage_reserved"] == POSE_RESERVE_BYTES + more


def test_the_stored_picture_is_the_one_that_the_backend_painted(studio):
    generation = finished(studio, seed=9)

    key = value(studio.database, "select key from objects where content_type = 'image/png'")

    assert np.array_equal(open_image(studio.store.get(key)), painted(9, pose=SLUGS[0]))
    assert key.startswith(f"poses/{generation}/")


@pytest.mark.full_size
def test_the_recipe_says_everything_that_the_picture_was_made_from(studio, backend):
    finished(
        studio, poses=[SLUGS[2]], prompt="at dusk", avatar={"skin": "olive"}, seed=5, variations=2, control_weight=0.5
    )

    first = min(backend.recipes, key=lambda recipe: recipe.seed)
    stored = row(studio.database, "select recipe, recipe_hash from generated_poses where position = 0")
    assert (first.pose, first.seed, first.control_weight, first.avatar.skin) == (SLUGS[2], 5, 0.5, "olive")
    assert (first.width, first.height, first.backend, first.backend_version) == (1024, 1024, "mannequin", "painted-1")
    assert "at dusk" in first.prompt
    assert Recipe.from_json(stored["recipe"]) == first
    assert stored["recipe_hash"] == first.digest()


def test_keypoints_are_kept_as_fractions_of_the_side(studio):
    finished(studio)

    keypoints = value(studio.database, "select keypoints from generated_poses")

    assert len(keypoints) == 18
    assert keypoints[0] == [0.5, 0.15]


def test_a_backend_that_knows_no_keypoints_is_welcome(studio, backend, monkeypatch):
    monkeypatch.setattr(backend, "render", lambda recipe: Rendering(painted(recipe.seed)))

    generation = finished(studio, formats=["shopee"])

    assert status(studio.database, generation) == "completed"
    assert value(studio.database, "select keypoints from generated_poses") is None


def test_several_poses_are_rendered_at_once(studio, backend):
    lease = running(studio.database, poses=SLUGS[:2])
    together = threading.Barrier(2)
    backend.before_each = lambda _: together.wait(180)

    assert make(studio, lease).rendered == 2


# --- again --------------------------------------------------------------------------------------------------------


def test_a_rerun_makes_no_call_and_no_upload_for_a_completed_pose(studio, backend, store, monkeypatch):
    user = a_user(studio.database)
    lease = running(studio.database, user, poses=SLUGS[:3])
    backend.before_each = lambda recipe: fail_the_store(store, monkeypatch) if recipe.pose == SLUGS[2] else None
    with pytest.raises(StoreFull):
        attempt_at(replace(studio, render_threads=1), lease)
    before, calls = keys(studio), len(backend.recipes)
    assert pose_statuses(studio.database, lease.id) == ["completed", "completed", "running"]
    monkeypatch.undo()
    backend.before_each = lambda _: None

    again = next_lease(studio.database)
    assert make(studio, again).rendered == 1

    assert [recipe.pose for recipe in backend.recipes[calls:]] == [SLUGS[2]]
    assert len(set(keys(studio)) - set(before)) == 2
    assert credits(studio.database, user) == (10_000 - 3 * PRICE, 0, 3 * PRICE)


def test_a_rerun_of_a_generation_that_is_complete_does_nothing(studio, backend, store, monkeypatch):
    lease = running(studio.database, poses=SLUGS[:2])
    make(studio, lease)
    again = taken_over(studio.database, lease.id)
    monkeypatch.setattr(store, "put", None)

    assert make(studio, again).rendered == 0
    assert len(backend.recipes) == 2


def test_a_pose_that_was_uploaded_but_not_checkpointed_is_made_again_into_the_same_object(studio, monkeypatch):
    lease = running(studio.database)
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "complete_pose", killed)
        with pytest.raises(SystemExit):
            make(studio, lease)
    uploaded = keys(studio)
    assert len(uploaded) == 2

    work(studio, taken_over(studio.database, lease.id))

    assert keys(studio) == uploaded
    assert status(studio.database, lease.id) == "completed"


# --- one pose fails -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (BackendRejected("this pose is beyond me"), "backend_rejected", "beyond me"),
        (UnknownName("prop", "sceptre", ["box"]), "backend_rejected", "sceptre"),
        (ZeroDivisionError("division by zero"), "backend_rejected", "ZeroDivisionError"),
        (RuntimeError("nul \0 and half a pair \ud83d"), "backend_rejected", "nul"),
        (RuntimeError("x" * 100_000), "backend_rejected", "xxx"),
        (MemoryError(), "backend_rejected", "MemoryError"),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, Exception) else "",
)
def test_a_pose_whose_backend_raises_fails_alone_and_its_credits_return(studio, backend, error, code, says):
    user = a_user(studio.database)
    lease = running(studio.database, user, poses=SLUGS[:3])
    backend.before_each = lambda recipe: raise_for(recipe, SLUGS[1], error)

    assert work(studio, lease) == "partial"

    assert pose_statuses(studio.database, lease.id) == ["completed", "failed", "completed"]
    failed = row(studio.database, "select error_code, error_detail, error_message from pose_results where position = 1")
    assert failed["error_code"] == code
    assert says in failed["error_detail"]
    assert "returned" in failed["error_message"]
    assert credits(studio.database, user) == (10_000 - 2 * PRICE, 0, 2 * PRICE)
    ended = result(studio.database, lease.id)
    assert (ended["error_code"], ended["poses_completed"], ended["poses_failed"]) == (code, 2, 1)


@pytest.mark.full_size
@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1024, 1024, 3), np.uint8),
        np.full((1024, 1024, 3), 255, np.uint8),
        painted(1, 512, 512),
        painted(1).astype(np.float64),
        painted(1)[:, :, 0],
        None,
    ],
    ids=["black", "white", "small", "floats", "grey", "nothing"],
)
def test_a_picture_that_is_none_fails_alone_and_its_credits_return(studio, backend, monkeypatch, pixels):
    user = a_user(studio.database)
    lease = running(studio.database, user)
    monkeypatch.setattr(backend, "render", lambda _: Rendering(pixels))

    assert work(studio, lease) == "failed"

    assert result(studio.database, lease.id)["error_code"] == "image_invalid"
    assert credits(studio.database, user) == (10_000, 0, 0)
    assert keys(studio) == []


@pytest.mark.parametrize("points", [np.full((18, 2), np.nan), np.zeros((17, 2)), [["left", "right"]] * 18])
def test_keypoints_that_are_none_fail_the_pose_alone(studio, backend, monkeypatch, points):
    lease = running(studio.database)
    wrong = replace(standing_keypoints(), points=points)
    monkeypatch.setattr(backend, "render", lambda recipe: Rendering(painted(recipe.seed), keypoints=wrong))

    assert work(studio, lease) == "failed"
    assert row(studio.database, "select attempts from generations") == {"attempts": 0}


def test_a_generation_fails_when_all_its_poses_fail(studio, backend):
    user = a_user(studio.database)
    lease = running(studio.database, user, poses=SLUGS[:2], formats=["shopee"])
    backend.before_each = lambda recipe: raise_for(recipe, recipe.pose, BackendRejected("no"))

    assert work(studio, lease) == "failed"

    assert credits(studio.database, user) == (10_000, 0, 0)
    assert account(studio.database, user)["storage_used"] == 0
    assert result(studio.database, lease.id)["error_code"] == "backend_rejected"


def test_a_backend_that_is_gone_fails_the_pose_and_not_the_attempt(studio):
    lease = running(studio.database)

    def gone(name):
        raise UnknownName("backend", name, [])

    assert work(replace(studio, open_backend=gone), lease) == "failed"
    assert "There is no backend 'mannequin'" in result(studio.database, lease.id)["error_detail"]


def test_an_operators_pose_that_was_broken_after_intake_fails_the_pose(studio):
    lease = running(studio.database, poses=[SLUGS[0]])
    execute(studio.database, "update library_poses set specification = '{\"lift\": 99}' where slug = %s", SLUGS[0])

    assert work(studio, lease) == "failed"
    assert "lift" in result(studio.database, lease.id)["error_detail"]


# --- the backend does not respond ----------------------------------------------------------------------------------

PATIENT = BackendRule(attempts=4, call_seconds=20, first_pause=0.01, failures=100, breaker_seconds=60)


def answers_after(failures, backend, pose, *, retry_after=None):
    """The backend fails so many calls for this pose, and answers everything else."""
    calls = iter(range(failures))

    def fail(recipe):
        if recipe.pose == pose and next(calls, None) is not None:
            raise BackendUnavailable("503: come back later", retry_after=retry_after)

    backend.before_each = fail


def backend_failures(database):
    return [found["backend_failures"] for found in rows(database, POSE_FAILURES)]


POSE_FAILURES = "select backend_failures from generated_poses order by position"


def test_a_pose_that_gets_no_answer_is_asked_for_again_within_the_attempt(studio, backend):
    user = a_user(studio.database)
    lease = running(studio.database, user, poses=SLUGS[:2])
    answers_after(3, backend, SLUGS[1])

    assert work(replace(studio, backend_rule=PATIENT), lease) == "completed"

    assert [recipe.pose for recipe in backend.recipes].count(SLUGS[1]) == 4
    assert backend_failures(studio.database) == [0, 3]
    assert row(studio.database, "select attempts, lost_leases from generations") == {"attempts": 0, "lost_leases": 0}
    assert credits(studio.database, user) == (10_000 - 2 * PRICE, 0, 2 * PRICE)


def test_a_pose_that_never_gets_an_answer_fails_alone_after_some_calls(studio, backend):
    user = a_user(studio.database)
    lease = running(studio.database, user, poses=SLUGS[:3])
    answers_after(1000, backend, SLUGS[1])

    assert work(replace(studio, backend_rule=PATIENT), lease) == "partial"

    assert [recipe.pose for recipe in backend.recipes].count(SLUGS[1]) == 4
    failed = row(studio.database, "select error_code, error_detail from pose_results where position = 1")
    assert failed == {
        "error_code": "backend_retries_exceeded",
        "error_detail": "No response to 4 calls; the last: 503: come back later",
    }
    assert credits(studio.database, user) == (10_000 - 2 * PRICE, 0, 2 * PRICE)


def test_the_pause_between_calls_doubles_and_is_as_long_as_the_backend_asks_for(studio, backend):
    lease = running(studio.database)
    called: list[float] = []
    fail = [None, 0.8, None]

    def fail_three_times(_):
        called.append(time.monotonic())
        if len(called) <= 3:
            raise BackendUnavailable("429", retry_after=fail[len(called) - 1])

    backend.before_each = fail_three_times
    work(replace(studio, backend_rule=replace(PATIENT, first_pause=0.1)), lease)

    pauses = [later - earlier for earlier, later in pairwise(called)]
    assert pauses[0] >= 0.1
    assert pauses[1] >= 0.8, "Retry-After"
    assert pauses[2] >= 0.4


def test_a_backend_that_hangs_is_given_up_and_asked_again(studio, backend):
    lease = running(studio.database)
    hang, hangs = threading.Event(), iter([True])
    backend.before_each = lambda _: next(hangs, False) and hang.wait(180)

    assert work(replace(studio, backend_rule=replace(PATIENT, call_seconds=0.6)), lease) == "completed"

    hang.set()
    assert len(backend.recipes) == 2
    assert value(studio.database, "select last_error from backend_breakers") == "No response within 0.6 s."


def test_when_nobody_gets_an_answer_the_generation_waits_and_nothing_has_failed(studio, backend):
    user = a_user(studio.database)
    lease = running(studio.database, user, poses=SLUGS[:4])
    answers_after(1000, backend, SLUGS[2])
    impatient = replace(studio, backend_rule=replace(PATIENT, failures=2), render_threads=1)

    with pytest.raises(BackendHeldBack, match="open for another 60 s: 503"):
        attempt_at(impatient, lease)

    assert pose_statuses(studio.database, lease.id) == ["completed", "completed", "running", "pending"]
    assert row(studio.database, "select status, attempts, lost_leases from generations") == {
        "status": "queued",
        "attempts": 0,
        "lost_leases": 0,
    }
    assert credits(studio.database, user) == (10_000 - 4 * PRICE, 2 * PRICE, 2 * PRICE)
    assert value(studio.database, "select count(*) from backend_outages where closed_at is null") == 1
    assert backend_failures(studio.database) == [0, 0, 1, 0], "what opens the breaker is no failure of the pose"

    backend.before_each = lambda _: None
    execute(studio.database, "update backend_breakers set retry_at = now()")
    assert work(impatient, next_lease(studio.database)) == "completed"
    assert value(studio.database, "select count(*) from backend_outages where closed_at is null") == 0


def test_a_backend_that_wants_to_be_left_alone_for_long_is_left_alone_at_once(studio, backend):
    lease = running(studio.database)
    answers_after(1, backend, SLUGS[0], retry_after=90)

    with pytest.raises(BackendHeldBack, match="for another 90 s"):
        attempt_at(replace(studio, backend_rule=PATIENT), lease)

    wait = "select extract(epoch from not_before - now()) from generations"
    assert 85 < float(value(studio.database, wait)) < 100


def test_the_threads_of_a_run_try_a_backend_that_may_be_back_one_at_a_time(studio, backend):
    lease = running(studio.database, poses=SLUGS[:4])
    execute(
        studio.database,
        "insert into backend_breakers (backend, failures, openings, opened_at, retry_at) "
        "values ('mannequin', 3, 1, now() - interval '1 min', now())",
    )
    at_a_time: list[int] = []
    trying = threading.Semaphore(2)

    def try_it(_):
        with trying:
            at_a_time.append(trying._value)
            time.sleep(0.05)

    backend.before_each = try_it

    assert work(studio, lease) == "completed"
    assert at_a_time[0] == 1, "nobody beside the first"
    assert len(backend.recipes) == 4


def test_a_worker_that_is_asked_to_stop_does_not_sit_out_the_pause(studio, backend):
    lease = running(studio.database)
    answers_after(1000, backend, SLUGS[0])
    failed = threading.Event()
    before_each = backend.before_each

    def fail(recipe):
        failed.set()
        before_each(recipe)

    backend.before_each = fail
    began = time.monotonic()
    interrupted_while(studio, lease, failed, BackendRule(first_pause=3600, failures=100, longest_pause=3600))

    assert time.monotonic() - began < 300
    assert pose_statuses(studio.database, lease.id) == ["running"]
    assert row(studio.database, "select status, attempts from generations") == {"status": "queued", "attempts": 0}


def test_a_worker_that_is_asked_to_stop_does_not_wait_long_for_a_call(studio, backend, monkeypatch):
    monkeypatch.setattr(calls, "LAST_SECONDS", 0.2)
    lease = running(studio.database)
    called, hang = threading.Event(), threading.Event()

    def hang_in_the_call(_):
        called.set()
        hang.wait()

    backend.before_each = hang_in_the_call
    began = time.monotonic()
    interrupted_while(studio, lease, called, BackendRule())

    assert time.monotonic() - began < 300
    hang.set()
    assert row(studio.database, "select status, attempts from generations") == {"status": "queued", "attempts": 0}


def interrupted_while(studio, lease, event, rule):
    """An attempt that gets SIGINT when the event has come."""
    interrupting = threading.Thread(
        target=lambda: (event.wait(180), signal.pthread_kill(threading.main_thread().ident, signal.SIGINT))
    )
    interrupting.start()
    with pytest.raises(KeyboardInterrupt):
        attempt_at(replace(studio, backend_rule=rule), lease)
    interrupting.join()


# --- the store fails ----------------------------------------------------------------------------------------------


def test_a_full_store_ends_the_attempt_and_after_three_the_generation(studio, store, monkeypatch):
    user = a_user(studio.database)
    lease = running(studio.database, user, poses=SLUGS[:2])
    fail_the_store(store, monkeypatch)

    for attempt in range(3):
        if attempt:
            lease = next_lease(studio.database)
        with pytest.raises(StoreFull):
            attempt_at(studio, lease)

    ended = result(studio.database, lease.id)
    assert (ended["status"], ended["error_code"]) == ("failed", "storage_failed")
    assert "no space" in ended["error_detail"]
    assert credits(studio.database, user) == (10_000, 0, 0)
    assert account(studio.database, user)["storage_reserved"] == 0


def test_a_store_that_is_well_again_loses_nothing(studio, store, monkeypatch):
    lease = running(studio.database, poses=SLUGS[:2])
    fail_the_store(store, monkeypatch)
    with pytest.raises(StoreFull):
        attempt_at(studio, lease)
    monkeypatch.undo()

    assert work(studio, next_lease(studio.database)) == "completed"


def test_a_store_that_keeps_other_bytes_than_it_was_given_is_found_out(studio, store, monkeypatch):
    lease = running(studio.database)
    put = store.put
    monkeypatch.setattr(store, "put", lambda key, data, **options: put(key, data[:-1] + b"?", **options))

    with pytest.raises(ObjectCorrupt):
        make(studio, lease)
    assert pose_statuses(studio.database, lease.id) == ["running"]


def test_a_store_that_answers_with_another_size_or_hash_is_found_out(studio, store, monkeypatch):
    lease = running(studio.database)
    put = store.put
    monkeypatch.setattr(store, "put", lambda *given, **options: replace(put(*given, **options), size=1))

    with pytest.raises(ObjectCorrupt, match="1 bytes"):
        make(studio, lease)
    assert rows(studio.database, "select from objects") == []


def test_a_store_that_answers_well_and_keeps_nothing_right_is_found_out(studio, store, monkeypatch):
    lease = running(studio.database)
    put = store.put

    def put_and_flip_a_bit(key, data, **options):
        stored = put(key, data, **options)
        put(key, bytes([data[0] ^ 1]) + data[1:], **options, create_only=False)
        return stored

    monkeypatch.setattr(store, "put", put_and_flip_a_bit)
    with pytest.raises(ObjectCorrupt):
        make(studio, lease)
    assert pose_statuses(studio.database, lease.id) == ["running"]


def test_a_pose_for_which_there_is_no_room_after_all_fails_alone_with_its_reason(studio):
    """What is reserved is an upper bound; as if one had been too low."""
    user = a_user(studio.database)
    lease = running(studio.database, user)
    execute(studio.database, "update generations set storage_reserved = 0")
    execute(studio.database, "update accounts set storage_reserved = 0, storage_limit = 10")

    assert work(studio, lease) == "failed"

    ended = result(studio.database, lease.id)
    assert ended["error_code"] == "quota_exceeded"
    assert "delete images or raise the limit" in ended["error_detail"]
    assert row(studio.database, "select attempts from generations") == {"attempts": 0}
    assert credits(studio.database, user) == (10_000, 0, 0)
    assert account(studio.database, user)["storage_used"] == 0


# --- the lease is lost --------------------------------------------------------------------------------------------


def test_a_worker_that_lost_its_lease_while_rendering_uploads_nothing(studio, backend):
    lease = running(studio.database)

    def lose(recipe):
        taken_over(studio.database, lease.id)
        until(lambda: is_lost(keeper))

    backend.before_each = lose
    with (
        LeaseKeeper(studio.database, GENERATIONS.queue, [lease], lease_seconds=0.2) as keeper,
        pytest.raises(LeaseLost),
    ):
        make_poses(studio, lease, keeper)

    assert keys(studio) == []


def test_a_worker_that_does_not_know_yet_that_it_lost_its_lease_changes_no_row(studio, backend):
    user = a_user(studio.database)
    lease = running(studio.database, user)
    backend.before_each = lambda _: taken_over(studio.database, lease.id)

    with pytest.raises(LeaseLost):
        make(studio, lease)

    assert pose_statuses(studio.database, lease.id) == ["running"]
    assert credits(studio.database, user) == (10_000 - PRICE, PRICE, 0)
    assert rows(studio.database, "select from objects") == []


def test_a_cancelled_generation_charges_for_what_was_finished_and_begins_nothing_more(studio, backend):
    user = a_user(studio.database)
    lease = running(studio.database, user, poses=SLUGS[:5])
    one_at_a_time = replace(studio, render_threads=1)

    def cancel_during_the_second(recipe):
        if recipe.pose == SLUGS[1]:
            cancel_generation(studio.database, lease.id, actor="customer")

    backend.before_each = cancel_during_the_second
    with pytest.raises(LeaseLost):
        make(one_at_a_time, lease)

    assert [recipe.pose for recipe in backend.recipes] == SLUGS[:2]
    assert pose_statuses(studio.database, lease.id) == ["completed"] + ["cancelled"] * 4
    assert credits(studio.database, user) == (10_000 - PRICE, 0, PRICE)


def the_main_thread_waits_for_poses():
    """Before that it hands out work, where an interrupt may meet it while it starts a thread."""
    frame = sys._current_frames()[threading.main_thread().ident]
    while frame is not None and frame.f_code is not wait.__code__:
        frame = frame.f_back
    return frame is not None


def test_an_interrupted_worker_finishes_what_it_has_in_hand_and_begins_nothing_more(studio, backend):
    lease = running(studio.database, poses=SLUGS[:4])
    busy, interrupted = threading.Event(), threading.Event()

    def interrupt(number, frame):
        interrupted.set()
        raise KeyboardInterrupt

    def render_until_interrupted(recipe):
        busy.set()
        assert interrupted.wait(180)

    def send_the_signal():
        assert busy.wait(180)
        until(the_main_thread_waits_for_poses)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    backend.before_each = render_until_interrupted
    before = signal.signal(signal.SIGINT, interrupt)
    sending = threading.Thread(target=send_the_signal)
    sending.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            attempt_at(replace(studio, render_threads=1), lease)
    finally:
        signal.signal(signal.SIGINT, before)
        sending.join()

    assert len(backend.recipes) == 1
    assert pose_statuses(studio.database, lease.id) == ["completed", "pending", "pending", "pending"]
    assert row(studio.database, "select status, attempts from generations") == {"status": "queued", "attempts": 0}


def test_a_worker_that_is_interrupted_while_it_hands_out_the_work_begins_nothing_more(studio, backend, monkeypatch):
    lease = running(studio.database, poses=SLUGS[:4])
    submit = ThreadPoolExecutor.submit
    handed_out = threading.Event()

    def submit_until_interrupted(threads, *work):
        if work[-1].position == 3:
            handed_out.set()
            raise KeyboardInterrupt
        return submit(threads, *work)

    backend.before_each = lambda _: handed_out.wait(180)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit_until_interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(replace(studio, render_threads=1), lease)

    assert len(backend.recipes) <= 1


# ------------------------------------------------------------------------------------------------------------------


def killed(*arguments, **options):
    raise SystemExit


def raise_for(recipe, pose, error):
    if recipe.pose == pose:
        raise error


def fail_the_store(store, monkeypatch):
    def full(key, data, **options):
        raise StoreFull("no space left", store="local", key=key)

    monkeypatch.setattr(store, "put", full)


def next_lease(database):
    execute(database, "update generations set not_before = now()")
    (claim,) = claims.claim_next(database, most_running=1)
    return started(database, claim)


def is_lost(keeper):
    try:
        keeper.check()
    except LeaseLost:
        return True
    return False
