"""The generation backends by name. A new backend adds a line here, and its code beside this module."""

from __future__ import annotations

from posegen.backends.mannequin import Mannequin
from posegen.backends.protocol import Backend
from posegen.errors import UnknownName

BACKENDS = {"mannequin": Mannequin}


def open_backend(name: str) -> Backend:
    """The backend with this name, ready to render. Raises `UnknownName`."""
    if name not in BACKENDS:
        raise UnknownName("backend", name, sorted(BACKENDS))
    return BACKENDS[name]()
