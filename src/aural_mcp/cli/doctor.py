"""`aural-mcp doctor`: the checks, as lines for a person or as JSON."""

from __future__ import annotations

import json
import logging
import sys

import click

from aural_mcp.cli.install.hosts import Machine

MARKS = {"ok": click.style("ok     ", fg="green"), "warning": click.style("warning", fg="yellow")}
MARKS["problem"] = click.style("problem", fg="red", bold=True)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--offline", is_flag=True, help="Ask nothing of the network, and start nothing of hosts.")
@click.pass_context
def doctor(context: click.Context, as_json: bool, offline: bool) -> None:
    """Say what is right or wrong here, and what to do.

    It looks at settings, key, backend, workspace and hosts. Changes nothing at the backend; a few requests count
    against the key's minute. Exit status 1: there is a problem.
    """
    from dataclasses import asdict
    from functools import partial

    import anyio

    from aural_mcp.cli.checks import Check, Doctor
    from aural_mcp.log import set_up_logging

    made: list[Check] = []

    def report(check: Check) -> None:
        made.append(check)
        if not as_json:
            line = f"{MARKS[check.status]}  {check.name:19}  {check.message} {check.next}".rstrip()
            click.echo(line)

    def notice(name: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"… {name}", err=True)

    set_up_logging(logging.CRITICAL)
    anyio.run(partial(Doctor(report, notice).examine, Machine(sys.platform, context.obj), offline=offline))
    worst = max((check.status for check in made), key=[*MARKS].index)
    if as_json:
        checks = [{"name": check.name, **asdict(check)} for check in made]
        click.echo(json.dumps({"checks": checks, "status": worst}, indent=1))
    context.exit(1 if worst == "problem" else 0)
