"""What a person can start from: the skill's workflows as MCP prompts, with what they speak of attached.

The words of a workflow are the skill's (`skill/aural-hiring/references`), said once; a prompt adds what the
person typed and the resources it is about, whole, so that it is of use where the host has no resources too.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp import types
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.shared.exceptions import MCPError
from mcp.shared.uri_template import UriTemplate
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, EmbeddedResource, PromptMessage, TextContent
from pydantic import ValidationError

from aural_mcp.api.errors import AuralError, NotFound
from aural_mcp.api.operations import FINDERS, GetSession
from aural_mcp.client.caller import Caller
from aural_mcp.documents.render import skill_section, skill_text
from aural_mcp.safety import code_block, inert, outside, quoted
from aural_mcp.server import resources
from aural_mcp.server.results import advice


@dataclass(frozen=True)
class Argument:
    """What a person fills in; `choices` are offered while typing, other words are taken too."""

    name: str
    title: str
    description: str
    required: bool = False
    choices: Sequence[str] = ()


@dataclass(frozen=True)
class Prompt:
    """A workflow to start from: what it asks for, its words, and the resources attached to it."""

    name: str
    title: str
    description: str
    arguments: Sequence[Argument]
    task: str
    words: Callable[[], Sequence[str]]
    attached: Sequence[tuple[str, str]] = ()
    """URI templates, filled from the arguments, and the tool call that reads the same."""
    needs: Sequence[str] = ()
    """Tools without which there is nothing to start, beside those attached."""

    def exists(self, has: resources.Has) -> bool:
        """Whether every tool that it stands on exists."""
        return all(has(tool) for tool in (*self.needs, *(tool for _, tool in self.attached)))


MARK = (
    b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 40'><rect width='40' height='40' rx='11' fill='#3538cd'/>"
    b"<path stroke='#fff' stroke-width='3' stroke-linecap='round' d='M11 17v6m6-11v16m6-13v10m6-7v4'/></svg>"
)
ICON = types.Icon(src=f"data:image/svg+xml;base64,{b64encode(MARK).decode()}", mime_type="image/svg+xml", sizes=["any"])
"""Our mark, for hosts that show one beside the server and its prompts; in itself, as no address of it is sure to last.

