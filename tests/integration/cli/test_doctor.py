"""`posegen doctor`: each part, broken once, is found and comes with what mends it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections import namedtuple
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from posegen.backends import breaker_rows as breakers
from posegen.cli.session import open_session
from posegen.database import fitness
from posegen.database.server_url import parse_url
from posegen.generations.asking.claims import claim_one
from posegen.upkeep import examination
from posegen.upkeep.examination import examine
from tests.builders import a_request, a_user, claimed, execute, finished, queued, running, started, take_in

PARTS = [
    *("settings", "python", "home", "disk", "store", "backend", "database", "clock", "store local", "objects"),
    *("platform", "queue", "steps", "lists", "breakers", "failures", "accounts"),
]


@pytest.fixture(autouse=True)
def _as_it_should_be(monkeypatch, database):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    execute(database, "update stores set base_url = '/media'")


def findings(answer):
    return {finding["part"]: finding for finding in answer.json}


def the_bad_one(answer):
    assert answer.code == 1
    (bad,) = [finding for finding in answer.json if not finding["good"]]
    assert bad["fix"]
    return bad


def test_a_sound_installation_is_all_good(posegen):
    answer = posegen("doctor", "--json")

    assert answer.code == 0
    assert [finding["part"] for finding in answer.json] == PARTS
    assert all(finding["good"] and not finding["fix"] for finding in answer.json)


def test_people_get_a_table(posegen):
    answer = posegen("doctor")

    assert answer.code == 0
    for part in PARTS:
        assert part in answer.out


def test_a_setting_that_cannot_be_used(posegen, monkeypatch):
    monkeypatch.setenv("POSEGEN_LEASE_SECONDS", "-1")

    bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "settings"
    assert "POSEGEN_LEASE_SECONDS = '-1'" in bad["detail"]


def test_python_that_writes_no_bytecode(posegen, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    assert the_bad_one(posegen("doctor", "--json"))["fix"].startswith("Unset PYTHONDONTWRITEBYTECODE")


def test_a_disk_that_is_nearly_full(posegen, monkeypatch):
    usage = namedtuple("usage", "total used free")  # as the standard library has it
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12 - 10**8, 10**8))

    bad = the_bad_one(posegen("doctor", "--json"))

    assert (bad["part"], bad["detail"]) == ("disk", "0.1 GB free for pictures")
    assert "STORAGE_LOCAL_PATH" in bad["fix"]


def test_a_disk_that_is_nearly_full_beside_the_pictures(posegen, monkeypatch, home):
    usage = namedtuple("usage", "total used free")
    free = {home: 10**8}
    (home / "pictures").mkdir()
    monkeypatch.setenv("STORAGE_LOCAL_PATH", str(home / "pictures"))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**12, 0, free.get(folder, 10**11)))

    bad = the_bad_one(posegen("doctor", "--json"))

    assert (bad["part"], bad["detail"]) == ("disk", "0.1 GB free for data")
    assert "POSEGEN_HOME" in bad["fix"]


def test_a_home_where_nothing_can_be_written(posegen, monkeypatch, tmp_path):
    (tmp_path / "in-the-way").write_text("a file")
    (tmp_path / "in-the-way").chmod(0o755)
    monkeypatch.setenv("STORAGE_LOCAL_PATH", str(tmp_path / "storage"))
    monkeypatch.setenv("POSEGEN_HOME", str(tmp_path / "in-the-way" / "folder"))

    bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "home"
    assert "POSEGEN_HOME" in bad["fix"]


def test_a_home_that_belongs_to_somebody_else(posegen, monkeypatch, home):
    # The tests may run as root, whom no mode keeps out.
    monkeypatch.setattr(os, "access", lambda path, _: path != home)

    bad = the_bad_one(posegen("doctor", "--json"))

    assert (bad["part"], bad["detail"]) == ("home", f"nothing can be written in {home}")


def test_without_a_home_no_embedded_server_is_tried(posegen, monkeypatch, tmp_path):
    (tmp_path / "in-the-way").write_text("a file")
    monkeypatch.setenv("POSEGEN_HOME", str(tmp_path / "in-the-way"))
    monkeypatch.delenv("DATABASE_URL")

    found = findings(posegen("doctor", "--json"))

    assert not found["home"]["good"]
    assert "database" not in found


@pytest.mark.parametrize("below", ["", "folder"])
def test_a_store_where_nothing_can_be_written(posegen, monkeypatch, tmp_path, below):
    (tmp_path / "in-the-way").write_text("a file")
    monkeypatch.setenv("STORAGE_LOCAL_PATH", str(tmp_path / "in-the-way" / below))

    bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "store"
    assert "STORAGE_LOCAL_PATH" in bad["fix"]


def test_a_backend_that_does_not_exist(posegen, monkeypatch):
    monkeypatch.setenv("POSEGEN_BACKEND", "dream")

    bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "backend"
    assert "There is no backend 'dream'; known: mannequin" in bad["detail"]


def test_a_database_that_cannot_be_reached(posegen, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://ayu:secret-word@127.0.0.1:9/posegen")

    answer = posegen("doctor", "--json")

    bad = the_bad_one(answer)
    assert bad["part"] == "database"
    assert "cannot be reached" in bad["detail"]
    assert "DATABASE_URL" in bad["fix"]
    assert "secret-word" not in answer.out + answer.err


@pytest.mark.parametrize(
    ("path", "content"),
    [("postgres/connection.json", "damaged"), ("postgres/users.lock/", ""), ("postgres", "a file")],
)
def test_advice_for_the_embedded_server_never_presupposes_another_one(posegen, monkeypatch, tmp_path, path, content):
    home = tmp_path / "home"
    target = home / path
    target.parent.mkdir(parents=True)
    if path.endswith("/"):
        target.mkdir()
    else:
        target.write_text(content)
    monkeypatch.setenv("POSEGEN_HOME", str(home))
    monkeypatch.setenv("STORAGE_LOCAL_PATH", str(tmp_path / "storage"))
    monkeypatch.delenv("DATABASE_URL")

    bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "database"
    assert "DATABASE_URL" not in bad["fix"]
    assert str(home / "postgres") in bad["fix"]


def test_a_missing_setting_is_not_to_be_unset(posegen, monkeypatch):
    monkeypatch.setenv("STORAGE_MODE", "r2")

    bad = the_bad_one(posegen("doctor", "--json"))

    assert "R2_BUCKET_NAME is not set" in bad["detail"]
    assert bad["fix"].startswith("Correct, set or unset")


def test_a_database_without_the_schema(posegen, monkeypatch, empty_database_url):
    monkeypatch.setenv("DATABASE_URL", empty_database_url)

    bad = the_bad_one(posegen("doctor", "--json"))

    assert (bad["part"], bad["fix"]) == ("database", "posegen db upgrade")


def test_a_server_that_is_too_old(posegen, monkeypatch):
    monkeypatch.setattr(fitness, "OLDEST_VERSION", 99)

    bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "database"
    assert "Posegen needs 99 or newer" in bad["detail"]


def test_a_user_without_the_rights_to_a_database(posegen, postgres, monkeypatch):
    with psycopg.connect(postgres.application, autocommit=True) as admin:
        admin.execute("create role doctors_patient login password 'pw'")
        try:
            url = parse_url(postgres.application)
            login = re.sub(r"^[^@]*@", "doctors_patient:pw@", url.login)
            monkeypatch.setenv("DATABASE_URL", f"postgresql://{login}/no_such_database?{url.options}")

            bad = the_bad_one(posegen("doctor", "--json"))
        finally:
            admin.execute("drop role doctors_patient")

    assert bad["part"] == "database"
    assert "Have an administrator run: create database" in bad["detail"]


@pytest.mark.parametrize("grants", ["", "grant select on alembic_version to doctors_patient"])
def test_a_user_without_the_rights_to_the_tables(posegen, database, monkeypatch, grants):
    url = parse_url(database.url)
    login = re.sub(r"^[^@]*@", "doctors_patient:pw@", url.login)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://{login}/{url.database}?{url.options}")
    monkeypatch.setenv("DAGSTER_DATABASE", "dagster_of_the_patient")
    with psycopg.connect(database.url, autocommit=True) as admin:
        admin.execute("create role doctors_patient login createdb password 'pw'")
        try:
            if grants:
                admin.execute(grants)
            bad = the_bad_one(posegen("doctor", "--json"))
        finally:
            admin.execute("drop database if exists dagster_of_the_patient with (force)")
            admin.execute("drop owned by doctors_patient")
            admin.execute("drop role doctors_patient")

    assert bad["part"] == "database"
    assert "permission denied" in bad["detail"]
    assert "database-roles.md" in bad["fix"]


def test_a_clock_that_is_wrong(posegen):
    later = examine(lambda: datetime.now(UTC) + timedelta(hours=1))

    (bad,) = [finding for finding in later if not finding.good]
    assert bad.part == "clock"
    assert "3600 s away" in bad.detail
    assert "NTP" in bad.fix


def test_pictures_that_are_gone_from_the_store(posegen, studio, store):
    finished(studio)
    gone = next(entry.key for entry in store.list("poses/"))
    store.delete(gone)

    bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "objects"
    assert f"1 of the newest 2 are missing in local, such as {gone}" in bad["detail"]


def test_a_store_that_belongs_to_another_database(posegen, studio, database):
    with open_session() as session:
        session.studio()  # marks the store
    execute(database, "update stores set identity = gen_random_uuid()")

    bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "store local"
    assert "belongs to another Posegen database" in bad["detail"]


def seconds_in(text, pattern):
    """The number of seconds in a detail, which goes on while a test does."""
    found = re.search(pattern, text)
    assert found, text
    return int(found[1])


@pytest.mark.parametrize(
    ("make", "slow", "detail", "seconds"),
    [
        (
            lambda database: a_request(database, a_user(database)),
            "update generations set submitted_at = now() - interval '2 minutes'",
            r"was not judged for (\d+) s",
            120,
        ),
        (
            queued,
            "update generations set queued_at = now() - interval '1 hour', not_before = now() - interval '10 minutes'",
            r"waits for (\d+) s beside a free slot",
            600,
        ),
        (
            claimed,
            "update generations set dispatched_at = now() - interval '1 hour'",
            r"has not begun for (\d+) s",
            3600,
        ),
        (
            running,
            "update generations set lease_expires_at = now() - interval '90 s'",
            r"a lease ran out (\d+) s ago",
            90,
        ),
    ],
)
def test_work_that_does_not_move(database, posegen, make, slow, detail, seconds):
    make(database)
    execute(database, slow)

    found = findings(posegen("doctor", "--json"))

    assert not found["queue"]["good"]
    assert seconds <= seconds_in(found["queue"]["detail"], detail) < seconds + 180


def test_work_that_waits_for_its_backend_or_for_a_slot_is_as_it_should_be(database, posegen, monkeypatch):
    queued(database)
    execute(
        database, "update generations set queued_at = now() - interval '1 hour', not_before = now() - interval '1 h'"
    )
    breaker_opened(database)
    assert findings(posegen("doctor", "--json"))["queue"]["good"]

    execute(database, "delete from backend_outages")
    execute(database, "delete from backend_breakers")
    assert not findings(posegen("doctor", "--json"))["queue"]["good"]

    running_beside(database)
    monkeypatch.setenv("POSEGEN_MAX_RUNNING", "1")
    assert findings(posegen("doctor", "--json"))["queue"]["good"]


def test_generations_of_hosted_backends_wait_for_slots_of_their_own(database, posegen, monkeypatch):
    monkeypatch.setenv("FAL_KEY", "a-key-of-fal-for-tests")
    monkeypatch.setenv("POSEGEN_MAX_RUNNING", "5")
    monkeypatch.setenv("POSEGEN_MAX_WAITING", "1")
    running_beside(database)
    queued(database)
    execute(database, "update generations set backend = 'fal'")
    execute(
        database,
        "update generations set queued_at = now() - interval '1 hour', not_before = now() - interval '1 h' "
        "where status = 'queued'",
    )
    assert findings(posegen("doctor", "--json"))["queue"]["good"]

    monkeypatch.setenv("POSEGEN_MAX_WAITING", "2")
    bad = findings(posegen("doctor", "--json"))["queue"]
    assert not bad["good"]
    assert "beside a free slot" in bad["detail"]


def test_a_backend_that_is_left_alone(database, posegen):
    breaker_opened(database)

    bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "breakers"
    assert "the breaker of mannequin is open for another " in bad["detail"]
    assert "no route to host" in bad["detail"]


def test_generations_that_fail_one_after_the_other(database, posegen):
    failed = [ended(database, "storage_failed") for _ in range(3)]

    bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "failures"
    assert bad["detail"] == "3 of 3 generations of the last hour: storage_failed 3"
    assert bad["fix"].removeprefix("posegen explain ") in map(str, failed)


def test_what_customers_got_wrong_is_no_failure_of_ours(database, posegen):
    for code in ("invalid_request", "insufficient_credits", "inappropriate_prompt"):
        ended(database, code)

    assert posegen("doctor", "--json").code == 0


@pytest.mark.parametrize(
    ("wrong", "detail"),
    [
        (
            "update accounts set credits_available = credits_available + 5, credits_granted = credits_granted + 5",
            "available is 10005, its entries give 10000",
        ),
        ("update accounts set storage_used = 7", "has 7 bytes used"),
    ],
)
def test_balances_that_are_not_those_of_their_rows(database, posegen, wrong, detail):
    a_user(database)
    execute(database, wrong)

    bad = the_bad_one(posegen("doctor", "--json"))

    assert bad["part"] == "accounts"
    assert detail in bad["detail"]


def test_a_ledger_that_takes_long_to_replay_is_left_to_the_audit(database, posegen, monkeypatch):
    for _ in range(2):
        a_user(database)
    monkeypatch.setattr(examination, "MOST_AUDITED", 1)

    found = findings(posegen("doctor", "--json"))

    assert "`posegen credits audit`" in found["accounts"]["detail"]


def test_urls_of_the_database_that_are_not_those_of_the_settings(posegen, monkeypatch):
    monkeypatch.setenv("STORAGE_BASE_URL", "https://pictures.example")

    bad = the_bad_one(posegen("doctor", "--json"))

    assert (bad["part"], bad["fix"]) == ("pictures", "posegen db upgrade")


@pytest.mark.parametrize(
    ("make", "detail"),
    [
        (lambda database: a_request(database, a_user(database)), "1 waiting, 0 under way"),
        (queued, "1 waiting, 0 under way"),
        (claimed, "0 waiting, 1 under way"),
    ],
)
def test_work_that_waits_while_nothing_is_up(database, posegen, make, detail):
    make(database)

    bad = the_bad_one(posegen("doctor", "--json"))

    assert (bad["part"], bad["fix"]) == ("platform", "posegen up")
    assert detail in bad["detail"]


def breaker_opened(database):
    """A breaker of the mannequin that is open."""
    with database.transaction() as connection:
        breakers.count_failure(connection, "mannequin", "no route to host")
        breakers.open_breaker(connection, "mannequin", seconds=60)


def running_beside(database):
    """A generation at work beside those that wait."""
    generation = a_request(database, a_user(database))
    take_in(database)
    with database.transaction() as connection:
        claim = claim_one(connection, generation)
    started(database, claim)


def ended(database, code):
    """A generation that ended just now with this code."""
    generation = a_request(database, a_user(database))
    execute(
        database,
        "update generations set status = 'failed', error_code = %s, finished_at = now() where id = %s",
        code,
        generation,
    )
    return generation


def test_several_faults_are_all_found(posegen, monkeypatch, tmp_path):
    (tmp_path / "in-the-way").write_text("a file")
    monkeypatch.setenv("STORAGE_LOCAL_PATH", str(tmp_path / "in-the-way"))
    monkeypatch.setenv("POSEGEN_BACKEND", "dream")
    monkeypatch.setenv("DATABASE_URL", "garbage")

    answer = posegen("doctor", "--json")

    assert answer.code == 1
    assert [finding["part"] for finding in answer.json if not finding["good"]] == ["store", "backend", "database"]


def test_what_it_found_is_shown_as_it_is(posegen, monkeypatch, tmp_path):
    monkeypatch.setenv("POSEGEN_HOME", str(tmp_path / "[/]odd[bold]"))

    answer = posegen("doctor", width=200)

    assert answer.code == 0
    assert "[/]odd[bold]" in answer.out


def test_looking_changes_nothing(posegen, empty_database_url, monkeypatch, home):
    monkeypatch.setenv("DATABASE_URL", empty_database_url)

    first, second = posegen("doctor", "--json"), posegen("doctor", "--json")

    assert findings(first)["database"] == findings(second)["database"]
    assert [path for path in home.rglob("*") if path.is_file()] == []
