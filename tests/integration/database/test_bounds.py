"""Bounds in the database for what operators and foreign backends write: refused at once, or usable for good."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import psycopg
import pytest
from psycopg import errors

from posegen.database.connection import Database
from posegen.database.migrate import upgrade_schema
from posegen.settings import Settings
from tests.builders import a_user, value
from tests.migrations import upgrade_to

TIMES = (
    "infinity",
    "-infinity",
    "10000-01-01",
    "294276-12-31",
    "0001-01-01",
    "4713-01-01 BC",
    "1969-12-31Z",
    "3000-01-02Z",
)
MOST_AT_ONCE, MOST_GRANTED = 10**12, 10**15


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("table", ["users", "library_poses"])
def test_a_time_that_python_or_a_report_could_not_hold_is_refused(database: Database, table: str, time: str) -> None:
    a_user(database)
    with pytest.raises(errors.CheckViolation, match="created_at_in_range"), database.transaction() as connection:
        connection.execute(f"update {table} set created_at = %s", [time])


@pytest.mark.parametrize("time", ["1970-01-01Z", "3000-01-01Z"])
def test_the_ends_of_the_range_are_accepted_in_every_time_zone(database: Database, time: str) -> None:
    with database.transaction() as connection:
        for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
            connection.execute("select set_config('timezone', %s, true)", [zone])
            connection.execute("insert into users (name, created_at) values ('Ayu', %s)", [time])


@pytest.mark.parametrize("limit", [2**53 + 1, 2**63 - 1])
def test_a_limit_of_space_above_what_every_reader_counts_exactly_is_refused(database: Database, limit: int) -> None:
    a_user(database)
    with pytest.raises(errors.CheckViolation, match="storage_limit_in_range"), database.transaction() as connection:
        connection.execute("update accounts set storage_limit = %s", [limit])


@pytest.mark.parametrize("amount", [-(2**63), -1, 0, MOST_AT_ONCE + 1, 2**63 - 1])
def test_a_grant_that_is_none_or_too_large_is_refused(database: Database, amount: int) -> None:
    user = a_user(database, credits=0)
    with pytest.raises(errors.CheckViolation, match=f"cannot grant {amount} credits"):
        grant(database, user, amount)


def test_grants_together_stay_below_what_a_sum_can_carry(database: Database) -> None:
    user = a_user(database, credits=0)
    for _ in range(MOST_GRANTED // MOST_AT_ONCE):
        grant(database, user, MOST_AT_ONCE)
    with pytest.raises(errors.CheckViolation, match="is the most"):
        grant(database, user, 1)
    assert value(database, "select credits_available from accounts where user_id = %s", user) == MOST_GRANTED


@pytest.mark.parametrize("side", ["NaN", "Infinity", "1e30"])
def test_a_product_has_sides_that_can_be_drawn(database: Database, side: str) -> None:
    with pytest.raises(errors.CheckViolation), database.transaction() as connection:
        connection.execute("update product_types set width = %s::real", [side])


def test_rows_from_before_the_bounds_are_moved_into_them_and_stay_usable(empty_database_url: str) -> None:
    upgrade_to(empty_database_url, "0006")
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(
            "insert into users (name, created_at) values ('A', 'infinity'), ('B', '-infinity'), ('C', '2020-01-01Z')"
        )
        connection.execute("update accounts set storage_limit = 9223372036854775807")
        connection.execute("select grant_credits(id, 9000000000000000000, 'unlimited') from users where name = 'A'")

    upgrade_schema(empty_database_url)

    with psycopg.connect(empty_database_url) as connection:
        connection.execute("set timezone = 'UTC'")
        found = dict(connection.execute("select name, created_at from users").fetchall())
        assert found == {
            "A": datetime(3000, 1, 1, tzinfo=UTC),
            "B": datetime(1970, 1, 1, tzinfo=UTC),
            "C": datetime(2020, 1, 1, tzinfo=UTC),
        }
        connection.execute("update users set name = name || '!'")
        connection.execute("update accounts set storage_used = 1, storage_reserved = 1")
        connection.execute("select grant_credits(id, 10, 'more') from users where name = 'B!'")
        with pytest.raises(errors.CheckViolation, match="is the most"):
            connection.execute("select grant_credits(id, 10, 'more') from users where name = 'A!'")


def test_every_duration_of_the_settings_can_be_added_to_the_time(database: Database) -> None:
    for name, field in Settings.model_fields.items():
        unit = next(
            (unit for unit in ("secs", "hours", "days") if name.endswith(f"_{unit}") or name.endswith("_seconds")), ""
        )
        if float not in {field.annotation, *get_args(field.annotation)} or not unit:
            continue
        most = next(limit.le for limit in field.metadata if hasattr(limit, "le"))
        for amount in (0, 5e-324, most):
            with database.transaction() as connection:
                row: Any = connection.execute(
                    f"select now() + %s * interval '1 {unit}' as later, now() - %s * interval '1 {unit}' as earlier",
                    [amount, amount],
                ).fetchone()
            assert row["earlier"] <= row["later"]


def grant(database: Database, user: object, amount: int) -> None:
    with database.transaction() as connection:
        connection.execute("select grant_credits(%s, %s::bigint, 'test')", [user, amount])
