"""One data folder with one `posegen up` for all of this folder, on one worker: to start it takes 9 CPU seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.homes import Home, names_in_the_checkout
from tests.servers import remove_cluster


@pytest.fixture(scope="package")
def in_the_checkout() -> set[str]:
    """The names in the checkout before anything was started."""
    return names_in_the_checkout()


@pytest.fixture(scope="package")
def home(in_the_checkout: set[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The folder, whether it is served or not."""
    home = Home(tmp_path_factory.mktemp("end-to-end") / "home")
    home.folder.mkdir()
    try:
        yield home
    finally:
        try:
            home.clean_up()
        finally:
            remove_cluster(home.folder)


@pytest.fixture
def platform(home: Home) -> Home:
    """The folder with `posegen up` running, started now unless an earlier test has."""
    home.up()
    return home
