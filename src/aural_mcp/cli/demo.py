"""`aural-mcp demo`: a whole hiring workflow, run as an agent host and a candidate would."""

from __future__ import annotations

import re
import sys
import tempfile
import textwrap
import webbrowser
from html import unescape
from typing import TYPE_CHECKING, Any, cast

import anyio
import click
import httpx
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.types import ElicitRequestParams, ElicitResult, TextResourceContents

if TYPE_CHECKING:
    from aural_mcp.server.server import AuralServer

INTERVIEW: dict[str, Any] = {
    "title": "Backend engineer, first conversation",
    "objective": "Find out whether the candidate has built and run services that others depend on.",
    "assessmentCriteria": [
        {"name": "System design", "description": "Names the trade-offs and why they were made."},
        {"name": "Ownership", "description": "Says what they did themselves, and what came of it."},
    ],
    "aiTone": "FRIENDLY",
}
QUESTIONS: list[dict[str, Any]] = [
    {"text": "Tell me about a service you built that other people depended on."},
    {
        "text": "Which part of the work do you enjoy most?",
        "type": "SINGLE_CHOICE",
        "options": ["Designing", "Building", "Running it in production"],
    },
    {"text": "What would you do differently today?"},
]
ANSWERS = (
    "I built an event pipeline at a payments company.",
    "I designed the consumer side and ran it for two years: 4,000 events a second, exactly-once by idempotent writes, "
    "and an on-call rota that I set up. Incidents went from weekly to one in a quarter.",
    "Running it in production",
    "Because that is where you learn whether the design was right. The graphs and the people on call tell you, and "
    "nobody else does.",
    "I would agree on the schema registry first. We changed the event format by hand for a year and every change broke "
    "a consumer that nobody knew about.",
)
CANDIDATE = "Robin Vega"
WIDTH = 96


async def run_demo(interactive: bool) -> None:
    """Start the server as a host does, in a throw-away workspace, and go through the workflow."""
    with tempfile.TemporaryDirectory(prefix="aural-demo-") as folder:
        environment = {"AURAL_DATA_DIR": folder, "AURAL_PAGE_PORT": "0"}
        server = StdioServerParameters(command=sys.executable, args=["-m", "aural_mcp", "serve"], env=environment)
        async with Client(server, read_timeout_seconds=60, elicitation_callback=_agree) as agent:
            await _workflow(agent, interactive)


def look_at_example(*, browser: bool) -> None:
    """Open the desk on a throw-away workspace in which 24 made-up people took an interview, until Ctrl-C."""
    from aural_mcp.cli.desk import open_desk
    from aural_mcp.cli.example import PEOPLE, fill
    from aural_mcp.cli.progress import Progress
    from aural_mcp.config import read_settings

    async def prepare(server: AuralServer) -> str:
        click.echo(f"{len(PEOPLE)} made-up people take an interview, through the candidates' pages. A moment.")
        with Progress() as progress:
            return f"/interviews/{await fill(server, progress.step)}/comparison"

    with tempfile.TemporaryDirectory(prefix="aural-demo-") as folder:
        environment = {"AURAL_DATA_DIR": folder, "AURAL_PAGE_PORT": "0", "AURAL_CONFIRM": "never"}
        open_desk(read_settings(environment), browser=browser, prepare=prepare)
    click.echo("The workspace of this demo is gone now.")


async def _agree(context: Any, params: ElicitRequestParams) -> ElicitResult:
    """The person at the host, who is asked before anything that cannot be undone."""
    _say("The host asks you before it is done", params.message, "You say yes.")
    return ElicitResult(action="accept", content={"agreed": True})


async def _workflow(agent: Client, interactive: bool) -> None:
    tools = (await agent.list_tools()).tools
    _say("An agent has started aural-mcp over stdio", f"{len(tools)} tools, protocol {agent.protocol_version}")
    interview = await _call(agent, "create_interview", INTERVIEW)
    _say("create_interview", f"“{interview['title']}”, invite-only for now")
    questions = await _call(agent, "create_questions", {"interviewId": interview["id"], "questions": QUESTIONS})
    _say("create_questions", *[f"{n}. {row['text']}" for n, row in enumerate(questions["data"], 1)])
    link = (await _call(agent, "publish_interview", {"interviewId": interview["id"]}))["url"]
    _say("publish_interview", link)
    if interactive:
        _say("Your turn", "Take the interview in your browser; this waits until you have finished (Ctrl-C to stop).")
        webbrowser.open(link)
    else:
        await _take_interview(link)
    session = await _finished_session(agent, interview["id"])
    _say("list_sessions", f"{session['participantName']}: {session['status']}, {session['turns']} turns")
    await _show_transcript(agent, session["id"])


async def _show_transcript(agent: Client, session_id: str) -> None:
    found = await _call(agent, "get_session", {"sessionId": session_id})
    click.secho("\n  get_session", bold=True)
    for turn in found["messages"]:
        speaker = found["participantName"] if turn["role"] == "USER" else "Interviewer"
        _print_turn(speaker, turn["content"], mine=turn["role"] == "USER")
    uri = f"aural://sessions/{session_id}/transcript"
    content = (await agent.read_resource(uri)).contents[0]
    size = len(cast("TextResourceContents", content).text)
    _say("The same transcript as a resource", f"{uri}, {size:,} characters of Markdown")
    click.echo("\nThat was the whole workflow, without an account. The workspace of this demo is gone now.")


async def _take_interview(link: str) -> None:
    """The scripted candidate: opens the page, agrees, and sends each form as a browser does."""
    async with httpx.AsyncClient(follow_redirects=True, timeout=15, trust_env=False) as browser:
        page = await browser.get(link)
        page = await browser.post(f"{link}/start", data={"name": CANDIDATE, "consent": "yes"})
        for answer in ANSWERS:
            turn = re.search(r'name="turn" value="([^"]+)"', page.text)
            if turn is None:
                break
            page = await browser.post(f"{link}/answer", data={"turn": unescape(turn[1]), "answer": answer})
        page.raise_for_status()
    _say("A candidate opens the link and answers", f"{CANDIDATE} consents, answers, and is done")


async def _finished_session(agent: Client, interview_id: str) -> dict[str, Any]:
    while True:
        listed = (await _call(agent, "list_sessions", {"interviewId": interview_id}))["data"]
        finished = [session for session in listed if session["status"] == "COMPLETED"]
        if finished:
            return finished[0]
        await anyio.sleep(2)


async def _call(agent: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    result = await agent.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        raise click.ClickException(" ".join(getattr(block, "text", "") for block in result.content))
    return cast("dict[str, Any]", result.structured_content)


def _say(heading: str, *lines: str) -> None:
    click.secho(f"\n  {heading}", bold=True)
    for line in lines:
        click.echo(textwrap.fill(line, WIDTH, initial_indent="    ", subsequent_indent="    "))


def _print_turn(speaker: str, text: str, *, mine: bool) -> None:
    indent = "      "
    click.secho(f"    {speaker}", fg="cyan" if mine else None, dim=not mine)
    for line in text.split("\n"):
        click.echo(textwrap.fill(line, WIDTH, initial_indent=indent, subsequent_indent=indent))
