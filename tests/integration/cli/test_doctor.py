"""`posegen doctor`: each part, broken once, is found and comes with what mends it."""

from __future__ import annotations

import shutil
import sys
from collections import namedtuple

import pytest

from posegen.supervisor.locks import hold_home
from tests.builders import a_request, a_user, claimed, queued

PARTS = ["settings", "python", "disk", "store", "backend", "database", "store local", "platform"]


@pytest.fixture(autouse=True)
def _bytecode_is_written(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


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

    assert the_bad_one(posegen("doctor", "--json"))["fix"] == "unset PYTHONDONTWRITEBYTECODE"


def test_a_disk_that_is_nearly_full(posegen, monkeypatch):
    usage = namedtuple("usage", "total used free")  # as the standard library has it
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12 - 10**8, 10**8))

    bad = the_bad_one(posegen("doctor", "--json"))

    assert (bad["part"], bad["detail"]) == ("disk", "0.1 GB free for pictures")
    assert "STORAGE_LOCAL_PATH" in bad["fix"]


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


def test_a_database_without_the_schema(posegen, monkeypatch, empty_database_url):
    monkeypatch.setenv("DATABASE_URL", empty_database_url)

    bad = the_bad_one(posegen("doctor", "--json"))

    assert (bad["part"], bad["fix"]) == ("database", "posegen db upgrade")


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


def test_work_that_waits_while_it_is_up_is_as_it_should_be(database, posegen, home):
    queued(database)

    with hold_home(home, "http://127.0.0.1:9"):
        answer = posegen("doctor", "--json")

    assert answer.code == 0
    assert findings(answer)["platform"]["detail"] == "up at http://127.0.0.1:9, 1 waiting, 0 under way"


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
