"""What operators may write in Dagster's launchpad: every number has a lower and an upper bound."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any, get_args

import dagster as dg
import pytest
from pydantic import ValidationError

import posegen_assets

MODULES = [
    importlib.import_module(f"posegen_assets.{each.name}") for each in pkgutil.iter_modules(posegen_assets.__path__)
]
CONFIGS = sorted(
    {found for module in MODULES for found in vars(module).values() if isinstance(found, type)}
    & set(dg.Config.__subclasses__()),
    key=lambda found: found.__name__,
)
# Computed by an op for the next one, never written by hand.
INTERNAL = {"_Slice"}


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)
def test_a_number_that_nothing_could_be_done_with_is_refused(config: Any) -> None:
    for name, field in config.model_fields.items():
        if not {int, float} & {field.annotation, *get_args(field.annotation)} or config.__name__ in INTERNAL:
            continue
        for value in (float("nan"), float("inf"), 1e30, -1, 2**63):
            with pytest.raises(ValidationError, match=name):
                config(**{name: value})


def test_the_configurations_are_found() -> None:
    assert {"ImagesConfig", "MoveConfig"} <= {config.__name__ for config in CONFIGS}
