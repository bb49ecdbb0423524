"""Work that is cut off: cancelled, killed, or asked to stop. Nothing is lost, made twice, or left running."""

from __future__ import annotations

import signal

import pytest

from posegen.supervisor.locks import find_platform
from tests.homes import IN_THE_BACKGROUND, LEASE_SECONDS, PRICE

MANY = {"poses": ["star-jump"], "variations": 20, "formats": ["shopee"]}
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
    assert 2 <= len(finished) < 20
    platform.wait(lambda: platform.runs(generation)[0]["status"] in {"FAILURE", "SUCCESS"})
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
    platform.wait(lambda: all(each["status"] in {"FAILURE", "CANCELED"} for each in platform.runs(generation)))
    assert ledger_is_right(platform, user, generation)


# --- killed -------------------------------------------------------------------------------------------------------


def test_after_a_power_cut_it_goes_on_and_no_finished_pose_is_made_again(platform):
    user = platform.a_user()
    generation = platform.insert(user, **MANY)
    platform.at_work(generation, completed=3)

    platform.cut_power()

    finished = finished_poses(platform, generation)
    assert 3 <= len(finished) < 20
    assert platform.result(generation)["status"] == "running", "nobody could say otherwise"
    while_it_was_down = platform.insert(user, poses=["star-jump"])
    platform.up()
    result, _ = platform.ended(generation, while_it_was_down, seconds=LEASE_SECONDS + 60)

    assert (result["status"], result["poses_completed"]) == ("completed", 20)
    ids = {pose["pose_id"] for pose in finished}
    assert [pose for pose in platform.poses(generation) if pose["pose_id"] in ids] == [
        {
            **pose,
            "generation_status": "completed",
            "poses_completed": 20,
            "exports": pose["exports"] or {"shopee": next_export(platform, pose)},
        }
        for pose in finished
    ]
    attempts = platform.sql("select id, attempts from generated_poses where generation_id = %s", generation)
    assert {each["attempts"] for each in attempts if each["id"] in ids} == {1}
    completions = platform.sql(
        "select detail->>'pose' as pose, count(*) from events "
        "where generation_id = %s and kind = 'pose_completed' group by 1",
        generation,
    )
    assert [each["count"] for each in completions] == [1] * 20
    assert platform.credits(user) == (10_000 - 21 * PRICE, 0, 21 * PRICE)
    assert platform.value("select lost_leases from generations where id = %s", generation) == 1


def next_export(platform, pose):
    """Where the export lies that was made after the pose was looked at."""
    return platform.value("select exports->>'shopee' from pose_results where pose_id = %s", pose["pose_id"])


# --- asked to stop ------------------------------------------------------------------------------------------------


@pytest.fixture
def in_the_background(home):
    """`posegen up &`, which ignores SIGINT from birth; stopped by the test."""
    if home.process is not None and home.process.poll() is None:
        home.stop(signal.SIGTERM, seconds=40)
    home.up(*IN_THE_BACKGROUND)
    return home


def test_one_sigterm_ends_all_of_it_and_work_in_hand_is_put_back(in_the_background):
    platform = in_the_background
    user = platform.a_user()
    generation = platform.insert(user, **MANY)
    platform.at_work(generation, completed=1)
    processes, postmaster = platform.processes(), platform.postmaster()
    assert len(processes) >= 5

    assert platform.stop(signal.SIGTERM, seconds=60) < 25

    assert platform.processes() == []
    assert not is_alive(postmaster)
    assert find_platform(platform.folder) is None

    platform.up()
    platform.at_work(generation, completed=2)
    (state,) = platform.sql("select attempts, lost_leases from generations where id = %s", generation)
    assert state == {"attempts": 0, "lost_leases": 0}, "to be asked to stop is no failure"
    kinds = [each["kind"] for each in platform.sql("select kind from events where generation_id = %s", generation)]
    assert kinds.count("released") == 1
    (result,) = platform.ended(generation)
    assert result["status"] == "completed"
    assert ledger_is_right(platform, user, generation)


def test_one_ctrl_c_ends_all_of_it_when_nothing_is_to_be_done(in_the_background):
    platform = in_the_background
    postmaster = platform.postmaster()
    second = platform.posegen("up", code=1)
    assert "`posegen up` already runs" in second.stderr

    assert platform.stop(signal.SIGINT, seconds=60) < 10

    assert platform.processes() == []
    assert not is_alive(postmaster)


def test_without_anybody_to_make_pictures_a_request_waits_and_says_so(home):
    if home.process is not None and home.process.poll() is None:
        home.stop(signal.SIGTERM, seconds=40)

    asked = home.posegen("submit", "star-jump", "--wait", code=1)

    assert "`posegen up`" in asked.stderr
    assert "submitted" in asked.stdout
    assert "1 waiting" in home.posegen("doctor", code=1).stdout


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
