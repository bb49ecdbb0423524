"""The licences of models, and whether a model may run here.

The data are in `licences.toml`: one entry for each model with its version, because licences change within a family.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from importlib import resources


class LicenceClass(StrEnum):
    """What a licence means for pictures that are sold. `conditional`: allowed within the conditions of its text."""

    FREE = "free"
    CONDITIONAL = "conditional"
    NON_COMMERCIAL = "non_commercial"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Licence:
    """The licence of one model.

    `model`: its exact name; `name`: of the licence; `source`: where it was read, on `read_on`; `is_verified`: whether
    that was the maker's own text.
    """

    model: str
    name: str
    licence_class: LicenceClass
    source: str = ""
    read_on: date | None = None
    is_verified: bool = False


def licence_of(model: str) -> Licence:
    """The licence of the model with exactly this name; one of the class `unknown` where none is recorded.

    >>> str(licence_of("FLUX.2-klein-4B").licence_class), str(licence_of("FLUX.2-klein").licence_class)
    ('free', 'unknown')
    """
    return licences().get(model, Licence(model, "unknown", LicenceClass.UNKNOWN))


@cache
def licences() -> dict[str, Licence]:
    """Every recorded licence, by the name of its model."""
    text = (resources.files("posegen.backends") / "licences.toml").read_text(encoding="utf-8")
    return {
        entry["name"]: Licence(
            model=entry["name"],
            name=entry["licence"],
            licence_class=LicenceClass(entry["class"]),
            source=entry["source"],
            read_on=entry["read_on"],
            is_verified=entry["verified"],
        )
        for entry in tomllib.loads(text)["model"]
    }


def reason_to_refuse(licence: Licence, *, is_sold_by_provider: bool, accepted: Collection[str] = ()) -> str | None:
    """Why a model may not run, with the fix; None when it may.

    Args:
        licence: that of the model.
        is_sold_by_provider: whether a provider runs the model and sells its use; then the provider's terms count.
        accepted: the models that the operator accepts by their exact names.
    """
    allowed = licence.licence_class in {LicenceClass.FREE, LicenceClass.CONDITIONAL}
    if is_sold_by_provider or allowed or licence.model in accepted:
        return None
    known = (
        "no licence is recorded"
        if licence.licence_class is LicenceClass.UNKNOWN
        else f"its licence, {licence.name}, is non-commercial"
    )
    return (
        f"The model {licence.model!r} may not run on own machines: {known}. Use it through a provider that sells its "
        "use, choose another model, or accept it by its exact name once you have the right to use it."
    )
