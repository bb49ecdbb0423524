"""The licences of models: exact names, and the rule for what may run."""

from __future__ import annotations

from datetime import date

import pytest

from posegen.backends.licences import Licence, LicenceClass, licence_of, licences, reason_to_refuse


def of_class(licence_class: LicenceClass) -> Licence:
    return Licence("model-1", "A licence", licence_class)


def test_every_licence_has_a_source_a_date_and_a_known_class():
    for licence in licences().values():
        assert licence.name
        assert licence.source
        assert licence.read_on == date(2026, 11, 29)
        assert licence.licence_class is not LicenceClass.UNKNOWN
        assert licence.is_verified == ("maker" in licence.source)


def test_models_of_one_family_have_different_licences():
    assert licence_of("FLUX.2-klein-4B").licence_class is LicenceClass.FREE
    assert licence_of("FLUX.2-klein-9B").licence_class is LicenceClass.NON_COMMERCIAL
    assert licence_of("Qwen-Image").licence_class is LicenceClass.FREE
    assert licence_of("Qwen-Image-2.1").licence_class is LicenceClass.NON_COMMERCIAL


@pytest.mark.parametrize(
    "name", ["FLUX.2-klein", "FLUX.2-klein-4B-base", "flux.2-klein-4b", " FLUX.2-klein-4B", "Qwen-Image-2.1-x", ""]
)
def test_a_name_that_is_not_exactly_recorded_is_unknown(name):
    assert licence_of(name) == Licence(name, "unknown", LicenceClass.UNKNOWN)


@pytest.mark.parametrize("licence_class", [LicenceClass.FREE, LicenceClass.CONDITIONAL])
def test_free_and_conditional_models_run_anywhere(licence_class):
    assert reason_to_refuse(of_class(licence_class), is_sold_by_provider=False) is None


@pytest.mark.parametrize(
    ("licence_class", "why"),
    [(LicenceClass.NON_COMMERCIAL, "A licence, is non-commercial"), (LicenceClass.UNKNOWN, "no licence is recorded")],
)
def test_other_models_run_at_a_provider_or_when_the_operator_accepts_them_by_name(licence_class, why):
    licence = of_class(licence_class)

    refused = reason_to_refuse(licence, is_sold_by_provider=False, accepted=["model", "model-10"])

    assert refused is not None
    assert why in refused
    assert "'model-1'" in refused
    assert reason_to_refuse(licence, is_sold_by_provider=True) is None
    assert reason_to_refuse(licence, is_sold_by_provider=False, accepted=["model-1"]) is None
