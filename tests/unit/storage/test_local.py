"""What only a store on a disk has to get right: modes, links, folders, hidden files, and the order of syncs."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from posegen.errors import InvalidKey, ObjectExists, ObjectMissing, StoreDenied
from posegen.storage.local import LocalStore
from posegen.storage.protocol import Unfinished
from tests.stores import KEY, OTHER_KEY, keys_in, put


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store", base_url="/media")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# --- files and folders -------------------------------------------------------------------------------------------


def test_an_object_is_one_file_and_nothing_beside_it(store: LocalStore, root: Path) -> None:
    put(store)

    assert everything_below(root) == ["poses", "poses/g1", KEY]
    assert (root / KEY).read_bytes() == b"picture"


@pytest.mark.parametrize("create_only", [True, False])
def test_any_web_server_may_read_what_was_put(store: LocalStore, root: Path, umask: None, create_only: bool) -> None:
    put(store, create_only=create_only)

    assert stat.S_IMODE((root / KEY).stat().st_mode) == 0o644
    for folder in (root, root / "poses", root / "poses/g1"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_folders_that_were_there_before_keep_their_modes(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    (tmp_path / "mine" / "poses").mkdir(mode=0o750)
    store = LocalStore(tmp_path / "mine", base_url="/media")

    put(store)

    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "mine" / "poses").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "mine" / "poses" / "g1").stat().st_mode) == 0o755


def test_opening_a_store_makes_nothing(store: LocalStore, root: Path) -> None:
    assert not store.exists(KEY)
    assert keys_in(store) == []
    store.delete(KEY)

    assert not root.exists()


def test_the_root_is_made_with_the_folders_above_it(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "a" / "b" / "store", base_url="/media")

    put(store)

    assert (tmp_path / "a" / "b" / "store" / KEY).exists()


def test_the_root_may_be_a_link_of_the_operator(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "volume")
    store = LocalStore(tmp_path / "store", base_url="/media")

    put(store)

    assert (tmp_path / "volume" / KEY).read_bytes() == b"picture"
    assert keys_in(store) == [KEY]


def test_a_delete_removes_empty_folders_but_never_the_root(store: LocalStore, root: Path) -> None:
    put(store)
    put(store, "poses/g2/p.png")

    store.delete(KEY)
    assert everything_below(root) == ["poses", "poses/g2", "poses/g2/p.png"]

    store.delete("poses/g2/p.png")
    assert everything_below(root) == []
    assert root.is_dir()


@pytest.mark.parametrize("moment", [os.O_CREAT, os.O_DIRECTORY], ids=["before its file", "before it is entered"])
def test_a_put_makes_its_folder_again_when_a_delete_takes_it_away(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """The moments between making a folder and having a file in it are short: here the delete comes exactly then."""
    real_open = os.open
    taken_away: list[Path] = []

    def open_after_a_delete(path: str, flags: int, *rest: int, **more: int) -> int:
        folder = root / "poses/g1"
        if not taken_away and flags & moment and folder.is_dir():
            taken_away.append(folder)
            folder.rmdir()
            folder.parent.rmdir()
        return real_open(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", open_after_a_delete)
    put(store)

    assert taken_away
    assert store.get(KEY) == b"picture"


def test_a_delete_leaves_a_folder_that_a_put_is_using(store: LocalStore, root: Path) -> None:
    put(store)
    hidden = root / "poses/g1/.0011223344556677.pending"
    hidden.write_bytes(b"half")

    store.delete(KEY)

    assert hidden.exists()


@pytest.mark.parametrize(
    "name", [".0011223344556677.pending", ".DS_Store", "Thumbs.db", "x.png~", "lost+found", "ä.png"]
)
def test_files_of_others_are_no_objects(store: LocalStore, root: Path, name: str) -> None:
    put(store)
    (root / "poses/g1" / name).write_bytes(b"x")
    (root / "poses" / "New Folder").mkdir(exist_ok=True)

    assert keys_in(store) == [KEY]
    assert store.delete(KEY) == 1
    assert (root / "poses/g1" / name).exists()


def test_a_public_url_has_one_slash_whatever_the_base_ends_with() -> None:
    for base_url in ("/media", "/media/"):
        assert LocalStore(Path("/nowhere"), base_url=base_url).public_url(KEY) == f"/media/{KEY}"


def test_no_descriptor_stays_open(store: LocalStore) -> None:
    def open_descriptors() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    put(store)
    before = open_descriptors()
    for _ in range(20):
        put(store)
        put(store, OTHER_KEY, b"x", create_only=False)
        with pytest.raises(InvalidKey):
            put(store, f"{KEY}/below-a-file.png")
        with pytest.raises(ObjectExists):
            put(store, data=b"other")
        with pytest.raises(ObjectMissing):
            store.get("poses/g1")
        store.get(KEY)
        store.get_range(KEY, 1, 2)
        store.head(KEY)
        next(store.list())
        store.copy(KEY, "poses/g2/copy.png")
        store.delete("poses/g2/copy.png")
        store.health()

    assert open_descriptors() == before


# --- links and other things in the way ---------------------------------------------------------------------------


def as_folder_link(root: Path, outside: Path) -> None:
    (root / "poses").mkdir(parents=True)
    (root / "poses/g1").symlink_to(outside)


def as_first_folder_link(root: Path, outside: Path) -> None:
    root.mkdir()
    (outside / "g1").mkdir()
    (root / "poses").symlink_to(outside)


def as_relative_link(root: Path, outside: Path) -> None:
    (root / "poses").mkdir(parents=True)
    (root / "poses/g1").symlink_to(Path("../..") / outside.name)


def as_link_within(root: Path, outside: Path) -> None:
    (root / "poses/g2").mkdir(parents=True)
    (root / "poses/g1").symlink_to("g2")


@pytest.mark.parametrize("link", [as_folder_link, as_first_folder_link, as_relative_link, as_link_within])
def test_no_link_is_followed_to_another_folder(
    store: LocalStore, root: Path, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link(root, outside)
    target = (root / "poses/g1").resolve() / "secret.png"
    target.write_bytes(b"secret")

    assert not store.exists("poses/g1/secret.png")
    with pytest.raises(ObjectMissing):
        store.get("poses/g1/secret.png")
    with pytest.raises(InvalidKey, match="link"):
        put(store, "poses/g1/new.png")
    with pytest.raises(InvalidKey, match="link"):
        put(store, "poses/g1/secret.png", create_only=False)
    store.delete("poses/g1/secret.png")
    assert "poses/g1/secret.png" not in keys_in(store)
    assert keys_in(store, "poses/g1/") == []
    assert target.read_bytes() == b"secret"
    assert [path.name for path in target.parent.iterdir()] == ["secret.png"]


def test_a_link_in_the_place_of_an_object_is_not_read_written_or_deleted(
    store: LocalStore, root: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    (root / "poses/g1").mkdir(parents=True)
    (root / KEY).symlink_to(secret)

    assert not store.exists(KEY)
    for read in (store.get, store.open, store.head):
        with pytest.raises(ObjectMissing):
            read(KEY)
    with pytest.raises(InvalidKey, match="link"):
        put(store)
    store.delete(KEY)
    assert keys_in(store) == []
    assert (root / KEY).is_symlink()

    put(store, create_only=False)  # takes the place of the link itself
    assert not (root / KEY).is_symlink()
    assert secret.read_bytes() == b"secret"


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(path.parent)  # the path of a socket is at most 107 characters long
        try:
            listener.bind(path.name)
        finally:
            os.chdir(here)


@pytest.mark.parametrize("make", [make_fifo, make_socket, Path.mkdir])
def test_what_is_no_regular_file_is_no_object(store: LocalStore, root: Path, make: Callable[[Path], None]) -> None:
    put(store)
    make(root / OTHER_KEY)

    assert not store.exists(OTHER_KEY)
    with pytest.raises(ObjectMissing):
        store.get(OTHER_KEY)  # and does not wait for a writer
    with pytest.raises(InvalidKey, match="in the way"):
        put(store, OTHER_KEY)
    store.delete(OTHER_KEY)
    assert (root / OTHER_KEY).exists() or make is Path.mkdir
    assert keys_in(store) == [KEY]


def test_an_object_cannot_be_the_folder_of_another(store: LocalStore, root: Path) -> None:
    put(store)

    with pytest.raises(InvalidKey, match="in the way"):
        put(store, f"{KEY}/below.png")
    with pytest.raises(InvalidKey, match="in the way"):
        store.put("poses/g1", b"x", content_type="application/octet-stream", create_only=False)

    assert everything_below(root) == ["poses", "poses/g1", KEY]


# --- power cuts and killed processes -----------------------------------------------------------------------------


@pytest.mark.parametrize("create_only", [True, False], ids=["create", "replace"])
def test_bytes_are_synced_before_the_name_shows_and_the_name_afterwards(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch, create_only: bool
) -> None:
    put(store, OTHER_KEY)  # the folder is there
    synced: list[tuple[str, bool]] = []
    real_fsync = os.fsync

    def watching_fsync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        synced.append((kind, (root / KEY).exists()))
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watching_fsync)
    put(store, create_only=create_only)

    assert synced == [("file", False), ("folder", True)]


def test_a_new_folder_is_synced_into_the_one_above_it(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real_fsync = os.fsync

    def watching_fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watching_fsync)
    put(store)

    assert {root.parent.stat().st_ino, root.stat().st_ino, (root / "poses").stat().st_ino} <= set(synced)


def test_an_object_that_was_there_already_is_made_durable_before_it_counts(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer may have been killed between the name and the sync of the folder."""
    put(store)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))

    put(store)

    assert synced == [(root / "poses/g1").stat().st_ino]