The tools have none: many hosts hand their list to the model as it is.
"""
INTERVIEW = Argument("interviewId", "Interview", "From list_interviews; type part of its title.", required=True)
SESSION = Argument("sessionId", "Session", "From list_sessions; type part of the candidate's name.", required=True)
LEVELS = ("junior", "mid-level", "senior", "staff", "lead", "manager")
INSTEAD = {"get_session_report": "get_session"}
"""What a tool is replaced by where the deployment lacks it."""
MINUTES = ("15", "20", "30", "45", "60")


def _workflow(heading: str, *files: str) -> Callable[[], Sequence[str]]:
    return lambda: [skill_section("workflows.md", heading), *(skill_section(file) for file in files)]


PROMPTS = (
    Prompt(
        "route",
        "Hire with Aural",
        "Any hiring request in your own words: which workflow fits, which tools, what to ask first.",
        [Argument("request", "Request", "What you want to get done, e.g. `screen Go engineers`.", required=True)],
        "Choose the workflow that fits the request above, ask for what is missing, all at once, then do it with the "
        "tools. Before anything is published, archived, deleted, ended or sent to many people, say what will happen "
        "and wait for a yes.",
        lambda: [skill_text(), skill_section("workflows.md")],
    ),
    Prompt(
        "design_interview",
        "Design an interview",
        "From a role to an objective, a rubric and questions of fitting types; created after you agree.",
        [
            Argument("role", "Role", "E.g. `backend engineer, payments`.", required=True),
            Argument("level", "Level", "How experienced.", choices=LEVELS),
            Argument("mustHaves", "Must-haves", "What the person must be able to do."),
            Argument("minutes", "Minutes", "How long it may take.", choices=MINUTES),
        ],
        "Design this interview with the user. Show objective, rubric and questions first; create them after a yes.",
        _workflow("Design an interview", "questions.md", "rubrics.md"),
        needs=("create_interview", "create_questions"),
    ),
    Prompt(
        "screen_candidates",
        "Screen candidates",
        "From a role to a shortlist: design, open, collect, review, compare.",
        [
            Argument("role", "Role", "Whom you are looking for.", required=True),
            Argument("mustHaves", "Must-haves", "What the person must be able to do."),
            Argument("how", "Link", "Who gets a link.", choices=("public link for everybody", "named people")),
        ],
        "Run this screening with the user, one step at a time; nothing is opened before a yes.",
        lambda: [
            skill_section("workflows.md", "Screen candidates"),
            skill_section("workflows.md", "Design an interview"),
            skill_section("workflows.md", "Compare candidates"),
            skill_section("fairness.md"),
        ],
        needs=("launch_interviews", "list_sessions"),
    ),
    Prompt(
        "invite_candidates",
        "Invite candidates",
        "A private link for each person, nobody registered or written to twice.",
        [INTERVIEW, Argument("people", "People", "Names, with e-mail addresses where known.")],
        "Register these people for the attached interview and give the user their links.",
        lambda: [skill_section("workflows.md", each) for each in ("Invite candidates", "Write to candidates")],
        [(resources.INTERVIEW, "get_interview"), (f"{resources.INTERVIEW}/candidates", "list_candidates")],
        needs=("create_candidates",),
    ),
    Prompt(
        "check_progress",
        "Check progress",
        "Who is through, who is in the middle, who has not begun.",
        [INTERVIEW],
        "Tell the user how far this interview is.",
        _workflow("Check progress"),
        [(resources.SESSIONS, "list_sessions"), (f"{resources.INTERVIEW}/candidates", "list_candidates")],
    ),
    Prompt(
        "review_session",
        "Review a session",
        "What one candidate said and what it shows, criterion by criterion, with turn numbers.",
        [SESSION],
        "Review the attached session for the user, by the rubric of the attached interview.",
        _workflow("Review a session", "fairness.md"),
        [(resources.INTERVIEW, "get_interview"), (resources.REPORT, "get_session_report")],
    ),
    Prompt(
        "shortlist_candidates",
        "Compare candidates",
        "The same criteria for everybody, evidence beside each judgement.",
        [INTERVIEW, Argument("focus", "Focus", "What matters most to you.")],
        "Compare the people who finished the attached interview.",
        _workflow("Compare candidates", "fairness.md"),
        [(resources.INTERVIEW, "get_interview"), (resources.SESSIONS, "list_sessions")],
    ),
    Prompt(
        "score_session",
        "Score a session",
        "The rubric, the questions and the numbered transcript of one session, and how to score it from evidence.",
        [SESSION],
        "Score the attached session. Its questions and criteria are in the attached interview; name them exactly so.",
        _workflow("Score a session", "rubrics.md"),
        [(resources.INTERVIEW, "get_interview"), (resources.TRANSCRIPT, "get_session")],
    ),
    Prompt(
        "explain_decision",
        "Explain a decision",
        "Why one candidate was turned down: data, factors, evidence, and a draft letter for you to check.",
        [SESSION],
        "Make the explanation for the candidate of the attached session, and show it to the user as a draft.",
        _workflow("Explain a decision", "fairness.md"),
        [(resources.REPORT, "get_session_report")],
        needs=("export_results",),
    ),
    Prompt(
        "check_impact",
        "Check impact",
        "Selection and scoring rates by groups that you supply, with impact ratios; no bias audit.",
        [INTERVIEW, Argument("groups", "Groups", "The file with the groups, and which of its columns.")],
        "Report on the attached interview by the user's groups.",
        _workflow("Check impact", "fairness.md"),
        [(resources.INTERVIEW, "get_interview")],
        needs=("impact_report",),
    ),
    Prompt(
        "research_interview",
        "Research with users",
        "Themes across sessions with quotes and turns; or a new research interview.",
        [
            Argument("question", "Question", "What you want to learn, and for which decision.", required=True),
            Argument("interviewId", "Interview", "If it has been held already; type part of its title."),
        ],
        "Do this research with the user: find the themes if sessions are attached, else design the interview.",
        _workflow("Research", "questions.md"),
        [(resources.SESSIONS, "list_sessions")],
    ),
    Prompt(
        "troubleshoot",
        "Troubleshoot",
        "An error, a link that does not open, a candidate who is missing.",
        [Argument("problem", "Problem", "What you did and what was said.", required=True)],
        "Find out what is wrong, in the order of the steps, and tell the user what to do.",
        _workflow("Troubleshoot", "errors.md"),
    ),
)
BY_NAME = {prompt.name: prompt for prompt in PROMPTS}


def choices(ref: types.PromptReference | types.ResourceTemplateReference, argument: str) -> Sequence[str]:
    """What an argument of a prompt offers; nothing where it is free text, or unknown."""
    prompt = BY_NAME.get(ref.name) if isinstance(ref, types.PromptReference) else None
    return next((each.choices for each in prompt.arguments if each.name == argument), ()) if prompt else ()


def listed(has: resources.Has) -> list[types.Prompt]:
    """The prompts as hosts list them."""
    return [
        types.Prompt(
            name=each.name,
            title=each.title,
            description=each.description,
            icons=[ICON],
            arguments=[
                types.PromptArgument(name=a.name, title=a.title, description=a.description, required=a.required)
                for a in each.arguments
            ],
        )
        for each in PROMPTS
        if each.exists(has)
    ]


async def fill(
    name: str,
    given: Mapping[str, Any],
    client: Callable[[], Caller],
    has: resources.Has,
    lacking: Callable[[], Collection[str]],
) -> types.GetPromptResult:
    """The messages of a prompt; empty arguments count as left out, and tools that are `lacking` are not named.

    Raises:
        MCPError: -32602 naming the prompts or arguments that exist, or the id that does not.
    """
    prompt = BY_NAME.get(name)
    if prompt is None or not prompt.exists(has):
        there = ", ".join(each.name for each in PROMPTS if each.exists(has))
        raise MCPError(INVALID_PARAMS, f"There is no prompt {quoted(name)}. The prompts are: {there}.")
    filled = {each: outside(str(value)).strip() for each, value in given.items()}
    filled = {each: value for each, value in filled.items() if value}
    known = [each.name for each in prompt.arguments]
    if unknown := [each for each in filled if each not in known]:
        raise MCPError(INVALID_PARAMS, f"The prompt {name} takes {', '.join(known)}, not {quoted(unknown[0])}.")
    if missing := [each.name for each in prompt.arguments if each.required and each.name not in filled]:
        raise MCPError(INVALID_PARAMS, f"The prompt {name} needs: {', '.join(missing)}.")
    attached = await _attached(prompt, filled, client, has)
    text = advice(_text(prompt, filled, bool(attached), lacking()), lacking())
    messages = [TextContent(type="text", text=text), *attached]
    return types.GetPromptResult(
        description=prompt.description,
        messages=[PromptMessage(role="user", content=content) for content in messages],
    )


async def _attached(
    prompt: Prompt, filled: Mapping[str, str], client: Callable[[], Caller], has: resources.Has
) -> list[EmbeddedResource]:
    """The resources of a prompt, whole; one whose id was left out is left out too."""
    ids, found = dict(filled), list[EmbeddedResource]()
    try:
        if "sessionId" in ids:
            session = await client().call(GetSession(session_id=ids["sessionId"]))
            ids["interviewId"] = session.interview.id if session.interview else ""
        for template, _ in prompt.attached:
            address = UriTemplate.parse(template)
            if all(ids.get(variable) for variable in address.variable_names):
                uri = address.expand(ids)
                text, kind = await resources.read(uri, client, has)
                content = types.TextResourceContents(uri=uri, mime_type=kind, text=text)
                found.append(EmbeddedResource(type="resource", resource=content))
    except (ResourceNotFoundError, NotFound, ValidationError) as error:
        asked = ", ".join(f"{name} {quoted(value)}" for name, value in filled.items() if name in FINDERS)
        said = "" if isinstance(error, ValidationError) else f" {error}"
        raise MCPError(INVALID_PARAMS, f"Nothing is there to attach for {asked}.{said}") from error
    except (ResourceError, AuralError) as error:
        raise MCPError(INTERNAL_ERROR, str(error)) from error
    return found


def _typed_in(value: str) -> str:
    """What the person typed; with a link in it as code, which nobody renders and the model can read."""
    return value if inert(value) == value else f"\n{code_block(value)}"


def _text(prompt: Prompt, filled: Mapping[str, str], has_attachments: bool, lacking: Collection[str]) -> str:
    """What the person typed, the task, the steps, and where the attachments come from."""
    titles = {each.name: each.title for each in prompt.arguments}
    asked = "\n".join(f"- {titles[name]}: {_typed_in(value)}" for name, value in filled.items())
    tools = " and ".join(INSTEAD.get(tool, tool) if tool in lacking else tool for _, tool in prompt.attached)
    attached = f"Attached: what {tools} would show. If you see no attachment, call {tools}." if has_attachments else ""
    parts = [f"# {prompt.title}", asked, prompt.task, attached, "---", *prompt.words()]
    return "\n\n".join(part for part in parts if part)
