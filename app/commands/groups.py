"""The shape of every command: `--data` before or after its name, sentences instead of tracebacks.

A command is a thin function of its own module in this package, declared with `@click.command(cls=Command)` or
in a `Group`, and listed in `app.cli`. Exit status: 0 done, 1 refused or failed, 2 usage.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import rich_click as click
from click import get_current_context

from app.database.failures import from_database
from app.errors import AppError

_DATA = "hustings.data"


def chosen_data() -> Path | None:
    """The folder given by `--data`, wherever it stood on the command line."""
    chosen: Path | None = get_current_context().meta.get(_DATA)
    return chosen


def _remember(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.meta[_DATA] = value


def _data_option() -> click.Option:
    return click.Option(
        ["--data"],
        type=click.Path(path_type=Path),
        metavar="DATA",
        help="The folder that holds everything Hustings writes.",
        expose_value=False,
        callback=_remember,
    )


class Command(click.RichCommand):
    """A command that takes `--data`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_data_option())


class Group(click.RichGroup):
    """A group whose commands and groups are of this kind, and which takes `--data` itself."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_data_option())


class Program(Group):
    """The outermost group: an expected failure becomes its sentence on standard error and exit status 1.

    `places` gives each command as `module:name`, in the order of the help.
    """

    def __init__(self, *args: Any, places: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._places = places or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self._places, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._places:
            return super().get_command(ctx, cmd_name)
        module, _, name = self._places[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            expected = error if isinstance(error, AppError) else from_database(error)
            if expected is None:
                raise
            for line in _sentences(expected):
                click.echo(line, err=True)
            ctx.exit(1)


def _sentences(error: AppError) -> list[str]:
    return [error.detail, *(f"  {problem.field}: {problem.message}" for problem in error.errors)]
