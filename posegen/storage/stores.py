"""The stores of one deployment: one takes what is new, and every one that rows still need can be read.

How a store is opened from the settings is in `opening.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Lock

from posegen.errors import ObjectMissing, StoreUnknown
from posegen.storage.protocol import ObjectStore
from posegen.storage.traffic import Traffic


class Stores:
    """Stores by their names, each opened when it is first asked for.

    `current`: the store that takes new objects; `others`: how the rest of those that are configured are opened.
    """

    def __init__(self, current: ObjectStore, others: Mapping[str, Callable[[], ObjectStore]] | None = None) -> None:
        self.current = current
        self._others = dict(others or {})
        self._opened: dict[str, ObjectStore] = {current.name: current}
        self._lock = Lock()

    @property
    def names(self) -> list[str]:
        """The stores that are configured, the current one first."""
        return [self.current.name, *sorted(self._others.keys() - {self.current.name})]

    def traffic(self) -> dict[str, Traffic]:
        """What each of those that were opened was asked for."""
        with self._lock:
            opened = dict(self._opened)
        return {name: store.traffic() for name, store in opened.items()}

    def find(self, key: str) -> bytes:
        """An object that no row says the place of, such as a manifest: from the current store, else from another one.

        Raises `ObjectMissing` when none has it.
        """
        try:
            return self.current.get(key)
        except ObjectMissing:
            for name in self.names[1:]:
                with suppress(ObjectMissing):
                    return self.named(name).get(key)
            raise

    def named(self, name: str) -> ObjectStore:
        """The store that a row names. Raises `StoreUnknown` when it is not configured."""
        with self._lock:
            if name not in self._opened:
                if name not in self._others:
                    raise StoreUnknown(name, self.names)
                self._opened[name] = self._others[name]()
            return self._opened[name]
