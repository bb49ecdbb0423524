"""`posegen doctor` asks the far ends of the offered backends whether they take the keys, and pays nothing."""

from __future__ import annotations

import time

import pytest

from posegen.settings import Settings
from posegen.upkeep.far_ends import look_at_far_ends
from tests.wires.far_end import FarEnd

FAR_ENDS = {"fal": FarEnd.fal, "bfl": FarEnd.bfl, "huggingface": FarEnd.huggingface, "openai": FarEnd.openai}
VARIABLES = {
    "fal": "FAL_KEY",
    "bfl": "BFL_API_KEY",
    "huggingface": "HUGGINGFACE_API_KEY",
    "openai": "OPENAI_API_KEY",
}


@pytest.fixture(params=FAR_ENDS)
def far_end(request):
    with FAR_ENDS[request.param](seconds=0) as far_end:
        yield far_end


@pytest.fixture
def looked(far_end, monkeypatch):
    """Looks at the far end with the settings that it prints."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    name = far_end.wire.name

    def look(offered=name, seconds=5.0, **changed):
        settings = {key.lower(): value for key, value in far_end.environment().items()}
        return look_at_far_ends(
            Settings(**{**settings, "posegen_backends_offered": offered, **changed}), seconds=seconds
        )

    return look


def test_a_good_key_is_said_to_be_accepted_and_nothing_is_paid(looked, far_end):
    (finding,) = looked()

    assert finding.good
    assert (finding.part, finding.detail) == (f"backend {far_end.wire.name}", "its key is accepted")
    assert far_end.ledger.submissions() == []


def test_a_key_that_is_refused_names_its_variable_and_is_not_shown(looked, far_end):
    variable = VARIABLES[far_end.wire.name]
    (finding,) = looked(**{variable.lower(): "hunter2-is-wrong"})

    assert not finding.good
    assert variable in finding.fix
    assert "hunter2" not in f"{finding}"


def test_an_address_that_does_not_respond_is_named(looked, far_end):
    with far_end.away():
        (finding,) = looked()

    assert not finding.good
    assert f"No connection to {far_end.base_url}" in finding.detail
    assert "address" in finding.fix


@pytest.mark.parametrize("fault", ["hang", "html", "500"])
def test_a_far_end_that_does_not_answer_as_documented_is_no_good_one_and_keeps_nobody_waiting(looked, far_end, fault):
    step = "status" if far_end.wire.name == "fal" else "account"
    far_end.faults.add(fault, step, times=None)
    began = time.monotonic()
    (finding,) = looked(seconds=1.0)

    assert time.monotonic() - began < 4
    assert not finding.good


def test_what_is_not_offered_is_not_asked(looked, far_end):
    assert looked(offered="") == []


def test_a_backend_without_its_key_is_not_asked(far_end, monkeypatch):
    for variable in (*VARIABLES.values(), "HF_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    assert look_at_far_ends(Settings(posegen_backends_offered=far_end.wire.name)) == []


def test_an_endpoint_is_not_woken():
    with FarEnd.huggingface(seconds=0) as far_end:
        settings = Settings(
            huggingface_api_key=far_end.key,
            huggingface_endpoint_url=f"{far_end.base_url}/endpoint",
            posegen_backends_offered="huggingface-endpoint",
        )
        (finding,) = look_at_far_ends(settings)

        assert (finding.good, finding.detail) == (True, "cannot be checked without paying")
        assert far_end.ledger.submissions() == []


def test_a_compatible_server_without_a_list_of_models_cannot_be_checked(monkeypatch):
    with FarEnd.openai(seconds=0, dialect="vllm-omni") as far_end:
        far_end.faults.add("404", "account")
        settings = Settings(
            openai_api_key="any",
            openai_base_url=f"{far_end.base_url}/v1",
            openai_image_model="Qwen/Qwen-Image",
            posegen_backends_offered="openai",
        )
        (finding,) = look_at_far_ends(settings)

        assert (finding.good, finding.detail) == (True, "cannot be checked without paying")
