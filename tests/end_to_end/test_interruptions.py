"""Work that is cut off: cancelled, killed, or asked to stop. Nothing is lost, made twice, or left running."""

from __future__ import annotations

import signal

import pytest

from posegen.running_platform import find_platform
from tests.homes import LEASE_SECONDS, PRICE, Home, is_alive

MANY = {"poses": ["star-jump"], "variations": 8, "formats": ["shopee"]}
TERMINATE = """
mutation($run: String!) {
  terminateRun(runId: $run, terminatePolicy: SAFE_TERMINATE) {__typename ... on TerminateRunFailure {message}}
}
"""


def finished_poses(platform, generation):
    return [pose for pose in platform.poses(generation) if pose["status"] == "completed"]


def ledger_is_right(platform, user, generation):
    """Whether every finished pose was paid for, once, and nothing else is spent or held."""
    finished = len(finished_poses(platform, generation))
    captured = platform.value(
        "select count(*) from ledger_entries where kind = 'capture' and generation_id = %s", generation
    )
    return captured == finished and platform.credits(user) == (10_000 - finished * PRICE, 0, finished * PRICE)


# --- cancelled ----------------------------------------------------------------------------------------------------


def test_a_customer_who_cancels_pays_for_what_is_there(platform):
    user = platform.a_user()
    generation = platform.insert(user, **MANY)
    platform.at_work(generation, completed=2)

    assert platform.value("select cancel_generation(%s)", generation) is True

    result = platform.result(generation)
    assert (result["status"], result["error_code"]) == ("cancelled", "cancelled")
    finished = finished_poses(platform, generation)
    assert 2 <= len(finished) < 8
    platform.wait(lambda: platform.runs(generation)[0]["status"] not in {"STARTED", "CANCELING"})
    assert platform.runs(generation)[0]["status"] == "CANCELED", "nothing has failed, and nothing has succeeded"
    assert finished_poses(platform, generation) == finished, "nothing is written after the customer's word"
    assert ledger_is_right(platform, user, generation)
    assert len(platform.runs(generation)) == 1


def test_an_operator_who_cancels_the_run_cancels_the_generation(platform):
    user = platform.a_user()
    generation = platform.insert(user, **MANY)
    platform.at_work(generation, completed=2)
    (run,) = platform.runs(generation)

    assert platform.ask(TERMINATE, run=run["id"])["terminateRun"]["__typename"] == "TerminateRunSuccess"

    (result,) = platform.ended(generation)
    assert (result["status"], result["error_code"]) == ("cancelled", "cancelled")
    platform.wait(lambda: platform.runs(generation)[0]["status"] not in {"STARTED", "CANCELING"})
    assert platform.runs(generation) == [{"id": run["id"], "status": "CANCELED"}], "and it was not started again"
    told = platform.sql("select kind from events where generation_id = %s order by sequence", generation)
    kinds = [each["kind"] for each in told]
    assert (kinds.count("dispatched"), kinds.count("released"), kinds[-1]) == (1, 0, "cancelled")
    cancelled = platform.sql("select detail from events where generation_id = %s and kind = 'cancelled'", generation)
    assert cancelled[0]["detail"]["actor"] == "operator, in the Dagster UI"
    assert ledger_is_right(platform, user, generation)


# --- killed -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cut", "lost_leases"), [(Home.kill, 0), (Home.cut_power, 1)], ids=["up alone", "everything"])
def test_after_a_kill_it_goes_on_and_no_finished_pose_is_made_again(platform, cut, lost_leases):
    user = platform.a_user()
    generation = platform.insert(user, **MANY)
    platform.at_work(generation, completed=2)
    finished = finished_poses(platform, generation)

    cut(platform)
    while_it_was_down = platform.insert(user, poses=["star-jump"])
    platform.up()
    result, _ = platform.ended(generation, while_it_was_down, seconds=LEASE_SECONDS + 180)

    assert (result["status"], result["poses_completed"]) == ("completed", 8)
    assert platform.credits(user) == (10_000 - 9 * PRICE, 0, 9 * PRICE)
    rows = {
        row["id"]: row for row in platform.sql("select * from generated_poses where generation_id = %s", generation)
    }
    for pose in finished:
        row = rows[pose["pose_id"]]
        assert (row["attempts"], row["completed_at"]) == (1, pose["completed_at"])
    completions = platform.sql(
        "select count(*) from events where generation_id = %s and kind = 'pose_completed' group by detail->>'pose'",
        generation,
    )
    assert [each["count"] for each in completions] == [1] * 8
    counted = platform.sql("select attempts, lost_leases from generations where id = %s", generation)
    assert counted == [{"attempts": 0, "lost_leases": lost_leases}]


# --- asked to stop ------------------------------------------------------------------------------------------------


def test_one_signal_ends_all_of_it_and_work_in_hand_is_put_back(platform):
    user = platform.a_user()
    generation = platform.insert(user, **MANY)
    platform.at_work(generation, completed=1)
    processes, postmaster = platform.processes(), platform.postmaster()
    assert len(processes) >= 5

    platform.stop(signal.SIGTERM)

    assert platform.processes() == []
    assert not is_alive(postmaster)
    assert find_platform(platform.folder) is None

    platform.up()
    (result,) = platform.ended(generation)
    assert result["status"] == "completed"
    assert ledger_is_right(platform, user, generation)
    kinds = [each["kind"] for each in platform.sql("select kind from events where generation_id = %s", generation)]
    assert kinds.count("released") == 1
    counted = platform.sql("select attempts, lost_leases from generations where id = %s", generation)
    assert counted == [{"attempts": 0, "lost_leases": 0}], "to be asked to stop is no failure"
