"""What all commands have in common: the spellings of their options, and that their arguments are text.

Each command's module makes its own with a `Commands`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

_FRAMED_WIDTH = 60
_Function = TypeVar("_Function", bound=Callable[..., Any])

ASK = "Ask for pictures"
LOOK = "Look at what is there"
KEEP = "Keep pictures and stores"
OPERATE = "Operate Posegen"
"""The groups of `posegen --help`."""

AS_JSON = Annotated[bool, typer.Option("--json", help="One JSON document for scripts.")]

OTHER_SPELLINGS = {
    "--format": ["--formats"],
    "--pose": ["--poses"],
    "--output": ["--out", "--html"],
    "--grace": ["--grace-hours"],
    "--project": ["--project-id"],
    "--key": ["--idempotency-key"],
    "--colour": ["--color"],
    "--since": ["--from"],
    "--control-weight": ["--control_weight"],
    "--negative-prompt": ["--negative_prompt"],
    "--allow-degraded": ["--allow_degraded"],
    "--control-kind": ["--control_kind"],
    "--control-image": ["--control_image"],
    "--control-start": ["--control_start"],
    "--control-end": ["--control_end"],
}
"""What every option of a name is also called. The help shows the first name only."""


class _Spoken:
    """Options under all their spellings, a user as argument or as `--user`, and no argument that is not text."""

    params: list[Any]

    def make_parser(self, context: Any) -> Any:
        """The parser of a command line, which knows the other spellings too."""
        parser = super().make_parser(context)  # type: ignore[misc]
        taken = {spelling for param in self.params for spelling in param.opts}
        for param in self.params:
            for other in (each for name in param.opts for each in OTHER_SPELLINGS.get(name, []) if each not in taken):
                action = "append" if param.multiple else "store"
                parser.add_option(obj=param, opts=[other], dest=param.name, action=action, nargs=param.nargs)
        return parser

    def parse_args(self, context: Any, args: list[str]) -> list[str]:
        """The values of a command line. Raises `typer.BadParameter` for one that is not UTF-8."""
        rest: list[str] = super().parse_args(context, self._user_in_its_place(args))  # type: ignore[misc]
        for param in self.params:
            if param.name in context.params:
                context.params[param.name] = _text(context.params[param.name], context, param)
        return rest

    def _user_in_its_place(self, args: list[str]) -> list[str]:
        """`--user ID` is the first argument where a command takes the user as an argument."""
        first = next((param for param in self.params if param.param_type_name == "argument"), None)
        if first is None or first.name != "user":
            return args
        options = args[: args.index("--")] if "--" in args else args
        for place, word in enumerate(options):
            if word == "--user" and place + 1 < len(options):
                return [args[place + 1], *args[:place], *args[place + 2 :]]
            if word.startswith("--user="):
                return [word.removeprefix("--user="), *args[:place], *args[place + 1 :]]
        return args


class Command(_Spoken, TyperCommand):
    """One command."""

    def format_help(self, context: Any, formatter: Any) -> None:
        """Write the help; on a narrow terminal without the frames, in which the names of options would be cut."""
        if shutil.get_terminal_size().columns < _FRAMED_WIDTH:
            self.rich_markup_mode = None
            formatter.width = shutil.get_terminal_size().columns
        super().format_help(context, formatter)


class Group(_Spoken, TyperGroup):
    """A command that has commands of its own."""

    def invoke(self, context: Any) -> Any:
        """Run the command. Raises `PipeBroken` for any pipe or socket whose other end is closed."""
        try:
            return super().invoke(context)
        except BrokenPipeError as failure:
            raise PipeBroken from failure


class PipeBroken(Exception):
    """Carries a `BrokenPipeError` past Typer, which ends the process with exit code 1, whatever has broken."""


class Commands(typer.Typer):
    """A Typer app whose commands share spellings and checks."""

    def __init__(self, *, cls: type[TyperGroup] = Group, **options: Any) -> None:
        super().__init__(cls=cls, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[_Function], _Function]:
        """Register a command; see `typer.Typer.command`."""
        return super().command(name, cls=Command, **options)


def _text(value: Any, context: Any, param: Any) -> Any:
    """A value in which bytes that the locale could not read are read as UTF-8. File names stay what they are."""
    if isinstance(value, (list, tuple)):
        return type(value)(_text(each, context, param) for each in value)
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        try:
            return os.fsencode(value).decode()
        except UnicodeError:
            raise typer.BadParameter(
                f"'{value}' is not UTF-8: write it as UTF-8 text.", ctx=context, param=param
            ) from None
    return value
