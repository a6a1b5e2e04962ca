"""A group of commands whose help shows whole sentences."""

from __future__ import annotations

import click


class Group(click.Group):
    """Lists each command with the whole first sentence of its help."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first_sentence(command.help or "")) for name, command in commands if command])


def _first_sentence(text: str) -> str:
    return " ".join(text.strip().split("\n\n")[0].split()).partition(". ")[0].removesuffix(".") + "."
