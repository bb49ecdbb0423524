"""The backends of a deployment: read from the settings as descriptions, and opened when one of them is first needed."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping

from posegen.backends import mannequin
from posegen.backends.description import Description
from posegen.backends.hosted import HostedBackend
from posegen.backends.protocol import Backend
from posegen.backends.wires.catalogue import Wire, wires_of
from posegen.errors import UnknownName
from posegen.settings import Settings

BACKENDS = {mannequin.NAME: mannequin.Mannequin}
"""The drawing backends by name."""
BUILT_IN: Mapping[str, Description] = {mannequin.NAME: mannequin.DESCRIPTION}


def open_backend(name: str) -> Backend:
    """The drawing backend with this name. Raises `UnknownName`."""
    if name not in BACKENDS:
        raise UnknownName("drawing backend", name, sorted(BACKENDS))
    return BACKENDS[name]()


class Backends:
    """The backends that the settings of a deployment configure. Threads share it; what was opened is closed with it.

    Args:
        wires: the hosted ones, by name.
        offered: the names that requests may give, besides the drawing ones.
    """

    def __init__(self, wires: Mapping[str, Wire], offered: Collection[str]) -> None:
        self._wires = dict(wires)
        self._offered = frozenset(offered)
        self._opened: dict[str, HostedBackend] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> Backends:
        """Those of these settings: the drawing ones, and every hosted one whose key is set. Nothing is opened.

        Raises `UnknownName` when a setting names a backend that is not there.
        """
        named = [each.strip() for each in settings.posegen_backends_offered.split(",") if each.strip()]
        backends = cls(wires_of(settings), [settings.posegen_backend, *named])
        for name in (settings.posegen_backend, *named):
            backends.describe(name)
        return backends

    @property
    def descriptions(self) -> Mapping[str, Description]:
        """Each backend's description by its name."""
        return {**BUILT_IN, **{name: wire.description for name, wire in self._wires.items()}}

    @property
    def offered(self) -> Mapping[str, Description]:
        """Those that a request may name: a key that is set must not sell pictures by itself."""
        return {name: each for name, each in self.descriptions.items() if name in BUILT_IN or name in self._offered}

    @property
    def hosted(self) -> frozenset[str]:
        """The names of those whose pictures another machine makes, so that runs mostly wait for them."""
        return frozenset(self._wires)

    def describe(self, name: str) -> Description:
        """The description of a backend. Raises `UnknownName`."""
        if name not in self.descriptions:
            raise UnknownName("backend", name, sorted(self.descriptions))
        return self.descriptions[name]

    def open_hosted(self, name: str) -> HostedBackend:
        """The hosted backend with this name, opened once in this process. Raises `UnknownName`."""
        if name not in self._wires:
            raise UnknownName("hosted backend", name, sorted(self._wires))
        with self._lock:
            if name not in self._opened:
                self._opened[name] = self._wires[name].open()
            return self._opened[name]

    def close(self) -> None:
        """Close the connections of what was opened."""
        with self._lock:
            while self._opened:
                self._opened.popitem()[1].close()
