"""The marker that ties a store to one database: a volume that was not mounted and a wrong bucket are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from posegen.database.connection import Database
from posegen.errors import StoreDenied, StoreMistaken
from posegen.objects.identity import is_own, require_own, take_over
from posegen.storage.keys import STORE_MARKER_KEY, is_registered
from posegen.storage.local import LocalStore
from posegen.storage.protocol import ObjectStore
from posegen.storage.s3 import BucketStore
from tests.builders import execute, value
from tests.concurrency import at_once
from tests.stores import put


@pytest.fixture(params=["local", "s3"])
def kept(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> ObjectStore:
    """A store that this database knows by name."""
    if request.param == "local":
        return LocalStore(tmp_path / "volume", base_url="/media")
    bucket: BucketStore = request.getfixturevalue("bucket")
    return bucket


def marker(store: ObjectStore) -> dict[str, str]:
    found: dict[str, str] = json.loads(store.get(STORE_MARKER_KEY))
    return found


def another_database(database: Database, store: ObjectStore) -> None:
    """Lets the database be another one than a moment ago."""
    execute(
        database,
        "update stores set identity = gen_random_uuid(), marked_at = null where name = %s",
        store.name,
    )


def test_a_new_store_gets_its_marker_before_anything_is_written(database: Database, kept: ObjectStore) -> None:
    assert not is_own(database, kept)
    assert not kept.exists(STORE_MARKER_KEY), "looking alone writes nothing"

    require_own(database, kept)

    assert is_own(database, kept)
    assert marker(kept)["identity"] == str(value(database, "select identity from stores where name = %s", kept.name))
    assert value(database, "select marked_at is not null from stores where name = %s", kept.name)
    assert not is_registered(STORE_MARKER_KEY)


def test_its_own_database_comes_back_again_and_again(database: Database, kept: ObjectStore) -> None:
    require_own(database, kept)
    before = list(kept.list())

    require_own(database, kept)

    assert list(kept.list()) == before


def test_a_store_whose_marker_is_missing_is_refused(database: Database, kept: ObjectStore) -> None:
    require_own(database, kept)
    kept.delete(STORE_MARKER_KEY)

    for look in (require_own, is_own):
        with pytest.raises(StoreMistaken, match="Mount the volume") as raised:
            look(database, kept)
        assert (raised.value.store, raised.value.key) == (kept.name, STORE_MARKER_KEY)
    assert not kept.exists(STORE_MARKER_KEY)


def test_a_store_of_another_database_is_refused(database: Database, kept: ObjectStore) -> None:
    require_own(database, kept)
    theirs = marker(kept)
    another_database(database, kept)

    with pytest.raises(StoreMistaken, match="belongs to another Posegen database"):
        require_own(database, kept)

    assert marker(kept) == theirs
    assert not value(database, "select marked_at is not null from stores where name = %s", kept.name)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"not json", b'{"identity": null}'])
def test_a_marker_that_cannot_be_read_is_nobodys(database: Database, kept: ObjectStore, content: bytes) -> None:
    kept.put(STORE_MARKER_KEY, content, content_type="application/json")

    with pytest.raises(StoreMistaken):
        require_own(database, kept)


def test_a_store_may_be_taken_over_on_purpose(database: Database, kept: ObjectStore) -> None:
    require_own(database, kept)
    put(kept)
    another_database(database, kept)

    take_over(database, kept)

    require_own(database, kept)
    assert kept.exists("poses/g1/p1-0123456789ab.png")


def test_an_emptied_store_may_be_taken_over_on_purpose(database: Database, kept: ObjectStore) -> None:
    require_own(database, kept)
    kept.delete(STORE_MARKER_KEY)

    take_over(database, kept)

    assert is_own(database, kept)


def test_processes_that_meet_a_new_store_together_mark_it_once(
    database: Database, kept: ObjectStore, connections_open: None
) -> None:
    answers = at_once([lambda: require_own(database, kept)] * 4)

    assert answers == [None] * 4
    assert is_own(database, kept)


def test_a_process_that_died_between_marker_and_row_leaves_nothing_to_mend(
    database: Database, kept: ObjectStore
) -> None:
    require_own(database, kept)
    execute(database, "update stores set marked_at = null where name = %s", kept.name)

    require_own(database, kept)

    assert value(database, "select marked_at is not null from stores where name = %s", kept.name)


def test_a_store_that_the_database_does_not_know_is_no_place_to_write(database: Database, tmp_path: Path) -> None:
    unknown = LocalStore(tmp_path / "volume", base_url="/media", name="elsewhere")

    with pytest.raises(StoreMistaken, match="posegen db upgrade"):
        require_own(database, unknown)

    assert not (tmp_path / "volume").exists()


def test_a_volume_that_cannot_be_written_says_so(database: Database, tmp_path: Path) -> None:
    class ReadOnly(LocalStore):
        def put(self, key: str, *_: object, **__: object) -> None:  # type: ignore[override]
            raise StoreDenied("Read-only file system", store=self.name, key=key)

    with pytest.raises(StoreDenied):
        require_own(database, ReadOnly(tmp_path, base_url="/media"))

    assert not value(database, "select marked_at is not null from stores where name = 'local'")