PUT_AND_HANG = """
import sys
from pathlib import Path
from posegen.storage.local import LocalStore

class Hanging:
    given = False
    def read(self, size):
        if self.given:
            print("half written", flush=True)
            sys.stdin.read()
        self.given = True
        return b"half of the new picture"

root, key, create_only = sys.argv[1:]
LocalStore(Path(root), base_url="/media").put(
    key, Hanging(), content_type="image/png", create_only=create_only == "True"
)
"""


@pytest.mark.parametrize("create_only", [True, False], ids=["create", "replace"])
def test_a_writer_killed_half_way_leaves_nothing_to_see(store: LocalStore, root: Path, create_only: bool) -> None:
    if not create_only:
        put(store, data=b"old picture")
    before = keys_in(store)

    writer = subprocess.Popen(
        [sys.executable, "-c", PUT_AND_HANG, str(root), KEY, str(create_only)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "half written\n"
        writer.send_signal(signal.SIGKILL)
        writer.wait(timeout=180)

    (hidden,) = (root / "poses/g1").glob(".*")
    assert hidden.read_bytes() == b"half of the new picture"
    assert keys_in(store) == before
    assert store.exists(KEY) is not create_only
    if not create_only:
        assert store.get(KEY) == b"old picture"
    put(store, data=b"new picture", create_only=create_only)
    assert store.get(KEY) == b"new picture"
    (left,) = store.list_unfinished()
    assert (left.reference, left.key, left.size) == (f"poses/g1/{hidden.name}", None, len("half of the new picture"))
    store.delete_unfinished(left)
    store.delete_unfinished(left)
    assert not hidden.exists()
    assert store.get(KEY) == b"new picture"


@pytest.mark.parametrize(
    "reference",
    [KEY, ".0123456789abcdef.pending", "../.0123456789abcdef.pending", "poses/.hidden", "poses/.x.pending"],
)
def test_only_what_a_put_has_left_can_be_taken_away_as_that(store: LocalStore, root: Path, reference: str) -> None:
    put(store)
    outside = root.parent / ".0123456789abcdef.pending"
    outside.write_bytes(b"not ours")

    with pytest.raises((ValueError, InvalidKey)):
        store.delete_unfinished(Unfinished(reference, None, None, datetime.now(UTC)))

    assert store.exists(KEY)
    assert outside.exists()


def test_hidden_files_of_others_are_not_unfinished(store: LocalStore, root: Path) -> None:
    put(store)
    for name in (".DS_Store", ".x.pending", ".0123456789abcdef.pending.bak"):
        (root / "poses" / name).write_bytes(b"")

    assert list(store.list_unfinished()) == []


def test_a_file_system_without_hard_links_is_named_with_the_fix(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing_link(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refusing_link)

    with pytest.raises(StoreDenied, match="STORAGE_LOCAL_PATH"):
        put(store)
    assert everything_below(root) == ["poses", "poses/g1"]
