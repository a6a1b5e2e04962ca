"""The command `aural-mcp`: what a host starts, and every command that a person types."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from aural_mcp.cli.setup import backend_sentence, serve_stdio

if TYPE_CHECKING:
    from click import Group

HELLO = """\
aural-mcp {version}: hire with Aural from any AI agent.

This is a Model Context Protocol server. An agent host starts it and talks to it on stdin and stdout;
typed into a terminal it has nobody to talk to. What you may want instead:

  aural-mcp install        put it into the agent hosts on this computer
  aural-mcp doctor         check settings, key, backend and hosts
  aural-mcp demo           see the whole workflow run, without an account
  aural-mcp open           interviews and results in your browser
  aural-mcp status         how far interviews are, and how candidates compare
  aural-mcp serve --http   serve MCP over HTTP instead of stdio
  aural-mcp backend        run the REST backend for a team
  aural-mcp watch          tell a webhook or a command what happens
  aural-mcp requests       what candidates ask of you, and explanations that are owed
  aural-mcp audit verify   check the log of what agents did
  aural-mcp --help         every command and setting

By hand, this is the entry for most hosts:

  {configuration}

Backend in use here: {backend}
"""


def main() -> None:
    """Entry point. Without arguments, and with a host on stdin, it serves MCP over stdio at once."""
    from aural_mcp.api.errors import AuralError
    from aural_mcp.config import COMPLETING, BadSetting

    _open_closed_streams()
    try:
        completing = COMPLETING in os.environ
        if len(sys.argv) == 1 and not sys.stdin.isatty() and not completing:
            serve_stdio()
        else:
            if reconfigure := getattr(sys.stdout, "reconfigure", None):
                reconfigure(errors="replace")  # a terminal may lack an arrow, or a letter of somebody's name
            commands()(prog_name="aural-mcp")
    except (BadSetting, AuralError) as error:
        sys.exit(f"aural-mcp: {error}")
    except KeyboardInterrupt:  # before a command began
        sys.exit("\nAborted!")
    except OSError as error:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what waits there would fail once more at the end
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(f"aural-mcp: {where}{error.strerror or error}.")


def _open_closed_streams() -> None:
    """Make what was started with a closed stream find an empty one there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  for as long as this runs


def _configuration() -> str:
    """What a host's configuration needs to start this very installation."""
    import json

    from aural_mcp.cli.install import this_installation

    entry = this_installation(os.path.abspath(sys.argv[0]), sys.executable, sys.platform)
    return json.dumps({"mcpServers": {"aural": {name: value for name, value in entry.items() if value}}})


def commands() -> Group:
    """The command line. click is loaded only when somebody types a command."""
    import click

    from aural_mcp._version import __version__
    from aural_mcp.cli.apply import apply_
    from aural_mcp.cli.audit import audit
    from aural_mcp.cli.backend import backend
    from aural_mcp.cli.desk import open_
    from aural_mcp.cli.doctor import doctor
    from aural_mcp.cli.erase import erase
    from aural_mcp.cli.groups import Group
    from aural_mcp.cli.install.command import install
    from aural_mcp.cli.privacy import privacy
    from aural_mcp.cli.requests import requests_
    from aural_mcp.cli.retention import retention
    from aural_mcp.cli.serve import serve
    from aural_mcp.cli.sign_ins import sign_ins
    from aural_mcp.cli.status import status
    from aural_mcp.cli.watch import watch
    from aural_mcp.config import read_settings

    @click.group(cls=Group, invoke_without_command=True, epilog="Settings: docs/configuration.md")
    @click.version_option(__version__, prog_name="aural-mcp")
    @click.pass_context
    def group(context: click.Context) -> None:
        """Hire with Aural from any AI agent: a Model Context Protocol server."""
        context.obj = os.environ
        context.color = False if os.environ.get("NO_COLOR") else None
        if context.invoked_subcommand is None:
            backend = backend_sentence(read_settings())
            click.echo(HELLO.format(version=__version__, configuration=_configuration(), backend=backend), nl=False)

    @group.command()
    @click.option("--interactive", is_flag=True, help="Wait for you to take the interview in a browser.")
    @click.option("--look", is_flag=True, help="Instead open the desk on 24 people who took an interview.")
    @click.option("--no-browser", is_flag=True, help="With --look: only print the desk's link.")
    def demo(interactive: bool, look: bool, no_browser: bool) -> None:
        """Run a whole hiring workflow in a throw-away workspace."""
        import anyio

        from aural_mcp.cli.demo import look_at_example, run_demo

        if (look and interactive) or (no_browser and not look):
            raise click.UsageError("--look goes without --interactive, and --no-browser goes with --look.")
        if look:
            look_at_example(browser=not no_browser)
        else:
            anyio.run(run_demo, interactive)

    @group.command()
    @click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
    @click.pass_context
    def completion(context: click.Context, shell: str) -> None:
        """Print what completes commands and options in a SHELL.

        bash: eval "$(aural-mcp completion bash)" in ~/.bashrc. zsh: the same with zsh in ~/.zshrc.
        fish: aural-mcp completion fish > ~/.config/fish/completions/aural-mcp.fish
        """
        from click.shell_completion import get_completion_class

        from aural_mcp.config import COMPLETING

        made_by = get_completion_class(shell)
        if made_by is not None:
            click.echo(made_by(context.find_root().command, {}, "aural-mcp", COMPLETING).source())

    for command in (
        apply_,
        audit,
        backend,
        doctor,
        erase,
        install,
        open_,
        privacy,
        requests_,
        retention,
        serve,
        sign_ins,
        status,
        watch,
    ):
        group.add_command(command)
    return group
