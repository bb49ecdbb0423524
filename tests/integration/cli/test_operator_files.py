"""A broken file of the operator: which commands refuse it, and what `explain` and `doctor` say of what waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from posegen.generations import kind
from posegen.settings import Settings
from tests.builders import a_request, a_user, execute, status

SOUND = '[max]\nwire = "bfl"\nkey_variable = "STUDIO_KEY"\n'
BROKEN = SOUND + "concurrency = 0\n"


@pytest.fixture
def backends_file(tmp_path, monkeypatch) -> Path:
    for name in ("FAL_KEY", "BFL_API_KEY", "HUGGINGFACE_API_KEY", "HF_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "backends.toml"
    file.write_text(BROKEN)
    monkeypatch.setenv("STUDIO_KEY", "the key of the studio")
    monkeypatch.setenv("POSEGEN_BACKENDS_FILE", str(file))
    monkeypatch.setenv("POSEGEN_BACKENDS_OFFERED", "max")
    return file


@pytest.fixture
def user(database):
    return a_user(database)


def accepted(database, user, file: Path):
    """A generation that was judged while the file was sound."""
    asked = a_request(database, user, backend="max")
    file.write_text(SOUND)
    kind.kind(Settings()).take_in(database)
    file.write_text(BROKEN)
    assert status(database, asked) == "queued"
    return asked


def test_explain_names_the_file_the_table_and_the_problem(backends_file, database, user, posegen):
    queued = accepted(database, user, backends_file)
    submitted, drawn = a_request(database, user, backend="max"), a_request(database, user)

    for generation in (queued, submitted):
        told = posegen("explain", generation, width=400)
        assert told.code == 0, told.err
        assert "for POSEGEN_BACKENDS_FILE, or the settings, to be mended." in told.out
        assert f"{backends_file}, backend max: concurrency = 0" in told.out
    assert f"{backends_file}, backend max" in posegen("explain", submitted, "--json").json["waits"]
    assert posegen("explain", drawn, "--json").json["waits"] is None


def test_other_commands_and_the_start_still_refuse_a_broken_file(backends_file, posegen):
    for command in (["status"], ["up"], ["backends"]):
        refused = posegen(*command, width=400)
        assert refused.code == 1
        assert f"{backends_file}, backend max: concurrency = 0" in refused.err


def test_doctor_shows_the_problem_and_does_not_call_what_waits_for_it_stuck(backends_file, database, user, posegen):
    accepted(database, user, backends_file)
    a_request(database, user, backend="max")
    hour = "now() - interval '1 hour'"
    execute(database, f"update generations set submitted_at = {hour}, queued_at = {hour}, not_before = {hour}")

    found = {each["part"]: each for each in posegen("doctor", "--json").json}

    assert f"{backends_file}, backend max: concurrency = 0" in found["backend"]["detail"]
    assert found["queue"]["good"], found["queue"]


def test_explain_and_doctor_name_the_policy_file(database, user, tmp_path, monkeypatch, posegen):
    policy = tmp_path / "policy.toml"
    policy.write_text("real_person = [")
    monkeypatch.setenv("POSEGEN_POLICY_FILE", str(policy))
    waits = a_request(database, user, prompt="a person who waves")

    told = posegen("explain", waits, width=400)
    found = {each["part"]: each for each in posegen("doctor", "--json").json}

    assert "for POSEGEN_POLICY_FILE to be mended." in told.out
    assert f"{policy} is no TOML" in told.out
    assert f"{policy} is no TOML" in found["settings"]["detail"]


def test_doctor_names_a_broken_file_of_platforms(tmp_path, monkeypatch, posegen):
    file = tmp_path / "platforms.toml"
    file.write_text("[kiosk]\nwidth = 1\n")
    monkeypatch.setenv("POSEGEN_PLATFORMS_FILE", str(file))

    found = {each["part"]: each for each in posegen("doctor", "--json").json}

    assert f"{file}, platform kiosk: width = 1" in found["settings"]["detail"]
