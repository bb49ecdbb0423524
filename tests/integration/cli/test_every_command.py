"""What holds for every command: closed pipes, full disks, any encoding, arguments that are no text, narrow terminals.

The commands are taken from the app; one that has no line in `ARGUMENTS` fails the first test.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from uuid import uuid4

import pytest
import typer.main

from posegen.cli import console
from posegen.cli.main import app
from posegen.database.connection import Database
from posegen.objects.identity import require_own
from posegen.storage.local import LocalStore
from posegen.studio import Studio
from posegen.upkeep.preparing import prepare_database
from tests.backends import PaintedBackend
from tests.builders import a_design, a_user, execute, finished, rows
from tests.commands import ByteShell, commands
from tests.forked_commands import forked_commands
from tests.servers import fresh_database

COMMANDS = commands()
TREE = typer.main.get_command(app)
GROUPS = ["", *(name for name, command in TREE.commands.items() if hasattr(command, "commands"))]

# They start processes that stay; their help and their arguments are tried, and `tests/end_to_end/` runs `up`.
STAYING = {"demo", "up", "api", "db serve"}
# Plots of a month and a drawing of every pose take seconds, and all that is printed is where the file is.
SLOW = {"report", "library sheet"}
# They draw, and print paths and numbers only: one sweep is enough.
DRAWING = {"library sheet", "library draw", "replay", "variants", "regenerate"}
PROMPT = "[red]x[/red] 学生 × é 😀"
HOSTILE = "Zoë \x1b[31m[red]x[/red] \u202eevil 学生 ×"
NO_TEXT = b"caf\xe9"
NEEDED = {"AMOUNT": "5", "SLUG": "star-jump", "SIZE": "100", "REASON": "r", "TO": "s3", "TYPE": "image/png"}
TAKEN = {0, 141}


class World:
    """Ids of what is there: one generation with `poses`, a user, designs that are used up by deletion."""

    def __init__(self, studio, home):
        database = studio.database
        self.user = a_user(database)
        execute(database, "update users set name = %s where id = %s", HOSTILE, self.user)
        self.generation = finished(
            studio, self.user, poses=["star-jump"], prompt=PROMPT, project_id=HOSTILE, variations=5, formats=["tiktok"]
        )
        self.poses = [str(each["id"]) for each in rows(database, "select id from generated_poses order by position")]
        self.designs = [str(a_design(database, self.user, text=PROMPT)) for _ in range(7)]
        self.key = rows(database, "select key from objects order by id limit 1")[0]["key"]
        self.picture = next((home / "storage").glob("poses/*/*.png"))
        self.empty = home / "empty"
        self.empty.mkdir()
        self.home = home
        self.database = database
        self.unpaid = [1, 2, 3, 4, 5]

    def arguments(self):
        """Words for each command, and the exit code that they end with."""
        generation, out = str(self.generation), self.home / "out"
        return {
            "demo": (0, []),
            "up": (0, []),
            "api": (0, []),
            "db serve": (0, []),
            "submit": (0, ["star-jump", "--user", self.user, "--prompt", PROMPT]),
            "cancel": (1, [generation]),
            "design submit": (0, [PROMPT, "--user", self.user]),
            "design show": (0, [self.designs[-1]]),
            "design delete": (0, [self.designs.pop(0)]),
            "variants make": (0, [self.poses[0]]),
            "variants delete": (1, [uuid4()]),
            "upload begin": (0, ["--user", self.user, "--size", "100", "--type", "image/png"]),
            "upload complete": (1, [uuid4()]),
            "upload file": (1, [self.picture, "--user", self.user]),
            "upload delete": (1, [uuid4()]),
            "library list": (0, ["--category", "yoga"]),
            "library sheet": (0, ["--width", "400", "--columns", "16", "-o", out / "sheet.png"]),
            "library draw": (0, ["star-jump", "--side", "64", "-o", out]),
            "status": (0, []),
            "watch": (0, [generation]),
            "show": (0, [generation, "-o", out / "sheet.png"]),
            "explain": (0, [generation]),
            "inspect": (0, [self.picture]),
            "metrics top-users": (0, []),
            "metrics popular-poses": (0, []),
            "metrics errors": (0, []),
            "report": (0, ["-o", out / "report.html"]),
            "audit": (0, []),
            "backends": (0, []),
            "calls": (0, []),
            "archive": (0, [generation, "--format", "image", "-o", out / "poses.zip"]),
            "regenerate": (0, [generation, "--format", "tiktok", "--missing"]),
            "replay": (1, [self.poses[0]]),
            "delete": (0, [generation, "--pose", "2"]),
            "restore": (0, [generation, "--pose", "2"]),
            "storage init": (0, []),
            "storage health": (0, []),
            "storage usage": (0, []),
            "storage ls": (0, ["poses"]),
            "storage url": (0, [self.key]),
            "storage migrate": (2, ["--to", "local"]),
            "storage reconcile": (0, []),
            "storage adopt": (0, [self.empty, "--user", self.user]),
            "doctor": (1, []),
            "verify": (0, []),
            "credits show": (0, [self.user]),
            "credits grant": (0, [self.user, "5", "--reason", HOSTILE]),
            "credits refund": (0, [generation, "--pose", self.unpaid.pop(0), "--reason", HOSTILE]),
            "credits audit": (0, []),
            "key create": (0, ["--name", PROMPT, "--user", self.user, "--scope", "files:read"]),
            "key list": (0, []),
            "key revoke": (1, ["7hNq2kT9wXb4"]),
            "login": (0, ["--user", self.user]),
            "db upgrade": (0, []),
            "db status": (0, []),
            "env": (0, []),
        }


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """What POSEGEN_HOME names."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def url(postgres):
    """A database for all tests of this module: they look, and add."""
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture(scope="module")
def world(url, home):
    """What the commands are about."""
    store = LocalStore(home / "storage", base_url="/media")
    with Database(url) as database:
        prepare_database(database, base_urls={"local": "/media"})
        require_own(database, store)
        yield World(Studio(database=database, store=store, open_backend=lambda _: PaintedBackend()), home)


