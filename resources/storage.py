"""Object stores as Dagster resources. Configuration only: `open()` gives the store that the domain knows."""

from pathlib import Path

import dagster as dg

from posegen.storage.local import LocalStore
from posegen.storage.protocol import ObjectStore


class LocalStorage(dg.ConfigurableResource):  # type: ignore[type-arg]  # the base is generic over itself
    """A folder on this machine. `base_url`: what the URLs of its objects begin with."""

    root: str
    base_url: str

    def open(self) -> ObjectStore:
        """The store in this folder, which is made when it is missing."""
        return LocalStore(Path(self.root), base_url=self.base_url)
