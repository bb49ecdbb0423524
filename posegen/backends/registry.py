"""The backends of a deployment: read from the settings as descriptions, and opened when one of them is first needed."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from posegen.backends import mannequin
from posegen.backends.description import Description
from posegen.backends.file import BackendsFile, own_backends
from posegen.backends.hosted import HostedBackend
from posegen.backends.licences import LicenceClass, licence_of, reason_to_refuse
from posegen.backends.protocol import Backend
from posegen.backends.wires.catalogue import Access, built_in, open_wire
from posegen.errors import BackendNotConfigured, BackendUndescribed, SettingsInvalid, UnknownName
from posegen.settings import Settings

BACKENDS = {mannequin.NAME: mannequin.Mannequin}
"""The drawing backends by name."""
BUILT_IN: Mapping[str, Description] = {mannequin.NAME: mannequin.DESCRIPTION}


def open_backend(name: str) -> Backend:
    """The drawing backend with this name. Raises `UnknownName`."""
    if name not in BACKENDS:
        raise UnknownName("drawing backend", name, sorted(BACKENDS))
    return BACKENDS[name]()


@dataclass(frozen=True)
class Hosted:
    """A hosted backend that settings describe.

    Attributes:
        description: what it is.
        access: where its far end is.
        why_not: why it cannot be used, with the fix; empty when it can.
        file: that describes it; None for one that is built in.
    """

    description: Description
    access: Access
    why_not: str
    file: Path | None = None


class Backends:
    """The backends that the settings of a deployment describe. Threads share it; what was opened is closed with it."""

    def __init__(self, settings: Settings, hosted: Iterable[Hosted], problems: Mapping[str, list[str]]) -> None:
        self._settings = settings
        self._named = (
            settings.posegen_backend,
            *(name.strip() for name in settings.posegen_backends_offered.split(",") if name.strip()),
        )
        self._hosted = {each.description.name: each for each in hosted}
        self._problems = problems
        self._opened: dict[str, HostedBackend] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> Backends:
        """Those of these settings. Nothing is opened, and nothing is refused: see `check`."""
        file = own_backends(settings, drawing=BUILT_IN)
        return cls(settings, _hosted(settings, file), file.problems)

    @property
    def described(self) -> Mapping[str, Description]:
        """Every backend's description by its name, also of those that cannot be used now."""
        return {**BUILT_IN, **{name: each.description for name, each in self._hosted.items()}}

    @property
    def descriptions(self) -> Mapping[str, Description]:
        """Those that can be used: the drawing ones, and every hosted one whose key is set."""
        return {name: each for name, each in self.described.items() if not self.why_not(name)}

    @property
    def hosted(self) -> frozenset[str]:
        """The names of the hosted ones that can be used, for whose pictures runs mostly wait."""
        return frozenset(name for name, each in self._hosted.items() if not each.why_not)

    @property
    def undescribed(self) -> Mapping[str, str]:
        """The backends that the settings name and nothing describes, each with the reason and the fix.

        Requests for them are neither accepted nor refused, and their generations are not claimed, until the file or the
        settings are mended.
        """
        return {name: str(self._undescribed(name)) for name in self._named if name not in self.described}

    @property
    def with_own_slots(self) -> frozenset[str]:
        """The hosted ones, and those that nothing describes now: a mistake in the file moves no run to other slots."""
        return frozenset({*self._hosted, *self.undescribed})

    @property
    def offered(self) -> Mapping[str, Description]:
        """Those that a request may name: a key that is set must not sell pictures by itself.

        One that cannot be used now is among them: its generations wait.
        """
        named = (*BUILT_IN, *self._named)
        return {name: each for name, each in self.described.items() if name in named}

    def check(self, *, keys: bool = True) -> None:
        """Check that the file is right, and that every backend that the settings name can be used.

        Args:
            keys: whether one that only lacks its key is refused, too.

        Raises:
            SettingsInvalid: everything that is wrong in the file.
            BackendNotConfigured: a backend that cannot be used.
        """
        if self._problems:
            raise SettingsInvalid([problem for each in self._problems.values() for problem in each])
        for name in self._named:
            if keys or name not in self.described:
                self.describe(name)

    def describe(self, name: str) -> Description:
        """The description of a backend that can be used.

        Raises `BackendNotConfigured`; `BackendUndescribed` for one that the settings name and nothing describes.
        """
        if name not in self.described:
            raise self._undescribed(name)
        if why_not := self.why_not(name):
            raise BackendNotConfigured(name, f" here: {why_not}")
        return self.described[name]

    def _undescribed(self, name: str) -> BackendNotConfigured:
        problems = self._problems.get(name, self._problems.get(""))
        known = f"; known: {', '.join(sorted(self.descriptions))}"
        why = f" here: {' '.join(problems)}".rstrip(".") if problems else known
        return (BackendUndescribed if name in self._named else BackendNotConfigured)(name, why)

    def open_hosted(self, name: str) -> HostedBackend:
        """The hosted backend with this name, opened once in this process. Raises `BackendNotConfigured`."""
        description = self.describe(name)
        with self._lock:
            if name not in self._opened:
                self._opened[name] = open_wire(description, self._hosted[name].access, self._settings)
            return self._opened[name]

    def close(self) -> None:
        """Close the connections of what was opened."""
        with self._lock:
            while self._opened:
                self._opened.popitem()[1].close()

    def why_not(self, name: str) -> str:
        """Why a described backend cannot be used, with the fix; empty when it can."""
        return self._hosted[name].why_not if name in self._hosted else ""

    def file_of(self, name: str) -> str | None:
        """The file that describes a backend; None for one that is built in."""
        file = self._hosted[name].file if name in self._hosted else None
        return None if file is None else str(file)


def _hosted(settings: Settings, file: BackendsFile) -> Iterator[Hosted]:
    """Those of the file, and the built-in ones whose name no table has.

    A table that cannot be used hides the built-in backend of its name, and a file that cannot be read hides all: what
    it would have changed of them is not known.
    """
    own = {each.description.name: each for each in file.backends}
    for description, access in built_in(settings):
        if not {description.name, ""} & {*own, *file.problems}:
            yield Hosted(_priced(description, settings), access, _why_not(description, access))
    for each in own.values():
        why_not = _why_not(each.description, each.access, own=True, accepted=each.accepted)
        yield Hosted(_priced(each.description, settings), each.access, why_not, settings.posegen_backends_file)


def _priced(description: Description, settings: Settings) -> Description:
    """With the price of POSEGEN_BACKEND_COSTS where that names the backend."""
    cost = settings.posegen_backend_costs.get(description.name)
    return description if cost is None else replace(description, price=cost, price_date="")


def _why_not(description: Description, access: Access, *, own: bool = False, accepted: str | None = None) -> str:
    """Why a backend cannot be used, with the fix; empty when it can.

    A model of the file needs a licence that is recorded, or accepted by the operator. Which model is behind an address
    in the settings is the operator's choice: there only a licence that is known to be non-commercial counts.
    """
    if access.key is None:
        return f"{access.variable} is not set"
    key = access.key.get_secret_value()
    if not (key.isascii() and key.isprintable()):
        return f"{access.variable} holds a line break or another character that no key has"
    licence = licence_of(description.licence or description.model)
    if licence.licence_class is LicenceClass.UNKNOWN and not own:
        return ""
    sold = description.sold_by_provider
    refused = reason_to_refuse(licence, is_sold_by_provider=sold, accepted=[accepted] if accepted else ())
    return "" if refused is None else f'{refused} In POSEGEN_BACKENDS_FILE: licence_accepted = "{licence.model}"'
