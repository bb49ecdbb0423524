"""`docs/reference/command.md` lists the commands that there are, with all their arguments and options."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from tests.commands import commands
from tests.documents import page

PAGE = page("docs/reference/command.md")


COMMANDS = commands()


def spelled(parameter: Any) -> str:
    """A parameter as the page writes it."""
    if parameter.param_type_name == "argument":
        return str(parameter.name).upper() + ("..." if parameter.nargs == -1 else "")
    return ", ".join(sorted(parameter.opts, key=len, reverse=True))


def parameters_of(name: str) -> list[str]:
    """What a command takes, as the page writes it."""
    return [spelled(parameter) for parameter in COMMANDS[name].params if parameter.name != "help"]


def test_every_command_has_its_section_and_its_place_in_the_list() -> None:
    assert [heading for heading in PAGE.headings() if heading.startswith("posegen ")] == [
        f"posegen {name}" for row in PAGE.rows("command") for name in re.findall(r"\[([\w -]+)\]", row["command"])
    ]
    sections = [heading for heading in PAGE.headings() if heading.startswith("posegen ")]
    assert sorted(section.removeprefix("posegen ") for section in sections) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_arguments_and_options_of_a_command_are_on_the_page(name: str) -> None:
    titles = [f"option of {name}", f"argument or option of {name}"]
    documented = [
        next(iter(row.values()))
        for title in titles
        if f"| {title.replace(name, f'`{name}`')} |" in PAGE.text
        for row in PAGE.rows(title)
    ]
    assert documented == parameters_of(name)


def test_the_defaults_and_ranges_of_the_page_are_those_of_the_options() -> None:
    for name, command in COMMANDS.items():
        section = PAGE.section(f"posegen {name}")
        for parameter in command.params:
            if getattr(parameter, "min", None) is not None and parameter.name != "port":
                assert f"{parameter.min} to {parameter.max}" in section, (name, parameter.name)
                given = parameter.required or parameter.default is None
                assert given or f"{parameter.default} by default" in section, (name, parameter.name)


def test_every_command_line_of_the_page_can_be_understood() -> None:
    lines = [line for block in PAGE.blocks() for line in block.text.splitlines() if line.startswith("$ posegen ")]
    assert len(lines) > 10
    for line in lines:
        words = shlex.split(line.removeprefix("$ posegen ").partition(" | ")[0])
        name = max((each for each in COMMANDS if words[: len(each.split())] == each.split()), key=len)
        COMMANDS[name].make_context(name, words[len(name.split()) :])
