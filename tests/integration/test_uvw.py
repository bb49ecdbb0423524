"""The wrapper that fetches uv, run by the system's `sh` and the real `pip`. Only PyPI is played: by a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from posegen.settings import PROJECT_ROOT

TOOLS = ("sh", "chmod", "dirname", "mkdir", "mktemp", "readlink", "rm")

# Says what it was asked, instead of doing it.
SPEAKING_UV = """#!/bin/sh
echo "arguments: $*"
echo "folder: $(pwd)"
echo "cache: ${UV_CACHE_DIR:-its own}"
echo "frozen: ${UV_FROZEN:-no}"
echo "downloads: ${UV_PYTHON_DOWNLOADS:-free}"
"""


@dataclass
class Machine:
    """A checkout, a home, and a PATH of which every program is known."""

    checkout: Path
    programs: Path
    wheels: Path
    home: Path
    overrides: dict[str, str] = field(default_factory=dict)

    def uvw(
        self, *arguments: str, script: Path | None = None, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [script or self.checkout / "uvw", *arguments],
            env=self._environment(),
            cwd=folder or self.checkout,
            capture_output=True,
            text=True,
            check=False,
        )

    def start_uvw(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.checkout / "uvw", *arguments],
            env=self._environment(),
            cwd=self.checkout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def add_program(self, name: str, script: str) -> None:
        (self.programs / name).write_text(script)
        (self.programs / name).chmod(0o755)

    def _environment(self) -> dict[str, str]:
        index = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.wheels.as_uri()}
        return {"PATH": str(self.programs), "HOME": str(self.home), **index, **self.overrides}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with Python and pip, and without uv."""
    made = Machine(tmp_path / "check out ü", tmp_path / "programs", tmp_path / "wheels", tmp_path / "home")
    for folder in (made.checkout, made.programs, made.wheels, made.home):
        folder.mkdir()
    shutil.copy(PROJECT_ROOT / "uvw", made.checkout)
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (made.programs / tool).symlink_to(found)
    made.add_program("python3", f'#!/bin/sh\nexec "{python_with_pip()}" "$@"\n')
    with zipfile.ZipFile(made.wheels / "uv-99.0-py3-none-any.whl", "w") as wheel:
        program = zipfile.ZipInfo("uv-99.0.data/scripts/uv")
        program.external_attr = 0o100755 << 16
        wheel.writestr(program, SPEAKING_UV)
        wheel.writestr("uv-99.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 99.0\n")
        wheel.writestr("uv-99.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("uv-99.0.dist-info/RECORD", "")
    return made


@cache
def python_with_pip() -> str:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [str(Path(sys.base_prefix) / "bin" / version), shutil.which("python3", path="/usr/local/bin:/usr/bin")]
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
            return candidate
    pytest.skip("no Python with pip on this machine")


def test_the_uv_on_the_path_is_used_and_nothing_is_installed(machine: Machine) -> None:
    machine.add_program("uv", SPEAKING_UV)

    answer = machine.uvw("run", "posegen", "demo")

    assert f"arguments: --project {machine.checkout} run posegen demo" in answer.stdout
    assert answer.stderr == ""
    assert not (machine.checkout / ".uv").exists()


def test_two_first_calls_at_the_same_time_both_work_and_leave_one_uv(machine: Machine) -> None:
    calls = [machine.start_uvw("run", "posegen", "demo") for _ in range(2)]

    answers = [call.communicate(timeout=180) for call in calls]

    assert [call.returncode for call in calls] == [0, 0], answers
    assert all("run posegen demo" in said for said, _ in answers)
    assert [path.name for path in (machine.checkout / ".uv").iterdir()] == ["program"]


def test_a_failed_installation_says_so_leaves_nothing_and_the_next_call_installs_uv_once(machine: Machine) -> None:
    wheel = next(machine.wheels.iterdir())
    hidden = wheel.rename(wheel.with_suffix(".hidden"))
    failed = machine.uvw("run", "posegen", "demo")
    left_over = list((machine.checkout / ".uv").iterdir())
    hidden.rename(wheel)

    assert failed.returncode == 1
    assert "uv could not be installed from PyPI" in failed.stderr
    assert left_over == []

    first = machine.uvw("run", "posegen", "demo")
    second = machine.uvw("run", "posegen", "demo")

    assert first.returncode == 0
    assert f"arguments: --project {machine.checkout} run posegen demo" in first.stdout
    assert first.stderr.splitlines() == [
        f"uvw: uv is not installed here; putting it from PyPI into {machine.checkout}/.uv (once)"
    ]
    assert second.stdout == first.stdout
    assert second.stderr == ""
    assert (machine.checkout / ".uv" / "program").stat().st_mode & 0o777 == 0o755, "another user can use it"


def test_without_a_python_of_at_least_3_11_it_says_what_is_missing(machine: Machine) -> None:
    machine.add_program("python3", "#!/bin/sh\nexit 1\n")

    answer = machine.uvw("run", "posegen", "demo")

    assert answer.returncode == 1
    assert answer.stderr.startswith("uvw: Posegen needs Python 3.11 or newer")


def test_a_newer_python_is_found_beside_one_that_is_too_old(machine: Machine) -> None:
    machine.add_program("python3", "#!/bin/sh\nexit 1\n")
    # It has a pip that installs nothing.
    machine.add_program("python3.12", '#!/bin/sh\ncase "$*" in *install*) echo "$0 $*" >&2; exit 1;; esac\n')

    answer = machine.uvw("--version")

    assert f"{machine.programs}/python3.12 -m pip install" in answer.stderr
    assert "uv could not be installed from PyPI" in answer.stderr


def test_a_python_without_pip_is_told_apart_from_a_missing_one(machine: Machine) -> None:
    machine.add_program("python3", '#!/bin/sh\ncase "$*" in *pip*) exit 1;; esac\nexit 0\n')

    answer = machine.uvw("run", "posegen", "demo")

    assert answer.returncode == 1
    assert "has no pip" in answer.stderr


@pytest.mark.parametrize("home", [None, "/proc", "/nonexistent"], ids=["unset", "read-only", "missing"])
def test_without_a_usable_home_the_cache_lies_in_the_checkout(machine: Machine, home: str | None) -> None:
    machine.add_program("uv", SPEAKING_UV)
    machine.overrides = {"HOME": home or ""}

    answer = machine.uvw("run", "posegen", "demo")

    assert f"cache: {machine.checkout}/.uv/cache" in answer.stdout
    assert not Path("/nonexistent").exists()


def test_with_a_home_the_cache_stays_where_uv_keeps_it(machine: Machine) -> None:
    machine.add_program("uv", SPEAKING_UV)

    assert "cache: its own" in machine.uvw("run", "posegen", "demo").stdout


def test_running_never_changes_the_lock_and_never_downloads_a_python(machine: Machine) -> None:
    machine.add_program("uv", SPEAKING_UV)

    running = machine.uvw("run", "posegen", "demo").stdout
    locking = machine.uvw("lock").stdout

    assert "frozen: 1" in running
    assert "downloads: never" in running
    assert "frozen: no" in locking


def test_called_from_elsewhere_through_a_link_it_still_means_its_own_checkout(machine: Machine) -> None:
    machine.add_program("uv", SPEAKING_UV)
    link = machine.home / "posegen-uv"
    link.symlink_to(Path("..") / machine.checkout.name / "uvw")

    answer = machine.uvw("run", "posegen", "demo", script=link, folder=machine.home)

    assert f"arguments: --project {machine.checkout} run posegen demo" in answer.stdout
    assert f"folder: {machine.home}" in answer.stdout


@dataclass
class ReadOnly:
    """A checkout that its user may not write to."""

    folder: Path

    def uvw(self, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.folder}/programs:/usr/bin:/bin", "HOME": "/nonexistent", **variables}
        return subprocess.run(
            [self.folder / "checkout" / "uvw", "run", "posegen", "demo"],
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            user=65534,
            group=65534,
            extra_groups=[],
        )


@pytest.fixture
def read_only() -> Iterator[ReadOnly]:
    if os.geteuid() != 0:
        pytest.skip("only root makes a checkout that its user may not write to")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    for name in ("checkout", "programs"):
        (folder / name).mkdir(mode=0o755)
    shutil.copy(PROJECT_ROOT / "uvw", folder / "checkout")
    (folder / "programs" / "uv").write_text(
        SPEAKING_UV + 'echo "sync: ${UV_NO_SYNC:-yes}, cache: ${UV_NO_CACHE:-no}"\n'
    )
    (folder / "programs" / "uv").chmod(0o755)
    yield ReadOnly(folder)
    shutil.rmtree(folder)


def test_a_read_only_checkout_without_packages_says_where_they_may_go(read_only: ReadOnly) -> None:
    answer = read_only.uvw()

    assert answer.returncode == 1
    assert "cannot be written to. Set UV_PROJECT_ENVIRONMENT to a new folder" in answer.stderr
    assert read_only.uvw(UV_PROJECT_ENVIRONMENT="/var/tmp/packages").returncode == 0


def test_the_packages_of_a_read_only_checkout_are_used_as_they_are(read_only: ReadOnly) -> None:
    (read_only.folder / "checkout" / ".venv" / "bin").mkdir(parents=True)
    (read_only.folder / "checkout" / ".venv" / "bin" / "python").symlink_to("/bin/true")

    assert "sync: 1, cache: 1" in read_only.uvw().stdout
    assert "sync: yes, cache: 1" in read_only.uvw(UV_PROJECT_ENVIRONMENT="/var/tmp/packages").stdout


def test_a_read_only_checkout_without_uv_says_what_to_do(read_only: ReadOnly) -> None:
    (read_only.folder / "programs" / "uv").unlink()

    answer = read_only.uvw()

    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].endswith("may not write to. Install uv yourself.")
