"""`posegen replay`: the verdict in words, for scripts, and as an exit code."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from uuid import uuid4

import numpy as np
import pytest

from posegen.backends.mannequin import Mannequin
from posegen.backends.registry import Backends
from posegen.generations.rows.poses import pose_id
from posegen.images.validation import open_image
from posegen.settings import load_settings
from posegen.work.commit_points import KILLED, CommitPoint
from tests.builders import execute, finished, rows
from tests.forked_commands import forked_commands
from tests.wires.far_end import FarEnd


@pytest.fixture
def pose(studio):
    """Drawn by the mannequin, which the command uses too."""
    return pose_id(finished(replace(studio, open_backend=lambda _: Mannequin()), seed=9), 0)


def test_the_same_picture_is_identical_and_another_says_how_far_it_is(posegen, studio, pose, tmp_path):
    answer = posegen("replay", pose, "-o", tmp_path / "again.png")

    assert answer.code == 0
    assert answer.out.startswith("Identical: the same file, byte for byte.\nRecipe ")
    assert "another version" not in answer.out
    assert np.ptp(open_image((tmp_path / "again.png").read_bytes())) > 100

    execute(studio.database, """update generated_poses set recipe = recipe || '{"seed": 10, "backend_version": "0"}'""")
    answer, as_json = posegen("replay", pose, width=200), posegen("replay", pose, "--json")

    assert answer.code == as_json.code == 1
    assert "Different: PSNR " in answer.out
    assert "The stored recipe has another hash" in answer.out
    assert "made with mannequin 0." in answer.out
    assert f"Rendered now with mannequin {Mannequin().version}: another version may draw otherwise." in answer.out
    assert as_json.json["likeness"] == "different"
    assert 5 < as_json.json["psnr"] < 60
    assert as_json.json["pose_id"] == str(pose)


def test_a_pose_that_does_not_exist_is_a_mistake(posegen, studio):
    unknown = uuid4()

    answer = posegen("replay", unknown, width=200)

    assert answer.code == 1
    assert f"There is no generated pose {unknown}" in answer.err


@pytest.fixture
def far_end(monkeypatch):
    """Of the wire `fal`; the settings lead there."""
    with FarEnd.fal(seconds=0.1) as far_end:
        monkeypatch.setenv("FAL_KEY", far_end.key)
        monkeypatch.setenv("FAL_BASE_URL", far_end.base_url)
        yield far_end


@pytest.fixture
def photograph(studio, far_end):
    """A pose that the far end was paid for."""
    backends = Backends.of(load_settings())
    photographing = replace(studio, open_hosted=backends.open_hosted, describe=backends.descriptions.get)
    pose = pose_id(finished(photographing, seed=9, backend="fal"), 0)
    backends.close()
    return pose


def test_a_photograph_is_paid_for_again_only_when_told_so_and_may_differ(posegen, studio, far_end, photograph):
    refused = posegen("replay", photograph, width=300)

    assert refused.code == 1
    assert "bills every picture (0.075 USD by the price list of 2026-11-29): say --billed" in refused.err
    assert len(far_end.ledger.submissions()) == 1

    again = posegen("replay", photograph, "--billed", width=300)

    assert (again.code, len(far_end.ledger.submissions())) == (0, 2)
    assert again.out.startswith("Identical")
    assert ": 0.075 USD.\n" in again.out
    calls = posegen("calls", "--json").json
    assert [(call["purpose"], call["state"]) for call in calls] == [("replay", "used"), ("pose", "used")]
    assert "replay" in posegen("calls", width=250).out

    execute(studio.database, "update generated_poses set recipe = jsonb_set(recipe, '{seed}', '10')")

    answer, as_json = (posegen("replay", photograph, "--billed", *options) for options in ((), ("--json",)))

    assert answer.code == as_json.code == 1
    assert "That is expected: a hosted model need not give the same picture" in " ".join(answer.out.split())
    assert (as_json.json["likeness"], as_json.json["billed_usd"], as_json.json["seeds"]) == (
        "different",
        "0.075000",
        True,
    )


@pytest.fixture(scope="module")
def forked():
    """Commands in processes of their own, which can be killed."""
    with forked_commands({"POSEGEN_BACKEND_SECONDS": "5"}) as forked:
        yield forked


@pytest.fixture
def process(forked, database, home, far_end):
    """The same in the surroundings of the test."""
    variables = {"DATABASE_URL": database.url, "POSEGEN_HOME": str(home)}
    return partial(forked, FAL_KEY=far_end.key, FAL_BASE_URL=far_end.base_url, **variables)


@pytest.mark.parametrize("point", [CommitPoint.AFTER_MARK, CommitPoint.AFTER_SUBMIT, CommitPoint.WHILE_WAITING])
def test_after_a_kill_the_same_command_goes_on_with_the_call_and_pays_once(
    process, database, far_end, photograph, point
):
    killed = process("replay", photograph, "--billed", POSEGEN_KILL_AT=point)
    assert killed.code == KILLED

    again = process("replay", photograph, "--billed")

    assert again.code == 0, again.err
    assert len(far_end.ledger.submissions()) == 2, "the pose, and its replay"
    calls = rows(database, "select state, attempt, sent_at from backend_calls where purpose = 'replay'")
    assert [(call["state"], call["attempt"]) for call in calls] == [("used", 1)]