@pytest.fixture(scope="module")
def posegen(url, home):
    """Commands with this module's database and folder, in this process."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DATABASE_URL", url)
        patched.setenv("POSEGEN_HOME", str(home))
        yield ByteShell(patched)


@pytest.fixture(scope="module")
def forked(url, home):
    """The same, each in a process of its own."""
    with forked_commands({"DATABASE_URL": url, "POSEGEN_HOME": str(home)}) as forked:
        yield forked


def run_all(posegen, world, *, unless, with_json=False, **how):
    """Each command but some: its name, the exit code that it has elsewhere, and how it ended."""
    for name, (code, words) in world.arguments().items():
        if name not in unless and (not with_json or takes_json(name)):
            yield name, code, posegen(*name.split(), *words, *(["--json"] if with_json else []), **how)


def takes_json(name):
    return any("--json" in param.opts for param in COMMANDS[name].params)


def test_every_command_of_the_app_is_tried(world):
    assert sorted(world.arguments()) == sorted(COMMANDS)


def test_a_reader_that_has_left_is_no_error(posegen, world):
    wrong = {}
    for name, code, ended in run_all(posegen, world, unless=(STAYING - {"db serve"}) | SLOW, out_left=True):
        refused = code != 0 and ended.code == code and ended.err
        if b"Traceback" in ended.err or not (ended.code in TAKEN or refused):
            wrong[name] = ended

    assert wrong == {}


@pytest.mark.parametrize("name", ["status", "watch", "storage ls", "env", "explain", "show"])
def test_a_reader_of_json_that_has_left_is_no_error(posegen, world, name):
    words = [world.generation] if name in {"watch", "explain", "show"} else []

    assert posegen(*name.split(), *words, "--json", out_left=True).code in TAKEN


def test_everything_is_written_by_the_console():
    for module in sorted(Path(console.__file__).parent.glob("*.py")):
        if module.stem not in {"console", "streams"}:
            text = module.read_text()
            assert not re.findall(r"\bprint\(|\.(?:out|err)\.print\(|sys\.stdout|json\.dumps\(.*print", text), module


def test_ascii_output_of_json_is_json(posegen, world):
    wrong = {}
    for name, code, ended in run_all(posegen, world, unless=STAYING | SLOW | DRAWING, with_json=True, encoding="ascii"):
        try:
            documents = [json.loads(each) for each in documents_of(name, ended.out)]
        except ValueError as broken:
            documents = [broken]
        if ended.code != code or b"Traceback" in ended.err or any(isinstance(each, ValueError) for each in documents):
            wrong[name] = ended

    assert wrong == {}


def documents_of(name, out):
    """The documents of an output: one, or one a line; none where the command has failed."""
    if name in {"watch", "storage ls"}:
        return out.splitlines()
    return [out] if out else []


def test_an_argument_that_is_no_text_is_named(posegen):
    wrong = {}
    for name, command in COMMANDS.items():
        for words in lines_with_bytes(command):
            ended = posegen(*name.split(), *words)
            if ended.code not in {1, 2} or b"Traceback" in ended.err or rb"caf\xe9" not in ended.err:
                wrong[" ".join(map(str, [name, *words]))] = ended

    assert wrong == {}


def lines_with_bytes(command):
    """For each text that a command takes a line on which that text is no UTF-8."""
    texts = [param for param in command.params if param.type_descriptor.annotation in (str, list[str])]
    for tried in texts:
        words = []
        for param in command.params:
            if param is tried:
                value = NO_TEXT
            elif param.required:
                value = needed(param)
            else:
                continue
            words += [value] if param.param_type_name == "argument" else [param.opts[0], value]
        yield words


def needed(param):
    """A value that a required parameter takes."""
    return NEEDED.get(param.name.upper(), uuid4())


def test_files_and_folders_may_have_names_that_are_no_text(posegen, world, tmp_path):
    folder = os.fsencode(tmp_path) + b"/d\xf6r"
    generation, slug = str(world.generation), "star-jump"
    lines = {
        "archive": [generation, "--formats", "image", "--out", folder + b"/\xe9.zip"],
        "show": [generation, "--output", folder + b"/\xe9.png", "--files", folder],
        "library draw": [slug, "--side", "64", "-o", folder],
        "storage adopt": [folder, "--user", world.user],
        "inspect": [folder + b"/\xe9.png"],
    }
    Path(os.fsdecode(folder)).mkdir()
    (world.home / "storage" / "poses" / "Gr\udcf6\udcdfe.png").touch()

    for name, words in lines.items():
        told = posegen(*name.split(), *words, encoding="ascii")
        document = posegen(*name.split(), *words, "--json")
        assert (told.code, document.code) == (0, 0), (name, told.err, document.err)
        json.loads(document.out)
    assert rb"d\xf6r/\xe9.png" in posegen("show", *lines["show"]).out
    assert posegen("storage", "reconcile").code == 0


@pytest.mark.parametrize("variable", ["POSEGEN_HOME", "STORAGE_LOCAL_PATH", "POSEGEN_PLATFORMS_FILE"])
def test_a_setting_that_is_no_text_is_named(posegen, monkeypatch, variable):
    monkeypatch.setenv(variable, "/tmp/caf\udce9")

    ended = posegen("status")

    assert ended.code == 1
    assert variable.encode() in ended.err
    assert b"not UTF-8" in ended.err


def test_help_is_whole_on_a_narrow_terminal(posegen, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    wrong = {}
    for name in [*GROUPS, *COMMANDS]:
        ended = posegen(*name.split(), "--help", encoding="ascii")
        text = ended.out.decode("ascii")
        options = [param.opts[0] for param in COMMANDS[name].params] if name in COMMANDS else []
        missing = [option for option in options if option not in text]
        # An argument and its type stay on one line, 44 wide at most.
        widest = max(map(len, text.splitlines()))
        if ended.code != 0 or ended.err or missing or widest > 44 or "Usage" not in text:
            wrong[name] = (missing, widest, ended)

    assert wrong == {}


def test_help_into_a_closed_pipe_is_no_error(posegen, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")  # frames take time
    wrong = {
        name: ended
        for name in [*GROUPS, "submit", "watch"]  # every command is tried with its output above
        if (ended := posegen(*name.split(), "--help", out_left=True)).code not in TAKEN or ended.err
    }

    assert wrong == {}


def test_the_help_of_every_command_says_what_it_does_in_a_line_and_shows_an_example():
    for name, command in COMMANDS.items():
        first, _, rest = command.help.partition("\n")
        assert len(first) <= 64, name
        assert first.endswith("."), name
        assert f"`posegen {name}" in rest or name == "env", name


def test_commands_of_the_same_kind_have_options_of_the_same_name():
    for name, command in COMMANDS.items():
        spellings = {each for param in command.params for each in param.opts}
        assert "--json" in spellings or name in STAYING, name
        assert not spellings & {"--formats", "--poses", "--out", "--html", "--grace-hours"}, name
        assert ("-o" in spellings) == ("--output" in spellings), name


# --- streams that fail --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["library", "list"], ["library", "list", "--json"], ["env"], ["--help"]])
def test_a_full_disk_behind_standard_output_is_a_sentence(forked, words):
    ended = forked(*words, out="full")

    assert ended.code == 1
    assert ended.err.startswith(b"error: ")
    assert b"No space left on device" in ended.err
    assert b"Traceback" not in ended.err


@pytest.mark.parametrize("stream", ["left", "full", "closed"])
def test_a_standard_error_that_fails_leaves_the_exit_code(forked, stream):
    assert forked("status", uuid4(), err=stream).code in {0, 1}
    assert forked("status", err=stream).code == 0


@pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["env"], ["--help"]])
def test_a_closed_standard_output_is_no_error(forked, words):
    ended = forked(*words, out="closed")

    assert (ended.code, ended.err) == (0, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-16", "utf-8"])
def test_any_encoding_shows_the_same_ids(posegen, world, encoding):
    ended = posegen("explain", world.generation, encoding=encoding)

    assert ended.code == 0
    text = ended.out.decode(encoding)
    assert str(world.generation) in text
    assert "[red]x[/red]" in text, "markup stays letters"
    assert "\x1b" not in text
    assert r"\x1b[31m" in text
    assert r"\u202e" in text


@pytest.mark.parametrize("out", ["left", "full"])
@pytest.mark.parametrize(
    ("words", "table", "says"),
    [
        (["submit", "star-jump"], "generation_requests", "Generation {} is stored"),
        (["submit", "star-jump", "--json"], "generation_requests", "Generation {} is stored"),
        (["design", "submit", "text"], "design_requests", "Design {} is stored"),
    ],
)
def test_what_was_stored_is_named_when_the_output_fails(forked, world, words, table, says, out):
    ended = forked(*words, "--user", world.user, out=out)

    stored = rows(world.database, f"select id from {table} order by created_at desc limit 1")[0]["id"]
    assert says.format(stored) in ended.err.decode()
