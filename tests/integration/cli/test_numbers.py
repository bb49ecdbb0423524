"""Every number that the command takes, with values that no sane person types: one sentence, and never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest
import typer.main

from posegen.cli.main import app
from tests.builders import a_user, finished
from tests.commands import Shell

HOSTILE = ("nan", "inf", "-inf", "1e30", "1e400", "-1", "0", str(2**31), str(2**63), "9" * 5000, "1,9" + "9" * 30, "x")
# These start servers, or wait for work; that their numbers have bounds is seen without running them.
NOT_RUN = {"up", "api", "demo"}
NUMBERS = {int, float}


def commands_of(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "commands"):
        yield words, command
        return
    if command.invoke_without_command:
        yield words, command
    for word, inner in command.commands.items():
        yield from commands_of(inner, (*words, word))


def kinds_of(parameter: Any) -> set[Any]:
    """The types of a parameter's values, without None and lists."""
    annotation = parameter.type_descriptor.annotation
    return {annotation, *get_args(annotation)}


COMMANDS = dict(commands_of(typer.main.get_command(app)))
NUMERIC = [
    (words, parameter)
    for words, command in COMMANDS.items()
    for parameter in command.params
    if parameter.name != "help"
    and (kinds_of(parameter) & NUMBERS or (parameter.name == "poses" and "--poses" in parameter.opts))
]


def test_every_number_has_a_lower_and_an_upper_bound() -> None:
    assert len(NUMERIC) > 15
    without = {
        (words, parameter.name)
        for words, parameter in NUMERIC
        if parameter.type_descriptor.annotation in NUMBERS and None in (parameter.min, parameter.max)
    }
    # The database and the rules of uploads refuse these, in a sentence; what they say is tested where they are.
    assert without == {
        (("submit",), "variations"),
        (("submit",), "seed"),
        (("submit",), "control_weight"),
        (("submit",), "control_start"),
        (("submit",), "control_end"),
        (("submit",), "priority"),
        (("design", "submit"), "size"),
        (("upload", "begin"), "size"),
    }


def arguments_for(parameters: list[Any], left_out: Any, tmp_path: Path) -> list[str]:
    """Something for each parameter that a command needs."""
    (tmp_path / "file.png").write_bytes(b"no picture")
    given = []
    for parameter in parameters:
        if not parameter.required or parameter is left_out:
            continue
        values = {UUID: str(uuid4()), Path: str(tmp_path / "file.png"), int: "1", float: "1"}
        value = values.get(parameter.type_descriptor.annotation, "some-text")
        given += [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]
    return given


@pytest.mark.parametrize(
    ("words", "parameter"),
    [(words, parameter) for words, parameter in NUMERIC if words[0] not in NOT_RUN],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else value.name,
)
def test_a_number_that_cannot_be_used_ends_with_a_sentence(
    posegen: Shell, tmp_path: Path, words: tuple[str, ...], parameter: Any
) -> None:
    needed = arguments_for(COMMANDS[words].params, parameter, tmp_path)
    refused = 0
    # A text with several numbers in it is only read when the command runs.
    for value in HOSTILE if kinds_of(parameter) & NUMBERS else HOSTILE[-3:]:
        given = (
            [*needed, "--", value]
            if parameter.param_type_name == "argument"
            else [*needed, f"{parameter.opts[0]}={value}"]
        )
        try:
            # What is refused before the command begins is told by one place for all of them.
            COMMANDS[words].make_context(" ".join(words), list(given)).close()
        except typer.BadParameter:
            refused += 1
            continue
        answer = posegen(*words, *given)
        can_be_meant = value in {"0", str(2**31)} or (parameter.name, value) == ("priority", "-1")
        assert answer.code in ((0, 1, 2) if can_be_meant else (1, 2)), (value, answer)
        assert "Traceback" not in answer.err
        assert answer.code == 0 or answer.err.strip(), value
    assert refused or parameter.name == "poses"


@pytest.mark.parametrize(
    "arguments",
    [
        *(("report", "--month", month) for month in ("0001-01", "9999-12")),
        *(("metrics", "--to", day) for day in ("0001-01-05", "9999-12-31")),
        ("metrics", "--from", "0001-01-05"),
        ("metrics", "top-users", "--from", "2000-01-01", "--to", "2999-12-31"),
    ],
    ids=lambda arguments: "-".join(arguments),
)
def test_a_date_at_the_ends_of_the_calendar_ends_with_a_sentence(posegen: Shell, arguments: tuple[str, ...]) -> None:
    answer = posegen(*arguments)

    assert answer.code == 1
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("month", ["2000-01", "2999-12"])
def test_the_first_and_the_last_month_can_be_asked_for(posegen: Shell, month: str) -> None:
    assert posegen("metrics", "--from", f"{month}-01", "--to", f"{month}-31").code == 0
    if month == "2999-12":  # the plots take seconds
        assert posegen("report", "--month", month).code == 0


def test_what_the_bounds_of_the_database_let_in_can_be_shown(database, studio, posegen: Shell) -> None:
    made = finished(studio, poses=["star-jump"])
    user = a_user(database, credits=1)
    with database.transaction() as connection:
        connection.execute("update users set created_at = '3000-01-01Z'")
        connection.execute("update accounts set storage_limit = 9007199254740992")
        connection.execute("select grant_credits(%s, 1000000000000, 'much')", [user])
        connection.execute("insert into users (name, created_at) values ('Old', '1970-01-01Z')")
        connection.execute(
            "insert into generation_requests (user_id, poses, created_at, seed) values "
            "(%(user)s, '{star-jump}', '2000-01-01Z', 0), (%(user)s, '{star-jump}', '3000-01-01Z', 4294967295)",
            {"user": user},
        )
    for command in (
        *(
            ("metrics",),
            ("metrics", "top-users"),
            ("credits", "show", user),
            ("credits", "audit"),
            ("audit",),
            ("status",),
        ),
        *(("explain", made), ("storage", "usage"), ("verify",)),
    ):
        answer = posegen(*command)
        assert answer.code in (0, 1), (command, answer)
        assert "Traceback" not in answer.err
