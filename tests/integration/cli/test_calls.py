"""`posegen calls` and `posegen backends`: who makes pictures, what was asked of them, and what it has cost."""

from __future__ import annotations

import pytest

from posegen.upkeep.examination import examine
from posegen.upkeep.finding import Part
from tests import hosted
from tests.builders import SLUGS, execute, finished, rows


@pytest.fixture
def photographed(studio):
    """A generation of two poses by a hosted backend."""
    photographing = hosted.photographing(studio, hosted.FarEndInProcess())
    return finished(photographing, poses=SLUGS[:2], backend=hosted.NAME)


def test_calls_are_listed_with_their_state_and_cost(photographed, posegen):
    listed = posegen("calls", "--json").json

    assert [(call["state"], call["backend"], call["billed_usd"]) for call in listed] == [
        ("used", hosted.NAME, "0.075000")
    ] * 2
    assert {call["generation_id"] for call in listed} == {str(photographed)}
    table = posegen("calls", width=250).out
    assert table.count(str(photographed)) == 2
    assert "0.075" in table


@pytest.mark.parametrize(
    ("option", "change"),
    [
        ("--open", "state = 'sent', ended_at = null, settled_at = null"),
        ("--uncertain", "state = 'uncertain', billed_usd = null, bill_source = null"),
        ("--unused", "state = 'rejected'"),
    ],
)
def test_an_option_shows_one_kind_of_calls(database, photographed, posegen, option, change):
    assert posegen("calls", option, "--json").json == []
    assert posegen("calls", option).out == "No such calls.\n"
    chosen = rows(database, "select id from backend_calls order by id limit 1")[0]["id"]
    execute(database, f"update backend_calls set {change} where id = %s", chosen)

    assert [call["id"] for call in posegen("calls", option, "--json").json] == [str(chosen)]


def test_calls_of_one_generation(photographed, studio, posegen):
    other = finished(studio)

    assert len(posegen("calls", "--generation", photographed, "--json").json) == 2
    assert posegen("calls", "--generation", other, "--json").json == []


def test_two_kinds_at_once_are_refused(posegen):
    refused = posegen("calls", "--open", "--unused")

    assert refused.code == 2
    assert "--open and --unused cannot be combined" in refused.err


def test_backends_exist_once_their_key_is_set_and_are_offered_by_a_setting_of_their_own(database, posegen, monkeypatch):
    assert [each["name"] for each in posegen("backends", "--json").json] == ["mannequin"]

    monkeypatch.setenv("FAL_KEY", "a-key")
    assert [(each["name"], each["offered"]) for each in posegen("backends", "--json").json] == [
        ("mannequin", True),
        ("fal", False),
    ]

    monkeypatch.setenv("POSEGEN_BACKENDS_OFFERED", "fal")
    shown = posegen("backends", width=200).out
    assert "0.075" in shown
    assert "a-key" not in shown


def test_an_offered_backend_without_a_key_is_named(database, posegen, monkeypatch):
    monkeypatch.setenv("POSEGEN_BACKENDS_OFFERED", "fal")

    refused = posegen("backends")

    assert refused.code == 1
    assert "no backend 'fal'" in refused.err


