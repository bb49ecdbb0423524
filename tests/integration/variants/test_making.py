"""Image requests and their variants: asked for by INSERT, made once, tried again where that helps, never lost."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import psycopg
import pytest

from posegen.errors import StoreUnavailable
from posegen.images.decoding.pool import DecoderPool
from posegen.images.packets import find_packet
from posegen.images.png import encode_png
from posegen.images.validation import open_image
from posegen.upkeep.verification import verify
from posegen.variants import work as variant_requests
from posegen.variants.making import VariantsMade, make_variants
from posegen.variants.work import VARIANTS
from posegen.work.rules import RetryRule
from tests.backends import painted
from tests.builders import a_batch, a_user, account, execute, finished, row, rows, sweep, value
from tests.concurrency import at_once
from tests.conftest import BASE_URL
from tests.faults.disks import LyingStore


@pytest.fixture(scope="module")
def decoders() -> Iterator[DecoderPool]:
    with DecoderPool.of_our_own() as pool:
        yield pool


@pytest.fixture
def user(studio) -> UUID:
    return a_user(studio.database)


@pytest.fixture
def source(studio, user) -> str:
    """The URL of a picture of theirs."""
    finished(studio, user)
    return str(value(studio.database, "select image_url from pose_results"))


def ask(studio, user: UUID, source: str, *, tool: str = "editor") -> UUID:
    """What a foreign backend inserts."""
    return UUID(
        str(
            rows(
                studio.database,
                "insert into image_requests (user_id, tool, source) values (%s, %s, %s) returning id",
                user,
                tool,
                source,
            )[0]["id"]
        )
    )


def result(studio, request: UUID):
    return row(studio.database, "select * from variant_results where request_id = %s", request)


def work(studio, decoders) -> VariantsMade:
    """What the sensor and the run that it starts do."""
    claims = variant_requests.claim_batch(studio.database)
    return make_variants(studio, claims[0].batch, decoders.decode, run_id="run") if claims else VariantsMade()


def key(url: str) -> str:
    return url.partition("/media/")[2]


def let_it_wait_no_longer(studio) -> None:
    execute(studio.database, "update image_variants set not_before = now()")


# --- what is made -------------------------------------------------------------------------------------------------


@pytest.mark.full_size
def test_an_insert_becomes_two_files_with_urls_in_the_view(studio, user, source, decoders):
    request = ask(studio, user, source)
    assert result(studio, request)["status"] == "submitted"

    assert work(studio, decoders) == VariantsMade(completed=1)

    made = result(studio, request)
    assert (made["status"], made["error_code"], made["width"], made["height"]) == ("completed", None, 1024, 1024)
    for url, size in ((made["normal_url"], "normal_bytes"), (made["high_quality_url"], "high_quality_bytes")):
        assert key(url).startswith(f"variants/editor/{user}/{request}-"), "keyed by tool, user and id"
        data = studio.store.get(key(url))
        assert len(data) == made[size]
        assert open_image(data).shape == (1024, 1024, 3)
    assert made["normal_url"].endswith(".jpg")
    assert made["high_quality_url"].endswith(".webp")


def test_a_key_will_do_as_well_as_a_url(studio, user, source, decoders):
    request = ask(studio, user, key(source))

    work(studio, decoders)

    assert result(studio, request)["status"] == "completed"


def test_exports_thumbnails_and_variants_are_stored_pictures_too(studio, user, decoders):
    finished(studio, user, formats=["shopee"])
    keys = [each["key"] for each in rows(studio.database, "select key from objects order by id")]
    requests = [ask(studio, user, each) for each in keys]
    work(studio, decoders)
    of_a_variant = ask(studio, user, result(studio, requests[0])["normal_url"])
    work(studio, decoders)

    assert [result(studio, each)["status"] for each in (*requests, of_a_variant)] == ["completed"] * 4


def test_they_say_where_the_picture_comes_from(studio, user, source, decoders):
    request = ask(studio, user, source)
    work(studio, decoders)

    packets = {
        find_packet(io.BytesIO(studio.store.get(key(url))))
        for url in (source, result(studio, request)["normal_url"], result(studio, request)["high_quality_url"])
    }

    assert len(packets) == 1
    assert None not in packets


def test_they_count_against_the_users_space_until_they_are_deleted(studio, user, source, decoders):
    before = account(studio.database, user)["storage_used"]
    request = ask(studio, user, source)
    work(studio, decoders)
    made = result(studio, request)

    assert account(studio.database, user)["storage_used"] == before + made["normal_bytes"] + made["high_quality_bytes"]

    execute(studio.database, "delete from image_variants")
    execute(studio.database, "delete from objects where user_id = %s", user)
    assert account(studio.database, user)["storage_used"] == before


def test_a_rerun_makes_no_duplicates_and_counts_nothing_twice(studio, user, source, decoders):
    request = ask(studio, user, source)
    work(studio, decoders)
    first = rows(studio.database, "select key from objects order by id"), account(studio.database, user)
    with studio.database.transaction() as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            "update image_variants set status = 'submitted', finished_at = null, normal_object = null, "
            "high_quality_object = null"
        )

    assert work(studio, decoders) == VariantsMade(completed=1)

    assert (rows(studio.database, "select key from objects order by id"), account(studio.database, user)) == first
    assert result(studio, request)["status"] == "completed"


def test_work_that_is_done_is_not_done_again(studio, user, source, decoders):
    ask(studio, user, source)
    work(studio, decoders)

    assert work(studio, decoders) == VariantsMade()


# --- what cannot be made ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "meant",
    ["poses/nobody/knows-0123456789ab.png", "https://pictures.example/media/", "/etc/passwd", "'; drop table users --"],
)
def test_a_picture_that_does_not_exist_fails_with_a_code(studio, user, decoders, meant):
    request = ask(studio, user, meant)

    assert work(studio, decoders) == VariantsMade(failed=1)

    failed = result(studio, request)
    assert (failed["status"], failed["error_code"]) == ("failed", "invalid_request")
    assert meant[:30] in failed["error_detail"].replace('"', "")
    assert failed["finished_at"] is not None


def test_pictures_of_others_are_not_told_from_those_that_do_not_exist(studio, source, decoders):
    stranger = a_user(studio.database)
    theirs, nobodys = ask(studio, stranger, key(source)), ask(studio, stranger, key(source).replace("0", "1"))

    work(studio, decoders)

    details = [result(studio, each)["error_detail"] for each in (theirs, nobodys)]
    assert details[0].replace("0", "1") == details[1].replace("0", "1")


def test_a_user_who_does_not_exist_fails(studio, source, decoders):
    request = ask(studio, uuid4(), source)

    work(studio, decoders)

    assert "There is no user" in result(studio, request)["error_detail"]


def test_space_that_is_used_up_fails_and_charges_nothing(studio, user, source, decoders):
    execute(studio.database, "update accounts set storage_limit = storage_used + 100 where user_id = %s", user)
    used = account(studio.database, user)["storage_used"]
    request = ask(studio, user, source)

    work(studio, decoders)

    assert result(studio, request)["error_code"] == "quota_exceeded"
    assert account(studio.database, user)["storage_used"] == used
    assert rows(studio.database, "select from objects where user_id = %s", user) == []


def test_a_damaged_or_lost_picture_fails(studio, user, source, decoders):
    data = studio.store.get(key(source))
    studio.store.put(key(source), data[:-20] + bytes(20), content_type="image/png", create_only=False)
    damaged = ask(studio, user, source)
    work(studio, decoders)
    studio.store.delete(key(source))
    lost = ask(studio, user, source)
    work(studio, decoders)

    assert [result(studio, each)["error_code"] for each in (damaged, lost)] == ["storage_failed"] * 2
    assert "SHA-256" in result(studio, damaged)["error_detail"]


def test_bytes_that_are_no_picture_fail_however_they_came_to_be_stored(studio, user, source, decoders):
    bomb = encode_png(painted(1, 16, 16)).data[:-30]
    stored = studio.store.put("uploads/bomb.png", bomb, content_type="image/png")
    execute(
        studio.database,
        "insert into objects (store, key, sha256, crc32, size, content_type, user_id) "
        "values ('local', %s, %s, 0, 1, 'image/png', %s)",
        stored.key,
        stored.sha256,
        user,
    )
    request = ask(studio, user, stored.key)

    work(studio, decoders)

    assert result(studio, request)["error_code"] == "image_invalid"


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"tool": "Editor"}, "tool_is_a_name"),
        ({"tool": "../up"}, "tool_is_a_name"),
        ({"tool": ""}, "tool_is_a_name"),
        ({"source": ""}, "source_length"),
        ({"source": "x" * 2001}, "source_length"),
    ],
)
def test_what_can_never_be_meant_is_refused_at_once(studio, user, columns, constraint):
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        ask(studio, user, columns.get("source", "key"), tool=columns.get("tool", "editor"))
    assert refused.value.diag.constraint_name == constraint


def test_a_tool_that_is_a_device_on_some_systems_fails_by_its_name(studio, user, source, decoders):
    request = ask(studio, user, source, tool="nul")

    work(studio, decoders)

    assert (result(studio, request)["status"], result(studio, request)["error_code"]) == ("failed", "invalid_request")


def test_one_that_cannot_be_made_does_not_stop_the_others(studio, user, source, decoders):
    requests = [ask(studio, user, each) for each in (source, "nothing", source)]

    assert work(studio, decoders) == VariantsMade(completed=2, failed=1)
    assert [result(studio, each)["status"] for each in requests] == ["completed", "failed", "completed"]


def test_a_request_never_changes(studio, user, source):
    ask(studio, user, source)

    with pytest.raises(psycopg.errors.RestrictViolation):
        execute(studio.database, "update image_requests set tool = 'other'")


# --- what may pass ------------------------------------------------------------------------------------------------


def test_a_store_that_does_not_answer_is_tried_three_times_with_pauses(studio, user, source, decoders, monkeypatch):
    request = ask(studio, user, source)

    def silent(key, **options):
        raise StoreUnavailable("no answer", store="local", key=key)

    with monkeypatch.context() as patched:
        patched.setattr(studio.store, "get", silent)
        assert work(studio, decoders) == VariantsMade(waiting=1)
        assert work(studio, decoders) == VariantsMade(), "it waits"
        waits = value(studio.database, "select extract(epoch from not_before - now())::float from image_variants")
        let_it_wait_no_longer(studio)
        assert work(studio, decoders) == VariantsMade(waiting=1)
        let_it_wait_no_longer(studio)
        assert work(studio, decoders) == VariantsMade(failed=1)

    assert 0.5 < waits <= 2
    failed = result(studio, request)
    assert (failed["status"], failed["error_code"]) == ("failed", "storage_failed")
    assert failed["error_detail"].startswith("given up after 3 errors and 0 lost leases; the last: no answer")


def test_an_attempt_after_an_error_can_succeed(studio, user, source, decoders):
    request = ask(studio, user, source)
    broken = a_batch(studio.database)

    def defective(data, suffix):
        raise ZeroDivisionError

    assert make_variants(studio, broken, defective, run_id="run") == VariantsMade(waiting=1)
    let_it_wait_no_longer(studio)
    assert work(studio, decoders) == VariantsMade(completed=1)

    made = result(studio, request)
    assert (made["status"], made["error_code"]) == ("completed", None)


def test_files_that_the_disk_damages_while_they_are_written_are_put_again(studio, user, source, decoders, tmp_path):
    request = ask(studio, user, source)
    lying = replace(studio, store=LyingStore(tmp_path / "storage", base_url=BASE_URL, lies=1))

    assert work(lying, decoders) == VariantsMade(waiting=1)
    let_it_wait_no_longer(studio)
    assert work(lying, decoders) == VariantsMade(completed=1)

    assert result(studio, request)["status"] == "completed"


# --- workers that stop --------------------------------------------------------------------------------------------


def test_what_a_stopped_worker_has_left_goes_on_at_no_attempt(studio, user, source, decoders):
    requests = [ask(studio, user, source) for _ in range(3)]
    claim = a_batch(studio.database)
    done = []

    def interrupted_at_the_second(data, suffix):
        if done:
            raise KeyboardInterrupt
        done.append(suffix)
        return decoders.decode(data, suffix)

    with pytest.raises(KeyboardInterrupt):
        make_variants(studio, claim, interrupted_at_the_second, run_id="run")

    assert [result(studio, each)["status"] for each in requests] == ["completed", "submitted", "submitted"]
    assert work(studio, decoders) == VariantsMade(completed=2)
    assert value(studio.database, "select sum(attempts + lost_leases) from image_variants") == 0


def expire(studio) -> None:
    execute(studio.database, "update image_variants set lease_expires_at = now() - interval '1 second' "
                             "where status = 'running'")  # fmt: skip


def test_a_worker_that_was_killed_is_replaced_when_its_lease_is_over(studio, user, source, decoders):
    request = ask(studio, user, source)
    claim = a_batch(studio.database)
    assert len(variant_requests.begin(studio.database, claim, run_id="run", lease_seconds=60)) == 1
    assert sweep(studio.database, VARIANTS) == [], "it may still live"

    expire(studio)
    assert len(sweep(studio.database, VARIANTS)) == 1

    assert work(studio, decoders) == VariantsMade(completed=1)
    assert result(studio, request)["status"] == "completed"


def test_a_late_worker_writes_nothing_when_another_one_has_the_request(studio, user, source, decoders):
    request = ask(studio, user, source)
    late = a_batch(studio.database)

    def overtaken(data, suffix):
        expire(studio)
        sweep(studio.database, VARIANTS)
        assert work(studio, decoders) == VariantsMade(completed=1)
        return decoders.decode(data, suffix)

    used = account(studio.database, user)["storage_used"]
    assert make_variants(studio, late, overtaken, run_id="run") == VariantsMade(lost=1)

    made = result(studio, request)
    assert made["status"] == "completed"
    assert account(studio.database, user)["storage_used"] == used + made["normal_bytes"] + made["high_quality_bytes"]


def test_a_late_worker_writes_nothing_while_another_one_is_at_work(studio, user, source, decoders):
    request = ask(studio, user, source)
    late = a_batch(studio.database)

    def overtaken(data, suffix):
        expire(studio)
        sweep(studio.database, VARIANTS)
        new = a_batch(studio.database)
        variant_requests.begin(studio.database, new, run_id="run", lease_seconds=60)
        return decoders.decode(data, suffix)

    assert make_variants(studio, late, overtaken, run_id="run") == VariantsMade(lost=1)

    assert result(studio, request)["status"] == "running"
    assert rows(studio.database, "select from objects where user_id = %s", user) == []


def test_what_ends_its_worker_again_and_again_is_given_up(studio, user, source):
    request = ask(studio, user, source)
    for _ in range(RetryRule().most_lost_leases):
        claim = a_batch(studio.database)
        variant_requests.begin(studio.database, claim, run_id="run", lease_seconds=60)
        expire(studio)
        sweep(studio.database, VARIANTS)

    failed = result(studio, request)
    assert (failed["status"], failed["error_code"]) == ("failed", "poisoned")


def test_a_database_that_goes_away_ends_the_run_and_loses_nothing(studio, user, source, decoders, monkeypatch):
    ask(studio, user, source)
    claim = a_batch(studio.database)

    def gone(*_, **__):
        raise psycopg.OperationalError("gone")

    with monkeypatch.context() as patched:
        patched.setattr("posegen.variants.work.complete", gone)
        with pytest.raises(psycopg.OperationalError):
            make_variants(studio, claim, decoders.decode, run_id="run")

    assert row(studio.database, "select attempts, lost_leases from image_variants") == {"attempts": 0, "lost_leases": 1}
    let_it_wait_no_longer(studio)
    assert work(studio, decoders) == VariantsMade(completed=1)


# --- many at once -------------------------------------------------------------------------------------------------


def test_no_request_is_claimed_twice_and_only_so_many_claims_are_under_way(studio, user, source, connections_open):
    for _ in range(20):
        ask(studio, user, source)

    found = at_once([lambda: variant_requests.claim_batch(studio.database, limit=5)] * 6)

    batches = {claim.batch for claims in found if isinstance(claims, list) for claim in claims}
    assert len(batches) == variant_requests.MOST_BATCHES
    counted = rows(
        studio.database, "select batch, count(*) as n from image_variants where batch is not null group by 1"
    )
    assert {each["batch"]: each["n"] for each in counted} == dict.fromkeys(batches, 5)


def test_nobody_waits_for_anothers_flood(studio, user, source):
    for _ in range(10):
        ask(studio, user, source)
    patient = ask(studio, a_user(studio.database), source)

    variant_requests.claim_batch(studio.database, limit=2)

    assert value(studio.database, "select status from image_variants where id = %s", patient) == "dispatched"


def test_a_claim_can_be_worked_on_by_one_run_only(studio, user, source):
    ask(studio, user, source)
    claim = a_batch(studio.database)

    begun = at_once([lambda: variant_requests.begin(studio.database, claim, run_id="run", lease_seconds=60)] * 4)

    assert sorted(len(each) for each in begun if isinstance(each, list)) == [0, 0, 0, 1]


def test_the_invariants_of_space_hold(studio, user, source, decoders):
    ask(studio, user, source)
    work(studio, decoders)

    findings = {finding.name: finding.examples for finding in verify(studio.database) if finding.violations}
    assert findings == {}
