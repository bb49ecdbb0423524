"""The stores of one deployment: which are configured, which takes new objects, and how each is opened.

One takes what is new; every one that rows still name can be read. S3 is imported only when a bucket is opened.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Lock

from posegen.errors import ObjectMissing, StoreUnknown
from posegen.settings import Settings
from posegen.storage.configuration import LOCAL, BucketConfig, LocalConfig, StoresConfig
from posegen.storage.local import LocalStore
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

    @classmethod
    def of(cls, settings: Settings, *, quick: bool = False) -> Stores:
        """The stores of these settings, of which only the current one is opened now.

        Args:
            settings: of this process.
            quick: for interactive use, where an error after seconds is better than a late success.
        """
        config = StoresConfig.of(settings)
        return cls.configured(config.quick() if quick else config)

    @classmethod
    def configured(cls, config: StoresConfig) -> Stores:
        """The stores of this configuration, of which only the current one is opened now."""
        ways: dict[str, Callable[[], ObjectStore]] = {LOCAL: partial(open_local, config.local)}
        ways |= {bucket.name: partial(_open_bucket, bucket) for bucket in config.buckets}
        return cls(ways[config.current](), ways)

    @property
    def names(self) -> list[str]:
        """The stores that are configured, the current one first."""
        return [self.current.name, *sorted(self._others.keys() - {self.current.name})]

    def traffic(self) -> dict[str, Traffic]:
        """The operations and bytes of each store that was opened."""
        with self._lock:
            opened = dict(self._opened)
        return {name: store.traffic() for name, store in opened.items()}

    def find(self, key: str) -> bytes:
        """An object whose store no row names, such as a manifest: from the current store, else from another one.

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


def open_local(config: LocalConfig) -> LocalStore:
    """The store in a folder of this machine; the first put makes the folder."""
    return LocalStore(
        config.root,
        base_url=config.base_url,
        signing_secret=lambda: config.signing_secret or _kept_secret(config.secret_file),
        is_private=config.is_private,
    )


def _open_bucket(config: BucketConfig) -> ObjectStore:
    from posegen.storage.s3 import BucketStore  # loads obstore: 25 ms that a local store need not wait for

    return BucketStore(config)


def _kept_secret(file: Path) -> bytes | None:
    """The secret that this installation signs with, drawn once and readable by its owner only.

    None where it cannot be written: URLs are not signed then, and everything else works.
    """
    drawn = secrets.token_hex(32).encode()
    try:
        if file.exists():
            return file.read_bytes()
        file.parent.mkdir(parents=True, exist_ok=True)
        pending = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        descriptor = os.open(pending, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(drawn)
        with suppress(FileExistsError):  # another process was quicker: its secret counts
            os.link(pending, file)
        pending.unlink()
        return file.read_bytes()
    except OSError:
        return None
