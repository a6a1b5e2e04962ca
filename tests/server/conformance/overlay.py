"""The real server, with the fixtures that the official conformance suite calls laid over it.

    python tests/server/conformance/overlay.py PORT

It is `serve --http --local` itself: its settings, its workspace, its AuralServer. Only the names registered here are
answered by the SDK's own managers, and every answer may stream, as some of them log. Left out: the tools that change
a list, as ours never change.
"""

from __future__ import annotations

import base64
import sys
from typing import Annotated, Any

from mcp import types
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, Field

from aural_mcp.cli import main as cli
from aural_mcp.server import server
from aural_mcp.server.web import app

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
SILENCE = base64.b64encode(
    b"RIFF%\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0@\x1f\0\0\1\0\x08\0data\1\0\0\0\x80"
).decode()
TEXT = types.TextContent(type="text", text="Text.")
IMAGE = types.ImageContent(type="image", data=PIXEL, mime_type="image/png")
AUDIO = types.AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")


def embedded(uri: str) -> types.EmbeddedResource:
    resource = types.TextResourceContents(uri=uri, mime_type="text/plain", text="Embedded text.")
    return types.EmbeddedResource(type="resource", resource=resource)


class Overlay(server.AuralServer):
    """AuralServer answers everything but what is registered here."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        register_tools(self)
        register_questions(self)
        register_resources_and_prompts(self)
        for method, params in {
            "logging/setLevel": types.SetLevelRequestParams,
            "resources/subscribe": types.SubscribeRequestParams,
            "resources/unsubscribe": types.UnsubscribeRequestParams,
        }.items():
            self._lowlevel_server.add_request_handler(method, params, accept)

    async def _handle_list_tools(self, ctx, params):
        listed = await super()._handle_list_tools(ctx, params)
        return types.ListToolsResult(tools=[*listed.tools, *await MCPServer.list_tools(self)])

    async def call_tool(self, name, arguments, context=None):
        if self._tool_manager.get_tool(name):
            return await MCPServer.call_tool(self, name, arguments, context)
        return await super().call_tool(name, arguments, context)

    async def _handle_list_resources(self, ctx, params):
        listed = await super()._handle_list_resources(ctx, params)
        return listed.model_copy(update={"resources": [*listed.resources, *await self.list_resources()]})

    async def _handle_list_resource_templates(self, ctx, params):
        listed = (await super()._handle_list_resource_templates(ctx, params)).resource_templates
        more = await MCPServer.list_resource_templates(self)
        return types.ListResourceTemplatesResult(resource_templates=[*listed, *more])

    async def read_resource(self, uri, context=None):
        if str(uri).startswith("test://"):
            return await MCPServer.read_resource(self, uri, context)
        return await super().read_resource(uri, context)

    async def _handle_list_prompts(self, ctx, params):
        listed = await super()._handle_list_prompts(ctx, params)
        return types.ListPromptsResult(prompts=[*listed.prompts, *await MCPServer.list_prompts(self)])

    async def get_prompt(self, name, arguments=None, context=None):
        if self._prompt_manager.get_prompt(name):
            return await MCPServer.get_prompt(self, name, arguments, context)
        return await super().get_prompt(name, arguments, context)


async def accept(ctx: Any, params: Any) -> types.EmptyResult:
    return types.EmptyResult()


def register_tools(on: MCPServer) -> None:
    for name, content in {
        "test_simple_text": [TEXT],
        "test_image_content": [IMAGE],
        "test_audio_content": [AUDIO],
        "test_reconnection": [TEXT],
        "test_embedded_resource": [embedded("test://embedded-resource")],
        "test_multiple_content_types": [TEXT, IMAGE, embedded("test://mixed-content-resource")],
    }.items():
        on.add_tool(lambda content=content: content, name=name, description="A fixture.")

    @on.tool(description="A fixture.")
    def test_error_handling() -> str:
        raise RuntimeError("This tool fails on purpose.")

    @on.tool(description="A fixture.")
    async def test_tool_with_logging(ctx: Context) -> str:
        for step in range(3):
            await ctx.info(f"Step {step}")
        return "Logged."

    @on.tool(description="A fixture.")
    async def test_tool_with_progress(ctx: Context) -> str:
        for step in (0, 50, 100):
            await ctx.report_progress(step, 100, f"{step} of 100")
        return "Done."

    @on.tool(description="A fixture.")
    def test_x_mcp_header(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "") -> str:
        return region

    @on.tool(description="A fixture.")
    def test_missing_capability(ctx: Context) -> str:
        if ctx.client_capabilities is None or ctx.client_capabilities.sampling is None:
            needed = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "This tool needs sampling.", needed)
        return "Sampling is there."

    @on.tool(description="A fixture.")
    def json_schema_2020_12_tool() -> str:
        return "Its schema is what matters."

    on._tool_manager.get_tool("json_schema_2020_12_tool").parameters = SCHEMA_2020_12


SCHEMA_2020_12 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
"""Every keyword that the suite looks for in tools/list."""


class Answer(BaseModel):
    response: str


def ask_user(field: str, kind: str = "string") -> types.ElicitRequest:
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=f"{field}?", requested_schema=schema))


ASK_MODEL = types.CreateMessageRequest(
    params=types.CreateMessageRequestParams(
        messages=[types.SamplingMessage(role="user", content=types.TextContent(type="text", text="Say hello."))],
        max_tokens=50,
    )
)
ASK_ROOTS = types.ListRootsRequest()
ROUNDS: dict[str, list[dict[str, types.InputRequest]]] = {
    "elicitation": [{"user_name": ask_user("name")}],
    "sampling": [{"capital_question": ASK_MODEL}],
    "list_roots": [{"client_roots": ASK_ROOTS}],
    "request_state": [{"confirm": ask_user("ok", "boolean")}],
    "tampered_state": [{"confirm": ask_user("ok", "boolean")}],
    "multiple_inputs": [{"user_name": ask_user("name"), "greeting": ASK_MODEL, "client_roots": ASK_ROOTS}],
    "multi_round": [{"step1": ask_user("name")}, {"step2": ask_user("color")}],
}
"""What each tool asks, one question after another; the state is the number of the question."""


def answered(ctx: Context, rounds: list[dict[str, types.InputRequest]]) -> types.InputRequiredResult | None:
    """The next question, or None when all have their answer."""
    number = int(ctx.request_state or 0)
    number += rounds[number].keys() <= (ctx.input_responses or {}).keys()
    if number == len(rounds):
        return None
    return types.InputRequiredResult(input_requests=rounds[number], request_state=str(number))


def register_questions(on: MCPServer) -> None:
    for name, rounds in ROUNDS.items():

        async def ask(ctx: Context, rounds: Any = rounds) -> str | types.InputRequiredResult:
            return answered(ctx, rounds) or "state-ok"

        on.add_tool(ask, name=f"test_input_required_result_{name}", description="A fixture.")

    @on.tool(description="A fixture.")
    async def test_input_required_result_capabilities(ctx: Context) -> types.InputRequiredResult:
        able, asks = ctx.client_capabilities, {}
        if able and able.sampling:
            asks["sample"] = ASK_MODEL
        if able and able.elicitation:
            asks["ask"] = ask_user("name")
        return types.InputRequiredResult(input_requests=asks, request_state="0")

    @on.tool(description="A fixture.")
    async def test_sampling(prompt: str, ctx: Context) -> str:
        return (await ctx.session.create_message(ASK_MODEL.params.messages, max_tokens=50)).model

    for name in ("test_elicitation", "test_elicitation_sep1034_defaults", "test_elicitation_sep1330_enums"):

        async def elicit(ctx: Context, message: str = "Your answer?") -> str:
            return (await ctx.elicit(message, Answer)).action

        on.add_tool(elicit, name=name, description="A fixture.")


def register_resources_and_prompts(on: MCPServer) -> None:
    @on.resource("test://static-text")
    def static_text() -> str:
        return "Static text."

    @on.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        return base64.b64decode(PIXEL)

    @on.resource("test://watched-resource")
    def watched() -> str:
        return "Watched."

    @on.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> dict[str, str]:
        return {"id": id, "data": f"Data of {id}"}

    @on.prompt(description="A fixture.")
    def test_simple_prompt() -> list[UserMessage]:
        return [UserMessage(TEXT)]

    @on.prompt(description="A fixture.")
    def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
        return [UserMessage(f"{arg1} and {arg2}")]

    @on.prompt(description="A fixture.")
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803  the suite's name
        return [UserMessage(embedded(resourceUri)), UserMessage(TEXT)]

    @on.prompt(description="A fixture.")
    def test_prompt_with_image() -> list[UserMessage]:
        return [UserMessage(IMAGE), UserMessage(TEXT)]

    @on.prompt(description="A fixture.")
    async def test_input_required_result_prompt(ctx: Context) -> list[UserMessage] | types.InputRequiredResult:
        return answered(ctx, [{"user_context": ask_user("context")}]) or [UserMessage(TEXT)]


if __name__ == "__main__":
    server.AuralServer = Overlay
    app.asks_for_stream = lambda headers, body: True
    cli.commands()(["serve", "--http", "--local", "--port", sys.argv[1]])
