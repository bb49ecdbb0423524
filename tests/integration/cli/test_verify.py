"""`posegen verify`: a table and exit code 0 when all is well, examples and exit code 1 when not."""

from __future__ import annotations

from posegen.storage.local import LocalStore
from tests.builders import expire_lease, finished, running, value


def test_all_is_well(studio, posegen):
    finished(studio)

    answer = posegen("verify", width=120)

    assert answer.code == 0
    assert answer.out.endswith("Everything is as it must be.\n")
    assert "I1 " in answer.out
    assert "in the store local" in answer.out


def test_a_violation_is_named_and_makes_the_command_fail(database, posegen):
    lease = running(database)
    expire_lease(database, lease.id)

    answer = posegen("verify", "--json")
    assert answer.code == 0, "a sweep may be a little late"

    late = "update generations set lease_expires_at = now() - interval '1 hour' returning id"
    value(database, late)
    answer = posegen("verify", width=120)
    assert answer.code == 1
    assert f"I12: generation {lease.id}: its lease expired" in answer.out
    assert "1 of 18 rules are broken" in answer.out


def test_scripts_read_json(studio, posegen):
    finished(studio)

    found = posegen("verify", "--json", "--read-all").json

    assert {finding["name"] for finding in found} >= {"I1", "I2", "I3", "I4", "I5", "I14", "guards"}
    assert all(finding["violations"] == 0 and finding["examples"] == [] for finding in found)


def test_the_grace_of_objects_without_a_row_is_an_option(database, home, posegen):
    store = LocalStore(home / "storage", base_url="/media")
    store.put("poses/nobody/nothing-6b56f89a918f.png", b"left behind", content_type="image/png")

    assert posegen("verify").code == 0
    answer = posegen("verify", "--grace", "0")
    assert answer.code == 1
    assert "nothing-6b56f89a918f.png" in answer.out
