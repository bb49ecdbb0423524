"""What operators look at: queue and lanes, runs at work, incidents, the audit trail, settings without secrets."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from posegen import incidents
from posegen.accounts import service as accounts
from posegen.backends import breaker_rows
from posegen.database.connection import Database
from posegen.errors import StoreUnknown
from posegen.settings import Settings, load_settings
from posegen.storage.health import StoreState, state_of
from posegen.storage.local import LocalStore
from posegen.upkeep import service
from tests.builders import (
    a_batch,
    a_design,
    a_request,
    a_user,
    an_image_request,
    claimed,
    execute,
    queued,
    rendering_design,
    rows,
    running,
)

SETTINGS = Settings(posegen_max_running=3, posegen_max_waiting=5)


def lanes(database: Database) -> dict[str, tuple[int, int, int, int]]:
    found = service.queue(database, SETTINGS, hosted={"fal"}).lanes
    return {each.name: (each.slots, each.running, each.claimed, each.free) for each in found}


def test_what_waits_is_counted_by_work_and_state(database: Database) -> None:
    user = a_user(database)
    queued(database, user)
    execute(database, "update generations set submitted_at = now() - interval '1 hour'")
    for _ in range(2):
        a_request(database, user)
    a_design(database, user)

    waiting = {(each.work, each.status): each for each in service.queue(database, SETTINGS, hosted=()).waiting}

    assert {key: each.number for key, each in waiting.items()} == {
        ("generations", "submitted"): 2,
        ("generations", "queued"): 1,
        ("designs", "draft"): 1,
        ("image_variants", "submitted"): 0,
    }
    assert waiting["generations", "queued"].oldest_seconds == pytest.approx(3600, abs=60)
    assert waiting["image_variants", "submitted"].oldest_seconds is None


def test_runs_of_each_lane_are_counted_and_a_batch_is_one_run(database: Database) -> None:
    assert lanes(database) == {"local": (3, 0, 0, 3), "hosted": (5, 0, 0, 5)}
    user = a_user(database)
    running(database, user)
    rendering_design(database, user)
    for _ in range(4):
        an_image_request(database, user)
    a_batch(database)

    assert lanes(database) == {"local": (3, 2, 1, 1), "hosted": (5, 0, 0, 5)}

    execute(database, "update generations set backend = 'fal'")
    assert lanes(database) == {"local": (3, 1, 1, 2), "hosted": (5, 1, 0, 4)}


def test_workers_are_what_the_view_of_work_under_way_has(database: Database) -> None:
    user = a_user(database)
    running(database, user)
    claimed(database, user)
    rendering_design(database, user)
    an_image_request(database, user)
    a_batch(database)

    found = service.workers(database)

    assert {(each.work, each.id) for each in found} == {
        (each["work"], each["id"]) for each in rows(database, "select work, id from work_under_way")
    }
    assert len(found) == 4
    assert {each.status for each in found} == {"running", "dispatched", "rendering"}
    assert {each.run_id is None for each in found if each.status == "dispatched"} == {True}


def test_open_breakers_are_in_the_queue(database: Database) -> None:
    with database.transaction() as connection:
        breaker_rows.count_failure(connection, "fal", "it hung up")
        breaker_rows.open_breaker(connection, "fal", seconds=60)

    (found,) = service.queue(database, SETTINGS, hosted=()).breakers

    assert (found.backend, found.last_error) == ("fal", "it hung up")


def test_incidents_are_listed_the_latest_first(database: Database) -> None:
    with database.transaction() as connection:
        for subject in "abc":
            incidents.note_found(connection, kind="queue_age", subject=subject, severity="critical", summary="slow")
    execute(database, "update incidents set opened_at = opened_at - interval '1 hour' where subject = 'a'")
    execute(database, "update incidents set closed_at = now() where subject = 'b'")

    first = service.list_incidents(database, limit=1)
    rest = service.list_incidents(database, limit=9, after=(first[0].opened_at, first[0].id))

    assert len(first) == 2
    assert {each.subject for each in (first[0], *rest)} == {"a", "b", "c"}
    assert rest[-1].subject == "a"
    assert {each.subject for each in service.list_incidents(database, limit=9, only_open=True)} == {"a", "c"}


def test_pages_of_the_audit_trail_join_audit_entries_and_ledger(database: Database) -> None:
    user = accounts.create_user(database, "Ayu", actor="test").id
    for amount in (1, 2, 3):
        accounts.grant(database, user, amount, reason="more", actor="test")
        accounts.update_user(database, user, actor="test", name=f"Ayu {amount}")

    found, after = [], None
    while page := service.audit_trail(database, limit=2, after=after):
        found += page[:2]
        after = (found[-1].created_at, found[-1].entry)

    assert [each.action for each in found] == ["user_changed", "credits_granted"] * 3 + ["user_created"]
    assert len({each.entry for each in found}) == 7
    assert len(service.audit_trail(database, limit=9, action="credits_granted", subject=str(user))) == 3
    assert service.audit_trail(database, limit=9, since=datetime(2999, 1, 1, tzinfo=UTC)) == []


def test_settings_have_their_sources_and_never_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "DATABASE_URL": "postgresql://posegen:hidden-0@127.0.0.1/posegen",
        "STORAGE_SIGNING_SECRET": "hidden-1-hidden-1-hidden",
        "HF_TOKEN": "hidden-2",
        "POSEGEN_ALERT_WEBHOOK": "https://hooks.example/hidden-3",
        "POSEGEN_FETCH_PROXY": "http://me:hidden-4@proxy.example:3128",
    }
    for name in ("POSEGEN_LOG_LEVEL", "STORAGE_MODE", "AWS_REGION", "S3_REGION", "FAL_KEY", "HUGGINGFACE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**secrets, "AWS_REGION": "eu-west-1", "USE_LOCAL_STORAGE": "true"}.items():
        monkeypatch.setenv(name, value)

    found = {each.name: each for each in service.listed_settings(load_settings())}

    assert found.keys() == {field.upper() for field in Settings.model_fields}
    assert (found["S3_REGION"].value, found["S3_REGION"].source) == ("eu-west-1", "AWS_REGION")
    assert (found["STORAGE_MODE"].value, found["STORAGE_MODE"].source) == ("local", "USE_LOCAL_STORAGE")
    assert (found["POSEGEN_LOG_LEVEL"].value, found["POSEGEN_LOG_LEVEL"].source) == ("info", None)
    assert (found["HUGGINGFACE_API_KEY"].value, found["HUGGINGFACE_API_KEY"].source) == ("set", "HF_TOKEN")
    assert (found["FAL_KEY"].value, found["FAL_KEY"].source) == ("not set", None)
    assert "hidden" not in repr(found)
    assert all(each.description for each in found.values())


def test_the_state_of_a_store_is_told_also_when_it_fails(tmp_path: Path) -> None:
    def unknown(name: str) -> LocalStore:
        raise StoreUnknown(name, ["local"])

    good = state_of(lambda _: LocalStore(tmp_path, base_url="/media"), "local")

    assert (good.store, good.good, good.error) == ("local", True, None)
    assert good.write_seconds
    assert good.free_bytes
    bad = state_of(unknown, "r2")
    assert (bad, bool(bad.error)) == (StoreState("r2", False, None, None, None, None, bad.error), True)
