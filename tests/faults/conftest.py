"""One server, one nursery and one template for all worlds of this folder. The server is its own: it gets shut down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.ground import new_ground
from tests.faults.world import Ground


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """What worlds are built on."""
    with new_ground(tmp_path_factory.mktemp("faults")) as ground:
        yield ground
