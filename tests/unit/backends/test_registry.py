"""Backends by name."""

import pytest

from posegen.backends.registry import BACKENDS, open_backend
from posegen.errors import UnknownName


@pytest.mark.parametrize("name", BACKENDS)
def test_every_backend_opens_under_its_own_name(name):
    backend = open_backend(name)

    assert backend.name == name
    assert backend.version
    assert backend.capabilities.largest_side >= 1024


def test_an_unknown_backend_is_refused_and_the_known_ones_are_named():
    with pytest.raises(UnknownName, match=r"no drawing backend 'photoshop'; known: .*mannequin"):
        open_backend("photoshop")
