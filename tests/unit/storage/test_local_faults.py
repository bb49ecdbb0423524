"""A disk that is full, read-only or closed to us: the error names it, and no half object stays.

The disks are real: a small tmpfs and a read-only mount in a mount namespace of the test's own process, where the
machine allows one; a limit on file sizes and another user's folder everywhere.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from posegen.errors import StoreDenied, StoreFull
from posegen.storage.local import LocalStore
from tests.stores import KEY, keys_in, put

# Runs one step on the store as its own process and prints which error came and which files are left.
STEP = """
import json, os, resource, sys
from pathlib import Path
from posegen.errors import StorageError
from posegen.storage.local import LocalStore

def outcome(root, steps):
    store = LocalStore(Path(root), base_url="/media")
    errors = []
    for step in steps:
        try:
            step(store)
            errors.append(None)
        except StorageError as error:
            errors.append([type(error).__name__, str(error)])
    files = [str(path.relative_to(root)) for path in Path(root).rglob("*") if path.is_file()]
    print(json.dumps({"errors": errors, "files": files, "keys": [entry.key for entry in store.list()]}))

def put(size, create_only=True, key="poses/g1/p1-0123456789ab.png"):
    data = bytes(size)
    return lambda store: store.put(key, data, content_type="image/png", create_only=create_only)

root = sys.argv[1]
"""


@cache
def namespace() -> tuple[str, ...]:
    """The command that gives a process mounts of its own; empty where the machine does not allow it."""
    for command in (("unshare", "--mount"), ("unshare", "--user", "--map-root-user", "--mount")):
        tried = [*command, "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"]
        if shutil.which("unshare") and subprocess.run(tried, capture_output=True, check=False).returncode == 0:
            return command
    return ()


def run(command: list[str]) -> dict[str, list]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run_mounted(mount: str, root: Path, steps: str) -> dict[str, list]:
    if not namespace():
        pytest.skip("this machine lets the tests make no mount namespace")
    script = f'{mount} && exec "$2" -c "$3" "$1"'
    return run([*namespace(), "sh", "-c", script, "sh", str(root), sys.executable, STEP + steps])


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user could walk into, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("create_only", [True, False])
def test_a_full_disk_leaves_no_half_object_and_takes_the_next_that_fits(tmp_path: Path, create_only: bool) -> None:
    left = run_mounted(
        'mount -t tmpfs -o size=256k tmpfs "$1"',
        tmp_path,
        f"outcome(root, [put(1_000_000, {create_only}), put(100_000, {create_only})])",
    )

    (full, fits) = left["errors"]
    assert full[0] == "StoreFull"
    assert "No space left" in full[1]
    assert fits is None
    assert left["files"] == left["keys"] == [KEY]


def test_a_full_disk_keeps_the_object_that_should_have_been_replaced(tmp_path: Path) -> None:
    left = run_mounted(
        'mount -t tmpfs -o size=256k tmpfs "$1"',
        tmp_path,
        """
outcome(root, [put(1000), put(1_000_000, create_only=False), lambda store: store.get(KEY) == bytes(1000) or 1 / 0])
""".replace("KEY", repr(KEY)),
    )

    assert [error and error[0] for error in left["errors"]] == [None, "StoreFull", None]
    assert left["files"] == [KEY]


def test_a_disk_without_room_for_a_folder_is_full_too(tmp_path: Path) -> None:
    left = run_mounted(
        'mount -t tmpfs -o nr_inodes=2 tmpfs "$1"', tmp_path, "outcome(root, [put(10), lambda store: store.health()])"
    )

    assert [error[0] for error in left["errors"]] == ["StoreFull", "StoreFull"]
    assert left["files"] == []


def test_a_read_only_disk_denies_writes_and_serves_reads(tmp_path: Path) -> None:
    put(LocalStore(tmp_path, base_url="/media"))

    left = run_mounted(
        'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"',
        tmp_path,
        f"""
outcome(root, [put(10, key="poses/g1/new.png"), put(10, False), lambda store: store.delete({KEY!r}),
               lambda store: store.health(), lambda store: store.get({KEY!r})])
""",
    )

    assert [error and error[0] for error in left["errors"]] == ["StoreDenied"] * 4 + [None]
    assert "Read-only" in left["errors"][0][1]
    assert left["files"] == [KEY]


def test_a_limit_on_file_sizes_counts_as_full(tmp_path: Path) -> None:
    left = run(
        [
            sys.executable,
            "-c",
            STEP
            + "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); outcome(root, [put(1_000_000), put(9)])",
            str(tmp_path),
        ]
    )

    (full, fits) = left["errors"]
    assert full[0] == "StoreFull"
    assert fits is None
    assert left["files"] == [KEY]


def test_a_folder_of_another_user_denies_writes_and_hidden_files(open_folder: Path) -> None:
    """As root this becomes another user first: nothing is closed to root."""
    store = LocalStore(open_folder / "store", base_url="/media")
    put(store)
    (open_folder / "store" / KEY).chmod(0o000)
    (open_folder / "store" / "poses" / "g1").chmod(0o555)

    left = run(
        [
            sys.executable,
            "-c",
            STEP
            + f"""
if os.geteuid() == 0:
    os.seteuid(65534)
outcome(root, [put(10, key="poses/g1/new.png"), lambda store: store.get({KEY!r}), put(10, False),
               lambda store: store.exists({KEY!r})])
""",
            str(open_folder / "store"),
        ]
    )
    (open_folder / "store" / "poses" / "g1").chmod(0o755)

    assert [error and error[0] for error in left["errors"]] == ["StoreDenied", "StoreDenied", "StoreDenied", None]
    assert "Permission denied" in left["errors"][0][1]
    assert left["files"] == [KEY]


def test_a_disk_that_fails_while_syncing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path, base_url="/media")

    for number, error in ((28, StoreFull), (122, StoreFull), (30, StoreDenied)):

        def failing_fsync(_: int, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", failing_fsync)
        (tmp_path / "poses" / "g1").mkdir(parents=True, exist_ok=True)
        with pytest.raises(error):
            put(store)

    assert keys_in(store) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
