"""Whether `./uvw run posegen demo` works for other users, umasks, folders and paths, or says in a sentence what to do.

`./uvw run python -m benchmarks.environments` writes the table to `benchmarks/environments.md`. Linux, as root. Each
variant has a fresh copy of the checkout, and `/var/lib` and `/var/tmp` of a machine on which Posegen has never run.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.running_platform import machine
from posegen.settings import PROJECT_ROOT

DEMO = "./uvw run posegen demo"
DEMO_SECONDS = 600
NOBODY, NAMELESS = 65534, 54321
WORKS = "Done in"
STRANGE = """it's a "strange" checkout, Größe 名前 """ + "long " * 22 + "end"
TABLE = PROJECT_ROOT / "benchmarks" / "environments.md"


@dataclass(frozen=True)
class Variant:
    """One environment.

    Attributes:
        name: for the table.
        uid: who runs it.
        umask: of the shell, octal.
        variables: set for the shell; None unsets one. `{base}` stands for a folder of the variant's own.
        before: shell lines that root runs first, in the checkout, with its own mounts.
        command: what the user runs in the checkout.
        checkout: the folder's name.
        says: a pattern of what it has to print; exit code 0 is wanted only of what works.
    """

    name: str
    uid: int = 0
    umask: str = "022"
    variables: dict[str, str | None] = field(default_factory=dict)
    before: str = ":"
    command: str = DEMO
    checkout: str = "posegen"
    says: str = WORKS


