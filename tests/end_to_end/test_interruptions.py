"""Work that is cut off: cancelled, killed, or asked to stop. Nothing is lost, made twice, or left running."""

from __future__ import annotations

import signal

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


def ledger_is_right(platform, user, *generations):
    """Whether every finished pose was paid for, once, and nothing else is spent or held."""
    finished = sum(len(finished_poses(platform, generation)) for generation in generations)
    captured = platform.value(
        "select count(*) from ledger_entries where kind = 'capture' and generation_id = any(%s)", list(generations)
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


# --- stopped and killed -------------------------------------------------------------------------------------------


def stop_after_a_hangup(platform):
    """Close the terminal, which `nohup` makes nothing of, and then ask it to stop."""
    processes, postmaster = platform.processes(), platform.postmaster()
    platform.process.send_signal(signal.SIGHUP)
    assert platform.get("/server_info")[0] == 200
    assert len(processes) >= 5

    platform.stop(signal.SIGTERM)

    assert platform.processes() == []
    assert not is_alive(postmaster)


def test_however_it_ends_the_next_start_goes_on_and_no_finished_pose_is_made_again(platform):
    user = platform.a_user()
    generations = [platform.insert(user, **MANY | {"variations": 10})]
    finished, cut_off = [], []

    for end in (stop_after_a_hangup, Home.kill, Home.cut_power):
        platform.wait(lambda: platform.result(generations[0])["status"] == "running")
        platform.at_work(generations[0], completed=1)
        finished = finished_poses(platform, generations[0])
        cut_off.append(platform.runs(generations[0])[0]["id"])
        end(platform)
        platform.wait(lambda: platform.processes() == [])
        assert find_platform(platform.folder) is None
        if end is Home.cut_power:
            generations.append(platform.insert(user, poses=["star-jump"]))
        platform.up()
        statuses = {run["id"]: run["status"] for run in platform.runs(generations[0])}
        assert [statuses[run] for run in cut_off] == ["FAILURE"] * len(cut_off), "each was told, or is reported now"
    results = platform.ended(*generations, seconds=LEASE_SECONDS + 180)

    assert [(each["status"], each["poses_completed"]) for each in results] == [("completed", 10), ("completed", 1)]
    assert ledger_is_right(platform, user, *generations)
    rows = {
        row["id"]: row for row in platform.sql("select * from generated_poses where generation_id = %s", generations[0])
    }
    assert len(finished) >= 2
    for pose in finished:
        row = rows[pose["pose_id"]]
        assert (row["attempts"], row["completed_at"]) == (1, pose["completed_at"])
    completions = platform.sql(
        "select count(*) from events where generation_id = %s and kind = 'pose_completed' group by detail->>'pose'",
        generations[0],
    )
    assert [each["count"] for each in completions] == [1] * 10
    kinds = [each["kind"] for each in platform.sql("select kind from events where generation_id = %s", generations[0])]
    assert kinds.count("released") == 2, "by the two that could still do it"
    counted = platform.sql("select attempts, lost_leases from generations where id = %s", generations[0])
    assert counted == [{"attempts": 0, "lost_leases": 1}], "to be asked to stop is no failure"
