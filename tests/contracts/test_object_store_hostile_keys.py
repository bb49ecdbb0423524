"""No name leads out of a store, and none makes it fail in a way that it does not announce.

`pytest --hypothesis-profile=thorough` tries 10,000 names instead of 300.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posegen.errors import InvalidKey, ObjectExists, ObjectMissing
from posegen.storage.protocol import ObjectStore
from tests.stores import KEY, OTHER_KEY, PNG, keys_in, put

HOSTILE = {
    "empty": "",
    "parent": "../x.png",
    "parent inside": "poses/../../x.png",
    "only dots": "..",
    "here": "./x.png",
    "absolute": "/etc/passwd",
    "two slashes": "poses//x.png",
    "slash at the end": "poses/x.png/",
    "backslash": "poses\\..\\x.png",
    "drive": "c:/x.png",
    "NUL": "poses/x.png\x00.jpg",
    "line break": "poses/x.png\n",
    "percent": "poses/%2e%2e/x.png",
    "tilde": "~/x.png",
    "upper case": "Poses/x.png",
    "not ASCII": "poses/ä.png",
    "full-width dots": "\uff0e\uff0e/x.png",  # NFKC makes two dots of them
    "lone surrogate": "poses/\ud800.png",
    "hidden": "poses/.x.png",
    "dot at the end": "poses/x.",
    "space": "poses/x .png",
    "device": "poses/nul",
    "device with suffix": "poses/com1.png",
    "option": "-rf/x.png",
    "part too long": f"poses/{'x' * 256}",
    "key too long": "/".join(["x" * 200] * 6),
    "too deep": "/".join(["x"] * 17),
    "stream name": "poses/x.png:hidden",
    "wildcard": "poses/*",
}

OPERATIONS: dict[str, Callable[[ObjectStore, str], object]] = {
    "put": lambda store, key: put(store, key),
    "get": lambda store, key: store.get(key),
    "open": lambda store, key: store.open(key).close(),
    "get_range": lambda store, key: store.get_range(key, 0, 1),
    "head": lambda store, key: store.head(key),
    "exists": lambda store, key: store.exists(key),
    "delete": lambda store, key: store.delete(key),
    "public_url": lambda store, key: store.public_url(key),
    "signed_get_url": lambda store, key: store.signed_get_url(key),
    "signed_put_url": lambda store, key: store.signed_put_url(key, content_type=PNG, size=1),
    "start after": lambda store, key: list(store.list(start_after=key)),
    "copy from": lambda store, key: store.copy(key, OTHER_KEY),
    "list": lambda store, key: list(store.list(f"{key}/")),
    "copy to": lambda store, key: store.copy(KEY, key),
}


@pytest.mark.parametrize("key", HOSTILE.values(), ids=HOSTILE)
def test_every_operation_refuses_a_hostile_key(store: ObjectStore, key: str) -> None:
    put(store)

    refusals = {name: refusal(operation, store, key) for name, operation in OPERATIONS.items()}

    for name, refused in refusals.items():
        assert refused is not None, name
        assert str(refused).isprintable(), name
        assert refused.store == store.name, name
    assert keys_in(store) == [KEY]


def refusal(operation: Callable[[ObjectStore, str], object], store: ObjectStore, key: str) -> InvalidKey | None:
    """The error of an operation that refuses a key; None when it takes it."""
    try:
        operation(store, key)
    except InvalidKey as refused:
        return refused
    return None


FRAGMENTS = ["..", ".", "/", "\\", "\x00", "\n", "a", "g1", "poses", "-", "_", "~", "%2e", "%2f", "nul", "CON", "com1"]
FRAGMENTS += [
    "ä",
    "\ud800",
    "\uff0e",
    " ",
    ":",
    "*",
    ".png",
    ".tmp",
    "x" * 255,
    "x" * 256,
    "$HOME",
    "|",
    "'",
    '"',
    "\x7f",
]

hostile_keys = st.one_of(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join), st.text(max_size=40))


def attempt(store: ObjectStore, key: str, operations: Iterable[Callable[[ObjectStore, str], object]]) -> None:
    """Any answer is fine, and so is an error that says which key cannot be used, is missing, or is taken."""
    for operation in operations:
        with suppress(InvalidKey, ObjectMissing, ObjectExists):
            operation(store, key)


@pytest.fixture
def watched_store(request: pytest.FixtureRequest, store: ObjectStore, tmp_path: Path) -> Iterator[ObjectStore]:
    """A store with neighbours on the disk; afterwards they must be as they were, with nothing new beside them."""
    put(store)
    (tmp_path / "neighbour").mkdir()
    (tmp_path / "neighbour" / "x.png").write_bytes(b"not yours")
    before = [path for path in sorted(tmp_path.rglob("*")) if "store" not in path.relative_to(tmp_path).parts]

    yield store

    assert [path for path in sorted(tmp_path.rglob("*")) if "store" not in path.relative_to(tmp_path).parts] == before
    assert (tmp_path / "neighbour" / "x.png").read_bytes() == b"not yours"


@given(key=hostile_keys)
@settings(
    max_examples=max(300, settings().max_examples),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_name_escapes_or_crashes(watched_store: ObjectStore, key: str) -> None:
    attempt(watched_store, key, OPERATIONS.values())


def test_ten_thousand_hostile_names_neither_escape_nor_crash(watched_store: ObjectStore) -> None:
    chance = random.Random(7)

    for _ in range(10_000):
        key = "".join(chance.choices(FRAGMENTS, k=chance.randint(1, 10)))
        attempt(watched_store, key, (OPERATIONS["put"], OPERATIONS["get"]))
