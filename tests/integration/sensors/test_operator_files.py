"""A file of the operator that breaks while the platform runs: only what needs it waits, and operators are told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from structlog.testing import capture_logs

from posegen.backends.registry import Backends
from posegen.errors import BackendHeldBack
from posegen.generations import kind
from posegen.generations.asking.claims import claim_next
from posegen.generations.making.outcomes import hold_back
from posegen.generations.making.poses import make_poses
from posegen.generations.making.recovery import TimeLimits, recover
from posegen.settings import Settings
from posegen.work import failing_steps as steps
from posegen.work import slots
from posegen.work.keeper import LeaseKeeper
from posegen.work.rules import RetryRule
from sensors import requests
from tests.builders import (
    GENERATIONS,
    a_request,
    a_user,
    credits,
    event_kinds,
    execute,
    result,
    row,
    rows,
    started,
    status,
    value,
)
from tests.conftest import BASE_URL
from tests.deployments import resources_of

SOUND = """
[studio]
wire = "fal"
key_variable = "STUDIO_KEY"

[max]
wire = "bfl"
key_variable = "STUDIO_KEY"
"""
BROKEN = SOUND + "concurrency = 0\n"


@dataclass
class Platform:
    """A running platform: what one tick starts, and the file that it reads."""

    database: object
    instance: dg.DagsterInstance
    home: Path
    file: Path

    def tick(self) -> list[str]:
        """The generations that one evaluation of the sensor starts runs for."""
        asked_for = resources_of(
            requests.generation_requests, url=self.database.url, posegen_home=self.home, storage_base_url=BASE_URL
        )
        with dg.build_sensor_context(instance=self.instance, resources=asked_for) as context:
            found = requests.generation_requests(context)
        started = found.run_requests if isinstance(found, dg.SensorResult) else None
        return [str(each.run_key).partition(":")[0] for each in started or []]

    def write(self, text: str) -> None:
        self.file.write_text(text)


@pytest.fixture
def platform(database, instance, tmp_path, monkeypatch) -> Platform:
    for name in ("FAL_KEY", "BFL_API_KEY", "HUGGINGFACE_API_KEY", "HF_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "backends.toml"
    file.write_text(SOUND)
    monkeypatch.setenv("POSEGEN_LISTEN_SECONDS", "0.01")
    monkeypatch.setenv("POSEGEN_MAX_RUNNING", "5")
    monkeypatch.setenv("STUDIO_KEY", "the key of the studio")
    monkeypatch.setenv("POSEGEN_BACKENDS_FILE", str(file))
    monkeypatch.setenv("POSEGEN_BACKENDS_OFFERED", "studio,max")
    return Platform(database, instance, tmp_path, file)


@pytest.fixture
def user(database):
    return a_user(database)


def failing(database) -> dict[str, str]:
    with database.transaction() as connection:
        return {each.step: each.summary for each in steps.failing_steps(connection)}


# --- requests ---------------------------------------------------------------------------------------------------------


def test_only_requests_for_a_backend_whose_table_is_broken_wait_until_the_file_is_mended(platform, database, user):
    platform.write(BROKEN)
    waits = a_request(database, user, backend="max")
    others = [a_request(database, user, backend=backend) for backend in ("studio", "mannequin", None)]

    assert sorted(platform.tick()) == sorted(map(str, others))
    assert status(database, waits) == "submitted"
    assert event_kinds(database, waits) == ["submitted"]
    assert credits(database, user)[1] == sum(result(database, each)["credits_held"] for each in others)

    platform.write(SOUND)
    assert platform.tick() == [str(waits)]


def test_requests_that_name_no_backend_wait_for_the_default_one(platform, database, user, monkeypatch):
    monkeypatch.setenv("POSEGEN_BACKEND", "max")
    platform.write(BROKEN)
    waits, drawn = a_request(database, user), a_request(database, user, backend="mannequin")

    assert platform.tick() == [str(drawn)]
    assert status(database, waits) == "submitted"


@pytest.mark.parametrize("broken", ["no TOML", "no file", "a folder", "no UTF-8"])
def test_a_file_that_cannot_be_read_holds_up_the_backends_that_it_may_describe(platform, database, user, broken):
    if broken in ("no TOML", "no UTF-8"):
        platform.file.write_bytes(b"[max" if broken == "no TOML" else b"\xff\xfe[max]")
    else:
        platform.file.unlink()
    if broken == "a folder":
        platform.file.mkdir()
    waits = [a_request(database, user, backend=backend) for backend in ("studio", "max")]
    drawn = [a_request(database, user, backend=backend) for backend in ("mannequin", None)]

    assert sorted(platform.tick()) == sorted(map(str, drawn))
    assert [status(database, each) for each in waits] == ["submitted"] * 2


def test_a_table_that_is_gone_and_a_name_that_nothing_describes_hold_up_their_requests_only(
    platform, database, user, monkeypatch
):
    monkeypatch.setenv("POSEGEN_BACKEND", "dream")
    platform.write(SOUND.partition("[max]")[0])
    waits = [a_request(database, user, backend=backend) for backend in ("max", None)]
    made, refused = a_request(database, user, backend="studio"), a_request(database, user, backend="photoshop")

    assert platform.tick() == [str(made)]
    assert [status(database, each) for each in waits] == ["submitted"] * 2
    assert result(database, refused)["error_code"] == "invalid_request"


def test_a_broken_table_that_is_not_offered_holds_up_nothing(platform, database, user, monkeypatch):
    monkeypatch.setenv("POSEGEN_BACKENDS_OFFERED", "studio")
    platform.write(BROKEN)
    asked = a_request(database, user, backend="max")

    assert platform.tick() == []
    assert result(database, asked)["error_code"] == "invalid_request"


def test_a_flood_of_requests_that_wait_for_the_file_keeps_no_other_from_being_judged(platform, database, monkeypatch):
    monkeypatch.setattr(kind, "_INTAKE_PER_TICK", 2)
    platform.write(BROKEN)
    for _ in range(4):
        a_request(database, a_user(database), backend="max")
    drawn = a_request(database, a_user(database))

    assert platform.tick() == [str(drawn)]


# --- generations that were accepted before ----------------------------------------------------------------------------


def accepted(platform, database, user, backend: str):
    """A generation that was judged while the file was sound, and not claimed yet."""
    asked = a_request(database, user, backend=backend)
    kind.kind(Settings()).take_in(database)
    assert status(database, asked) == "queued"
    return asked


def test_a_generation_whose_backend_is_broken_by_now_waits_and_others_are_claimed(platform, database, user):
    waits, others = accepted(platform, database, user, "max"), [accepted(platform, database, user, "studio")]
    others.append(a_request(database, user))
    platform.write(BROKEN)

    assert sorted(platform.tick()) == sorted(map(str, others))
    assert status(database, waits) == "queued"
    assert not rows(database, "select from backend_breakers where opened_at is not null")

    platform.write(SOUND)
    assert platform.tick() == [str(waits)]


def test_an_open_call_of_a_backend_that_is_broken_by_now_draws_no_claim(platform, database, user):
    waits = accepted(platform, database, user, "max")
    execute(
        database,
        """
        insert into backend_calls (id, generation_id, pose_id, purpose, budget, attempt, backend, model, recipe,
            recipe_hash, seed, state, token, far_id, sent_at)
        select gen_random_uuid(), generation_id, id, 'pose', 1, 1, 'max', 'm', '{}', repeat('0', 64), 1, 'accepted', 1,
            'far', now()
        from generated_poses where generation_id = %s
        """,
        waits,
    )
    platform.write(BROKEN)

    assert platform.tick() == []
    platform.write(SOUND)
    assert platform.tick() == [str(waits)]


def test_runs_of_a_backend_that_breaks_meanwhile_take_no_slot_of_drawn_ones(platform, database, user, monkeypatch):
    monkeypatch.setenv("POSEGEN_MAX_RUNNING", "1")
    for _ in range(slots.most_claimed(1) + 1):
        accepted(platform, database, user, "max")
    assert len(platform.tick()) == slots.most_claimed(1) + 1
    platform.write(BROKEN)
    drawn = [a_request(database, user) for _ in range(2)]

    assert sorted(platform.tick()) == sorted(map(str, drawn))


def test_a_run_that_meets_the_broken_file_puts_its_generation_back_and_opens_no_breaker(
    platform, database, user, studio
):
    waits = accepted(platform, database, user, "max")
    (claim,) = claim_next(database, most_running=5, most_waiting=5, hosted={"studio", "max"})
    platform.write(BROKEN)
    backends = Backends.of(Settings())
    broken = type(studio)(
        database=database, store=studio.store, open_backend=studio.open_backend, describe=backends.describe,
        open_hosted=backends.open_hosted, hosted=backends.hosted,
    )  # fmt: skip
    lease = started(database, claim)

    with (
        LeaseKeeper(database, GENERATIONS.queue, [lease], lease_seconds=60) as keeper,
        pytest.raises(BackendHeldBack, match="backend max: concurrency = 0") as held,
    ):
        make_poses(broken, lease, keeper)
    hold_back(database, lease, held.value)

    assert status(database, waits) == "queued"
    assert value(database, "select attempts from generations where id = %s", waits) == 0
    assert not rows(database, "select from backend_breakers where opened_at is not null")


def test_the_clock_of_a_generation_stands_still_while_its_table_is_broken(platform, database, user):
    waits = accepted(platform, database, user, "max")
    platform.write(BROKEN)
    platform.tick()
    three_hours_ago = "now() - interval '3 hours'"
    execute(database, f"update generations set started_at = {three_hours_ago} where id = %s", waits)
    execute(database, f"update backend_outages set opened_at = {three_hours_ago}")

    assert recover(database, RetryRule(), TimeLimits()) == []
    platform.tick()
    assert value(database, "select count(*) from backend_outages") == 1

    platform.write(SOUND)
    assert platform.tick() == [str(waits)]
    assert value(database, "select count(*) from backend_outages where closed_at is null") == 0
    assert recover(database, RetryRule(), TimeLimits()) == []


# --- what operators are told ------------------------------------------------------------------------------------------


def test_a_broken_file_is_logged_once_counted_each_time_and_opens_an_incident(platform, database):
    platform.write(BROKEN)
    with capture_logs() as logs:
        for _ in range(3):
            platform.tick()

    told = [each for each in logs if each["event"] == "step failed"]
    assert [(each["tick"], each["step"]) for each in told] == [("generation_requests", "backends")]
    assert value(database, "select failures from step_failures") >= 3
    (incident,) = rows(database, "select subject, summary from incidents where closed_at is null")
    assert incident["subject"] == "generation_requests: backends"
    assert f"{platform.file}, backend max: concurrency = 0" in incident["summary"]

    platform.write(SOUND)
    execute(database, "update step_failures set last_at = now() - interval '61 seconds'")
    platform.tick()
    assert failing(database) == {}


# --- the file of the policy -------------------------------------------------------------------------------------------


@pytest.fixture
def policy(tmp_path, monkeypatch) -> Path:
    file = tmp_path / "policy.toml"
    file.write_text("real_person = [")
    monkeypatch.setenv("POSEGEN_POLICY_FILE", str(file))
    return file


def test_a_broken_policy_file_holds_up_requests_with_words_only(platform, database, user, policy):
    waits = [
        a_request(database, user, prompt="Jane Q. Example"),
        a_request(database, user, negative_prompt="blurred", allow_degraded=True),
    ]
    silent = a_request(database, user)

    assert platform.tick() == [str(silent)]
    assert [status(database, each) for each in waits] == ["submitted"] * 2
    assert f"{policy} is no TOML" in failing(database)["policy"]

    policy.write_text('real_person = ["Jane Q. Example"]')
    assert platform.tick() == [str(waits[1])]
    assert row(database, "select error_code from generations where id = %s", waits[0])["error_code"] == (
        "inappropriate_prompt"
    )
