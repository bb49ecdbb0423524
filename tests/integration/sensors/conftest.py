"""An instance of Dagster that forgets everything."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Where runs are looked up and ended."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance
