"""A group of commands: its help shows whole sentences, and what goes wrong in one of them is said in a line."""

from __future__ import annotations

from typing import Any

import click

NOT_TEXT = (
    "What was typed, or is set, is not text in this terminal's encoding. Set LC_ALL=C.UTF-8, or write it in ASCII."
)


class Group(click.Group):
    """Lists each command with the whole first sentence of its help."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what ends it is raised bare, since click knows nothing of groups of exceptions."""
        try:
            return super().invoke(ctx)
        except BaseException as raised:
            error = _cause(raised)
            if isinstance(error, UnicodeEncodeError):
                raise click.UsageError(NOT_TEXT) from error
            from aural_mcp.api.errors import AuralError

            if isinstance(error, AuralError):
                raise click.ClickException(str(error)) from error
            raise error from error.__cause__

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first_sentence(command.help or "")) for name, command in commands if command])


def _cause(error: BaseException) -> BaseException:
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return _cause(inner[0]) if inner else error


def _first_sentence(text: str) -> str:
    return " ".join(text.strip().split("\n\n")[0].split()).partition(". ")[0].removesuffix(".") + "."