def test_doctor_warns_of_pictures_that_are_billed_and_cost_no_more_credits(database, posegen, monkeypatch):
    monkeypatch.setenv("FAL_KEY", "a-key")
    monkeypatch.setenv("FAL_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("POSEGEN_BACKENDS_OFFERED", "fal")

    def finding():
        return next(each for each in examine() if each.part == Part.BACKEND)

    assert not finding().good
    assert "POSEGEN_CREDITS_HOSTED_BACKEND" in finding().fix
    monkeypatch.setenv("POSEGEN_CREDITS_HOSTED_BACKEND", "60")
    assert finding().good


# --- backends of a file -----------------------------------------------------------------------------------------------


@pytest.fixture
def backends_file(tmp_path, monkeypatch):
    file = tmp_path / "backends.toml"
    file.write_text(
        '[studio]\nwire = "openai"\nmodel = "Qwen/Qwen-Image"\n'
        'address = "http://127.0.0.1:9/v1"\nkey_variable = "STUDIO_KEY"\nprice = 0.004\nprice_date = 2026-11-30\n'
    )
    monkeypatch.setenv("POSEGEN_BACKENDS_FILE", str(file))
    return file


def test_a_backend_of_a_file_is_listed_with_the_reason_why_it_cannot_be_used(
    database, posegen, backends_file, monkeypatch
):
    shown = posegen("backends", width=200).out
    assert "no: STUDIO_KEY is not set" in shown
    assert "backends.toml" in shown

    monkeypatch.setenv("STUDIO_KEY", "a-secret-key")
    monkeypatch.setenv("POSEGEN_BACKENDS_OFFERED", "studio")
    monkeypatch.setenv("POSEGEN_BACKEND_COSTS", '{"studio": 0.005}')
    mannequin, studio = posegen("backends", "--json").json
    assert mannequin["file"] is None
    assert studio["file"] == str(backends_file)
    assert (studio["offered"], studio["why_not"], studio["breaker_open"], studio["open_calls"]) == (True, "", False, 0)
    assert (studio["licence"], studio["licence_name"], studio["licence_class"]) == ("Qwen-Image", "Apache-2.0", "free")
    assert (float(studio["price_usd"]), studio["price_date"]) == (0.005, "")
    shown = posegen("backends", width=200).out
    assert "0.005 (POSEGEN_BACKEND_COSTS)" in shown
    assert "a-secret-key" not in shown


def test_a_file_that_cannot_be_used_stops_every_command_and_doctor_names_it(database, posegen, backends_file):
    backends_file.write_text(backends_file.read_text().replace("0.004", "-1"))

    refused = posegen("db", "upgrade", width=300)
    assert refused.code == 1
    assert f"{backends_file}, backend studio: price = -1: Input should be greater than 0." in refused.err
    finding = next(each for each in examine() if each.part == Part.BACKEND)
    assert not finding.good
    assert f"{backends_file}, backend studio: price = -1" in finding.detail
    assert "POSEGEN_BACKENDS_FILE" in finding.fix


# --- the calls behind a picture -----------------------------------------------------------------------------------


def call_of(database, position=0):
    (found,) = rows(
        database,
        "select c.*, o.key from backend_calls c join generated_poses p on p.id = c.pose_id "
        "join objects o on o.id = c.object_id where p.position = %s",
        position,
    )
    return found


def test_show_names_the_call_of_each_pose_with_its_bill_seed_and_licence(database, photographed, posegen):
    first, second = call_of(database, 0), call_of(database, 1)
    execute(database, "update backend_calls set facts = '{\"seed\": null}' where id = %s", second["id"])

    shown = posegen("show", photographed).out

    lines = [line.strip() for line in shown.splitlines()]
    assert f"call {first['id']} of {hosted.NAME}: used, 0.075 USD (response)" in lines
    assert f"model test/photographs, licence test, seed {first['seed']} came back" in lines
    assert f"model test/photographs, licence test, seed {second['seed']} was asked for, no seed came back" in lines
    document = posegen("show", photographed, "--json").json
    assert [[call["id"] for call in pose["calls"]] for pose in document["poses"]] == [
        [str(first["id"])],
        [str(second["id"])],
    ]


def test_inspect_names_the_call_behind_a_picture_and_behind_a_file_as_it_was_delivered(
    database, store, photographed, posegen, tmp_path
):
    call = call_of(database)
    image = rows(
        database,
        "select o.key from generated_poses p join objects o on o.id = p.image_object where p.id = %s",
        call["pose_id"],
    )[0]["key"]
    for name, key in (("image.png", image), ("original.png", call["key"])):
        (tmp_path / name).write_bytes(store.get(key))

        out = posegen("inspect", tmp_path / name).out
        assert f"Pose {call['pose_id']}: call {call['id']} of {hosted.NAME}: used, 0.075 USD (response)" in out
        assert f"seed {call['seed']} came back" in out
        document = posegen("inspect", tmp_path / name, "--json").json
        assert [each["id"] for each in document["calls"]] == [str(call["id"])]


def test_inspect_names_the_call_of_a_file_that_no_pose_has_used(database, store, photographed, posegen, tmp_path):
    call = call_of(database)
    file = tmp_path / "original.png"
    file.write_bytes(store.get(call["key"]))
    execute(database, "update generated_poses set original_object = image_object")
    execute(database, "update backend_calls set state = 'rejected' where id = %s", call["id"])

    assert f"call {call['id']} of {hosted.NAME}: rejected, 0.075 USD" in posegen("inspect", file).out