VARIANTS = (
    *(Variant(f"root, umask {umask}", umask=umask) for umask in ("022", "027", "077")),
    Variant("root, umask 077, POSEGEN_HOME elsewhere", umask="077", variables={"POSEGEN_HOME": "{base}/new/home"}),
    Variant(
        "root, after an attempt that left folders with mode 0700",
        before="mkdir -m 700 /var/lib/posegen /var/tmp/posegen; mkdir -m 700 .posegen .posegen/postgres",
    ),
    Variant(
        "root, after an attempt that was killed in the middle",
        umask="077",
        before="umask 077; timeout -s KILL 12 ./uvw run posegen db upgrade; umask 022",
    ),
    *(Variant(f"a user, umask {umask}", NOBODY, umask) for umask in ("022", "027", "077")),
    Variant("a user, HOME unset", NOBODY, variables={"HOME": None}),
    Variant("a user, HOME read-only", NOBODY, variables={"HOME": "/proc"}),
    Variant("a user, HOME missing", NOBODY, variables={"HOME": "/nonexistent"}),
    Variant("root, HOME unset", variables={"HOME": None}),
    Variant("a uid without a passwd entry", NAMELESS, variables={"HOME": None}, says="has no entry in /etc/passwd"),
    Variant("root, a strange path of 150 characters", checkout=STRANGE),
    Variant("a user, a strange path of 150 characters", NOBODY, checkout=STRANGE),
    Variant("a user, TMPDIR unset", NOBODY, variables={"TMPDIR": None}),
    Variant("a user, TMPDIR of 150 characters", NOBODY, variables={"TMPDIR": "{base}/" + "t" * 120}),
    Variant("a user, TMPDIR relative", NOBODY, variables={"TMPDIR": "here"}, before="mkdir -m 777 here"),
    Variant("a user, TMPDIR missing", NOBODY, variables={"TMPDIR": "/nonexistent"}),
    Variant(
        "a user, read-only checkout with packages, POSEGEN_HOME elsewhere",
        NOBODY,
        variables={"POSEGEN_HOME": "{base}/home"},
        before="as_user ./uvw sync -q; mount --bind -o ro . .; cd .",
    ),
    Variant(
        "a user, read-only checkout, packages and POSEGEN_HOME elsewhere",
        NOBODY,
        variables={"POSEGEN_HOME": "{base}/home", "UV_PROJECT_ENVIRONMENT": "{base}/packages"},
        before="mount --bind -o ro . .; cd .",
    ),
    Variant(
        "a user, read-only checkout without packages",
        NOBODY,
        before="mount --bind -o ro . .; cd .",
        says="Set UV_PROJECT_ENVIRONMENT to a new folder",
    ),
    Variant(
        "a user, POSEGEN_HOME read-only",
        NOBODY,
        variables={"POSEGEN_HOME": "{base}/mount"},
        before="mkdir {base}/mount; mount -t tmpfs -o ro tmpfs {base}/mount",
        says="Read-only file system.*Set POSEGEN_HOME",
    ),
    *(
        Variant(
            f"a user, a disk of {size} for POSEGEN_HOME",
            NOBODY,
            variables={"POSEGEN_HOME": "{base}/mount"},
            before=f"mkdir {{base}}/mount; mount -t tmpfs -o size={size},mode=777 tmpfs {{base}}/mount",
            says="No space left on device|disk of .* is full",
        )
        for size in ("4k", "20m")
    ),
    Variant(
        "a user, after an attempt on a full disk",
        NOBODY,
        variables={"POSEGEN_HOME": "{base}/mount"},
        before="mkdir {base}/mount; mount -t tmpfs -o size=20m,mode=777 tmpfs {base}/mount; "
        "as_user ./uvw run posegen db upgrade; mount -o remount,size=2g {base}/mount",
    ),
    Variant("a user, POSEGEN_HOME relative", NOBODY, variables={"POSEGEN_HOME": "here/home/"}),
    Variant(
        "a user, POSEGEN_HOME relative, from another folder",
        NOBODY,
        variables={"POSEGEN_HOME": "home"},
        command=f'checkout=$PWD; cd {{base}}; "$checkout"/{DEMO.removeprefix("./")}',
    ),
    Variant(
        "a user, POSEGEN_HOME a link",
        NOBODY,
        variables={"POSEGEN_HOME": "{base}/link"},
        before="mkdir -m 777 {base}/there; ln -s there {base}/link",
    ),
    Variant("a user, POSEGEN_HOME begins with ~", NOBODY, variables={"POSEGEN_HOME": "~/home", "HOME": "{base}"}),
    Variant(
        "a uid without a passwd entry, POSEGEN_HOME begins with ~",
        NAMELESS,
        variables={"POSEGEN_HOME": "~/home", "HOME": None},
        says="POSEGEN_HOME = '~/home': .*has no home folder",
    ),
    Variant(
        "a user, POSEGEN_HOME a file",
        NOBODY,
        variables={"POSEGEN_HOME": "{base}/file"},
        before="touch {base}/file",
        says="Not a directory.*Set POSEGEN_HOME",
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What a variant has come to. `said`: the line that counts; `good`: as it should be."""

    variant: Variant
    code: int
    said: str
    seconds: float
    good: bool


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every variant, or those whose names match; the others keep their rows in the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a pattern for the names of variants")
    parser.add_argument("--caches", type=Path, help="folder that holds uv's cache of each user, to be kept")
    options = parser.parse_args(arguments)
    where = machine()
    with tempfile.TemporaryDirectory(prefix="posegen-environments-", dir="/srv") as folder:
        Path(folder).chmod(0o755)
        caches = options.caches or Path(folder) / "caches"
        uv = _shared_uv(Path(folder))
        for variant in VARIANTS:
            if re.search(options.only, variant.name):
                row = _row(_run(variant, Path(folder), caches, uv))
                print(row, flush=True)
                TABLE.write_text(_table(where, {**_rows_before(), variant.name: row}))


def _run(variant: Variant, folder: Path, caches: Path, uv: Path) -> Outcome:
    base = Path(tempfile.mkdtemp(dir=folder))
    base.chmod(0o777)
    checkout = base / variant.checkout
    for path in _tracked():
        target = checkout / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT_ROOT / path, target)
    cache = caches / str(variant.uid)
    cache.mkdir(parents=True, exist_ok=True)
    for path in (base, checkout, *checkout.rglob("*"), cache):
        os.chown(path, variant.uid, variant.uid)
    (base / ("t" * 120)).mkdir(mode=0o777)
    (base / ("t" * 120)).chmod(0o777)
    script = base / "script"
    script.write_text(_script(variant, base, cache, uv))
    began = time.monotonic()
    try:
        done = subprocess.run(
            ["unshare", "--mount", "bash", script],
            cwd=checkout,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=DEMO_SECONDS,
            check=False,
        )
        return _outcome(variant, done.returncode, done.stdout + done.stderr, time.monotonic() - began)
    except subprocess.TimeoutExpired:
        return Outcome(variant, 124, "no end", DEMO_SECONDS, good=False)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _script(variant: Variant, base: Path, cache: Path, uv: Path) -> str:
    """The shell script of a variant. Root runs it in a mount namespace that ends with it."""
    variables = {"HOME": "/root" if variant.uid == 0 else str(base), "UV_CACHE_DIR": str(cache), **variant.variables}
    unset = "".join(f"unset {name}\n" for name, value in variables.items() if value is None)
    given = "".join(
        f"export {name}={shlex.quote(value.format(base=base))}\n"
        for name, value in variables.items()
        if value is not None
    )
    become = "" if variant.uid == 0 else f"setpriv --reuid {variant.uid} --regid {variant.uid} --clear-groups"
    return (
        "mount -t tmpfs tmpfs /var/lib; mount -t tmpfs tmpfs /var/tmp; chmod 1777 /var/tmp\n"
        f"export PATH={uv}:/usr/local/bin:/usr/bin:/bin UV_LINK_MODE=copy\n"
        "unset POSEGEN_HOME DATABASE_URL PYTHONDONTWRITEBYTECODE VIRTUAL_ENV UV_FROZEN UV_PROJECT_ENVIRONMENT\n"
        f"{unset}{given}"
        f'as_user() {{ {become} "$@"; }}\n'
        f"{variant.before.format(base=base)}\n"
        "echo '--- it begins' >&2\n"
        f"umask {variant.umask}\n"
        f"as_user bash -c {shlex.quote(variant.command.format(base=base))}\n"
    )


def _outcome(variant: Variant, code: int, output: str, seconds: float) -> Outcome:
    said = next((line for line in output.splitlines() if re.search(variant.says, line)), "")
    good = bool(said) and (code == 0) == (variant.says == WORKS) and "Traceback" not in output
    if not good:
        print(f"{variant.name}: exit code {code}\n{output[-4000:]}", flush=True)
    return Outcome(variant, code, said.strip() or output.strip().splitlines()[-1][:200], seconds, good)


def _tracked() -> Iterator[str]:
    """Every file of the working tree that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return (path for path in listed.stdout.split("\0") if path and (PROJECT_ROOT / path).is_file())


def _shared_uv(folder: Path) -> Path:
    """A folder with uv in it that every user may enter; fetching it is tried in the tests of `uvw`."""
    programs = folder / "programs"
    programs.mkdir()
    found = shutil.which("uv") or PROJECT_ROOT / ".uv" / "program" / "bin" / "uv"
    shutil.copy(found, programs / "uv")
    return programs


def _rows_before() -> dict[str, str]:
    """The rows of the table as it is, by variant."""
    lines = TABLE.read_text().splitlines() if TABLE.exists() else []
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines if line.startswith("| ")}


def _table(where: str, rows: Mapping[str, str]) -> str:
    known = [rows[variant.name] for variant in VARIANTS if variant.name in rows]
    right = sum(" | yes | " in row for row in known)
    lines = [
        "# Environments",
        "",
        f"`./uvw run python -m benchmarks.environments`: `{DEMO}` in {len(known)} environments, each with a fresh copy "
        f"of the checkout. {where}.",
        "",
        f"**{right} of {len(known)} do what is right**: the demonstration makes its pictures, or one sentence says "
        "what to do.",
        "",
        "| environment | right | what comes out | seconds |",
        "|---|---|---|---:|",
        *known,
        "",
    ]
    return "\n".join(lines)


def _row(outcome: Outcome) -> str:
    said = "works" if outcome.variant.says == WORKS and outcome.good else outcome.said
    said = re.sub(r"/srv/posegen-environments-\w+/\w+", "…", said).replace("|", "\\|")
    return f"| {outcome.variant.name} | {'yes' if outcome.good else 'NO'} | {said} | {outcome.seconds:.0f} |"


if __name__ == "__main__":
    main()
