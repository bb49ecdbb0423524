"""Usage reports against a recomputation in plain Python from the rows that went in, on random histories."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from statistics import mean

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posegen.poses.library import library_pose
from posegen.reports.periods import Period, day, month, week
from posegen.reports.usage import read_table, read_usage
from posegen.reports.usage_rows import TABLES
from tests.builders import a_request, a_user, execute, take_in
from tests.histories import BEGIN, DAYS, a_history, write
from tests.resets import reset

FIRST = BEGIN.date()
LAST = FIRST + timedelta(days=DAYS - 1)


@pytest.fixture
def report(database, prepared_url):
    """What a report says of a history: from an empty database each time."""

    def make(seed, generations, period):
        reset(prepared_url)
        history = a_history(seed, generations=generations)
        write(prepared_url, history)
        with database.transaction() as connection:
            return read_usage(connection, period), Recount(history, period)

    return make


class Recount:
    """The same figures, from the rows and without a query."""

    def __init__(self, history, period):
        self.history, self.period = history, period
        self.ended = [each for each in history["generations"] if self.within(each["finished_at"])]
        ids = {each["id"] for each in self.ended}
        self.poses = [each for each in history["generated_poses"] if each["generation_id"] in ids]
        pose_ids = {each["id"] for each in self.poses}
        self.exports = [each for each in history["exports"] if each["pose_id"] in pose_ids]
        self.entries = [each for each in history["ledger_entries"] if self.within(each["created_at"])]

    def within(self, moment):
        begin = datetime(*self.period.first.timetuple()[:3], tzinfo=UTC)
        return moment is not None and begin <= moment < begin + timedelta(days=self.period.days)

    def before_the_end(self, moment):
        return moment < datetime(*self.period.first.timetuple()[:3], tzinfo=UTC) + timedelta(days=self.period.days)

    def credits(self, kind):
        return sum(each["amount"] for each in self.entries if each["kind"] == kind)


def quantile(values, part):
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def as_dicts(table):
    return table.to_dict("records")


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**9),
    generations=st.integers(0, 30),
    first=st.integers(0, DAYS - 1),
    length=st.integers(1, DAYS),
)
def test_every_figure_is_that_of_a_recount_to_the_last_unit(report, seed, generations, first, length):
    began = FIRST + timedelta(days=first)
    said, recount = report(seed, generations, Period(began, began + timedelta(days=length - 1)))

    _compare_totals(said, recount)
    _compare_phases(said, recount)
    _compare_errors(said, recount)
    _compare_who_and_what(said, recount)
    _compare_storage(said, recount)
    _compare_days(said, recount)


def _compare_totals(said, recount):
    (totals,), (credits,) = as_dicts(said.tables["totals"]), as_dicts(said.tables["credits"])
    statuses = Counter(each["status"] for each in recount.ended)
    assert totals == {
        "generations": len(recount.ended),
        **{status: statuses[status] for status in ("completed", "partial", "failed", "cancelled")},
        "poses": sum(each["poses_total"] for each in recount.ended),
        "poses_completed": sum(each["poses_completed"] for each in recount.ended),
        "poses_failed": sum(each["poses_failed"] for each in recount.ended),
        "users": len({each["user_id"] for each in recount.ended}),
    }
    used, released, refunded = (recount.credits(kind) for kind in ("capture", "release", "refund"))
    assert (credits["used"], credits["released"], credits["refunded"]) == (used, released, refunded)
    assert said.headline.refund_rate == (pytest.approx(100 * refunded / used) if used else None)
    judged = len(recount.ended) - statuses["cancelled"]
    good = statuses["completed"] + statuses["partial"]
    assert said.headline.success_rate == (pytest.approx(100 * good / judged) if judged else None)


def _compare_phases(said, recount):
    started = [each for each in recount.ended if each["started_at"]]
    measured = {
        "duration": [(each["finished_at"] - each["submitted_at"]).total_seconds() for each in started],
        "queue wait": [(each["started_at"] - each["submitted_at"]).total_seconds() for each in started],
        "render": [each["render_ms"] / 1000 for each in recount.poses if each["render_ms"] is not None],
        "store": [each["store_ms"] / 1000 for each in recount.poses if each["store_ms"] is not None],
        "export": [each["export_ms"] / 1000 for each in recount.exports if each["export_ms"] is not None],
    }
    assert as_dicts(said.tables["phases"]) == [
        {
            "phase": phase,
            "measured": len(values),
            "average": pytest.approx(mean(values)),
            "p50": pytest.approx(quantile(values, 0.50)),
            "p95": pytest.approx(quantile(values, 0.95)),
            "p99": pytest.approx(quantile(values, 0.99)),
        }
        for phase, values in measured.items()
        if values
    ]


def _compare_errors(said, recount):
    generation_of = {each["id"]: each["generation_id"] for each in recount.poses}
    generations = {
        each["id"]: each["error_code"] for each in recount.ended if each["status"] in {"failed", "cancelled"}
    }
    poses = {each["id"]: each["error_code"] for each in recount.poses if each["status"] == "failed"}
    exports = [(each["pose_id"], each["error_code"]) for each in recount.exports if each["status"] == "failed"]
    all_poses = {each["id"]: each for each in recount.history["generated_poses"]}
    all_generations = {each["id"]: each for each in recount.history["generations"]}
    refunds = Counter()
    for entry in recount.entries:
        if entry["kind"] == "refund":
            code = all_poses[entry["pose_id"]]["error_code"] or all_generations[entry["generation_id"]]["error_code"]
            refunds[code or "none"] += entry["amount"]
    counted = [Counter(generations.values()), Counter(poses.values()), Counter(code for _, code in exports)]
    said_of = {each["error_code"]: each for each in as_dicts(said.tables["errors"])}

    assert said_of.keys() == set().union(*counted, refunds)
    for code, each in said_of.items():
        assert [each["generations"], each["poses"], each["exports"]] == [kind[code] for kind in counted]
        assert each["credits_refunded"] == refunds[code]
        concerned = {str(generation) for generation, its in generations.items() if its == code}
        concerned |= {str(generation_of[pose]) for pose, its in poses.items() if its == code}
        concerned |= {str(generation_of[pose]) for pose, its in exports if its == code}
        assert each["examples"] == sorted(concerned)[:3]


def _compare_who_and_what(said, recount):
    made = [each for each in recount.poses if each["status"] == "completed"]
    assert {each["library_pose"]: each["poses"] for each in as_dicts(said.tables["poses"])} == Counter(
        each["library_pose"] for each in made
    )
    assert {each["category"]: each["poses"] for each in as_dicts(said.tables["categories"])} == Counter(
        library_pose(each["library_pose"]).category for each in made
    )
    assert {each["format"]: (each["completed"], each["failed"]) for each in as_dicts(said.tables["formats"])} == {
        name: tuple(
            sum(each["format"] == name and each["status"] == status for each in recount.exports)
            for status in ("completed", "failed")
        )
        for name in {each["format"] for each in recount.exports}
    }
    assert {each["backend"]: (each["completed"], each["failed"]) for each in as_dicts(said.tables["backends"])} == {
        name: tuple(
            sum(each["backend"] == name and each["status"] == status for each in recount.poses)
            for status in ("completed", "failed")
        )
        for name in {each["backend"] for each in recount.poses}
    }
    used = Counter()
    for entry in recount.entries:
        used[str(entry["user_id"])] += entry["amount"] * (entry["kind"] == "capture")
    asked = Counter(str(each["user_id"]) for each in recount.ended)
    assert {
        each["user_id"]: (each["generations"], each["credits_used"]) for each in as_dicts(said.tables["users"])
    } == {
        user: (asked[user], used[user]) for user in asked.keys() | {user for user, credits in used.items() if credits}
    }


def _compare_storage(said, recount):
    there = [each for each in recount.history["objects"] if recount.before_the_end(each["created_at"])]
    kinds = {each["key"].split("/")[0] for each in there}
    assert {each["kind"]: each for each in as_dicts(said.tables["storage"])} == {
        kind: {
            "store": "local",
            "kind": kind,
            "objects": len(of_kind),
            "bytes": sum(of_kind.values()),
            "average": pytest.approx(mean(of_kind.values())),
            "objects_added": sum(recount.within(each["created_at"]) for each in there if each["id"] in of_kind),
            "bytes_added": sum(
                each["size"] for each in there if each["id"] in of_kind and recount.within(each["created_at"])
            ),
        }
        for kind in kinds
        for of_kind in [{each["id"]: each["size"] for each in there if each["key"].startswith(kind)}]
    }
    days = {recount.period.first + timedelta(days=number) for number in range(recount.period.days)}
    assert {each["store"]: each["byte_days"] for each in as_dicts(said.tables["kept"])} == (
        {"local": sum(one["size"] for each in days for one in there if one["created_at"].date() <= each)}
        if there
        else {}
    )
    traffic = [each for each in recount.history["store_traffic"] if each["day"] in days]
    assert {each["operation"]: (each["operations"], each["bytes"]) for each in as_dicts(said.tables["traffic"])} == {
        name: tuple(
            sum(each[what] for each in traffic if each["operation"] == name) for what in ("operations", "bytes")
        )
        for name in {each["operation"] for each in traffic}
    }


def _compare_days(said, recount):
    days = as_dicts(said.tables["days"])
    assert [each["day"] for each in days] == [
        recount.period.first + timedelta(days=number) for number in range(recount.period.days)
    ]
    for each in days:
        of_day = [one for one in recount.ended if one["finished_at"].date() == each["day"]]
        assert each["generations"] == len(of_day)
        assert each["credits_used"] == sum(
            one["amount"]
            for one in recount.entries
            if one["kind"] == "capture" and one["created_at"].date() == each["day"]
        )
        assert each["bytes_added"] == sum(
            one["size"] for one in recount.history["objects"] if one["created_at"].date() == each["day"]
        )


# --- the past stays as it was ---------------------------------------------------------------------------------------


def test_what_was_deleted_since_stays_in_the_reports_of_the_days_on_which_it_was_there(report, database):
    before, _ = report(5, 25, Period(FIRST, LAST))
    execute(database, "update exports set status = 'failed', error_code = 'storage_failed', object_id = null")
    assert execute(database, "delete from objects where key like 'exports/%%'") > 5

    with database.transaction() as connection:
        after = read_usage(connection, Period(FIRST, LAST))
        today = read_table(connection, "storage", day(datetime.now(UTC).date()))

    for name in ("storage", "storage_users", "kept", "days"):
        assert as_dicts(after.tables[name]) == as_dicts(before.tables[name])
    assert "exports" in set(before.tables["storage"]["kind"])
    assert "exports" not in set(today["kind"])


def test_days_add_up_to_their_week_and_month(report, database):
    whole, _ = report(11, 30, Period(FIRST, LAST))
    parts = [FIRST + timedelta(days=number) for number in range(DAYS)]

    with database.transaction() as connection:
        by_day = [read_table(connection, "totals", day(each)).iloc[0] for each in parts]

    for column in ("generations", "poses", "poses_completed", "failed"):
        assert sum(each[column] for each in by_day) == whole.tables["totals"].iloc[0][column]


def test_a_report_of_nothing_has_all_its_tables_and_no_rate(report):
    said, _ = report(1, 0, Period(date(2020, 1, 1), date(2020, 1, 31)))

    for name, table in TABLES.items():
        assert list(said.tables[name].columns) == list(table.columns)
    assert said.headline.generations == 0
    assert said.headline.success_rate is None
    assert said.headline.refund_rate is None
    assert said.headline.duration_p95 is None
    assert len(said.tables["days"]) == 31


@pytest.mark.parametrize("zone", ["Asia/Jakarta", "America/Los_Angeles", "UTC"])
def test_the_time_zone_of_a_connection_changes_no_figure(report, database, zone):
    _, recount = report(3, 30, week(FIRST))

    with database.transaction() as connection:
        connection.execute("select set_config('timezone', %s, true)", [zone])
        said = read_usage(connection, week(FIRST))

    _compare_totals(said, recount)
    _compare_storage(said, recount)
    _compare_days(said, recount)


def test_weeks_begin_on_monday_and_months_have_all_their_days():
    assert week(date(2026, 11, 21)) == Period(date(2026, 11, 16), date(2026, 11, 22))
    assert month(date(2024, 2, 29)) == Period(date(2024, 2, 1), date(2024, 2, 29))
    assert month(date(2026, 12, 31)).end == datetime(2027, 1, 1, tzinfo=UTC)


def test_refusals_of_the_policy_are_counted_by_user_and_category(database):
    first, second = a_user(database), a_user(database)
    for user, prompts in ((first, ["a naked person", "nudes", "a murder"]), (second, ["a gory scene", "a red dress"])):
        for prompt in prompts:
            a_request(database, user, prompt=prompt)
    take_in(database)
    foreign = a_request(database, second, poses=["unknown"])
    take_in(database)
    execute(database, "update generations set error_code = 'inappropriate_prompt' where id = %s", foreign)

    with database.transaction() as connection:
        table = read_table(connection, "refusals", day(datetime.now(UTC).date()))

    found = {(row["user_id"], row["category"]): row["generations"] for row in table.to_dict("records")}
    assert found == {
        (str(first), "sexual"): 2,
        (str(first), "violence"): 1,
        (str(second), "violence"): 1,
        (str(second), "backend"): 1,
    }
    assert set(table["name"]) == {"Ayu"}
