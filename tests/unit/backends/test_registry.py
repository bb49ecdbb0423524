"""Backends by name."""

from decimal import Decimal

import pytest

from posegen.backends.licences import LicenceClass, licence_of
from posegen.backends.registry import BACKENDS, Backends, open_backend
from posegen.errors import BackendNotConfigured, SettingsInvalid, UnknownName
from posegen.settings import Settings, load_settings


@pytest.mark.parametrize("name", BACKENDS)
def test_every_backend_opens_under_its_own_name(name):
    backend = open_backend(name)

    assert backend.name == name
    assert backend.version
    assert backend.capabilities.largest_side >= 1024


def test_an_unknown_backend_is_refused_and_the_known_ones_are_named():
    with pytest.raises(UnknownName, match=r"no drawing backend 'photoshop'; known: .*mannequin"):
        open_backend("photoshop")


def test_a_setting_that_names_a_backend_without_a_key_stops_no_other_backend():
    backends = Backends.of(Settings(posegen_backend="fal", posegen_backends_offered="bfl", bfl_api_key="a key"))

    assert backends.describe("bfl").name == "bfl"
    assert backends.describe("mannequin").name == "mannequin"
    with pytest.raises(BackendNotConfigured, match="no backend 'fal' here: FAL_KEY is not set"):
        backends.describe("fal")
    with pytest.raises(BackendNotConfigured):
        backends.open_hosted("fal")
    with pytest.raises(BackendNotConfigured, match="FAL_KEY is not set"):
        backends.check()


def test_requests_may_name_a_backend_that_waits_for_its_key_and_none_that_nothing_describes():
    settings = Settings(posegen_backend="fal")
    backends = Backends.of(settings)
    backends.check(keys=False)

    assert sorted(backends.offered) == ["fal", "mannequin"]
    assert sorted(backends.descriptions) == ["mannequin"]
    assert not backends.hosted
    with pytest.raises(BackendNotConfigured, match="no backend 'dream'; known: mannequin"):
        Backends.of(Settings(posegen_backend="dream")).check(keys=False)


@pytest.mark.parametrize("key", ["a\nkey", "a key\r", "schlüssel"])
def test_a_key_that_no_header_takes_is_named_without_being_shown(key):
    with pytest.raises(BackendNotConfigured, match="FAL_KEY holds a line break or another character") as refused:
        Backends.of(Settings(fal_key=key)).describe("fal")
    assert key not in str(refused.value)


@pytest.mark.parametrize(
    ("model", "runs"),
    [
        ("gpt-image-2", True),
        ("Qwen/Qwen-Image", True),
        ("Qwen/Qwen-Image-2.1", False),
        ("black-forest-labs/FLUX.2-klein-4B", True),
        ("black-forest-labs/FLUX.2-klein-9B", False),
        ("black-forest-labs/FLUX.1-dev", False),
        ("nothing/is-recorded-of-this", True),
    ],
)
def test_a_server_that_sells_no_use_does_not_run_a_non_commercial_model(model, runs):
    backends = Backends.of(Settings(openai_api_key="a key", openai_image_model=model))

    if runs:
        assert backends.describe("openai").model == model
        return
    with pytest.raises(BackendNotConfigured, match=r"non-commercial\. Use it through a provider that sells its use"):
        backends.describe("openai")


def test_a_non_commercial_model_runs_through_a_provider_that_sells_its_use():
    described = Backends.of(Settings(fal_key="a key")).describe("fal")

    assert licence_of(described.licence).licence_class is LicenceClass.NON_COMMERCIAL
    assert described.sold_by_provider


def test_the_operators_price_takes_the_place_of_the_price_list():
    keys = {"fal_key": "a key", "bfl_api_key": "a key"}
    backends = Backends.of(Settings(**keys, posegen_backend_costs='{"fal": 0.031, "mannequin": 0.002}'))

    assert (backends.describe("fal").price, backends.describe("fal").price_date) == (Decimal("0.031"), "")
    assert (backends.describe("bfl").price, backends.describe("bfl").price_date) == (Decimal("0.045"), "2026-11-29")
    assert backends.describe("mannequin").price is None


@pytest.mark.parametrize(
    "written",
    ['{"fal": -0.03}', '{"fal": NaN}', '{"fal": Infinity}', '{"fal": "dear"}', '{"fal": null}', "0.03", "[1]", "fal"],
)
def test_a_price_that_cannot_be_is_refused_at_start(monkeypatch, written):
    monkeypatch.setenv("POSEGEN_BACKEND_COSTS", written)
    with pytest.raises(SettingsInvalid, match="POSEGEN_BACKEND_COSTS"):
        load_settings()
