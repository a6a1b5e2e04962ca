# /// script
# dependencies = ["openai-agents==0.24.0"]
# ///
"""OpenAI's Agents SDK with strict schemas, in which every argument must be given: what was left out comes empty."""

import asyncio
import json

from agents import RunContextWrapper
from agents.mcp import MCPServerStdio, MCPUtil
from agents.tool_context import ToolContext

from steps import ARGUMENTS, COMMAND, ENVIRONMENT, under_nulls, walk

EMPTY = {"string": "", "array": []}


def strictly(schema, given):
    """The arguments with all that the schema requires: empty where the type has a word for it, else null."""
    left_out = {name: EMPTY.get(each.get("type")) for name, each in schema["properties"].items() if "enum" not in each}
    return {**under_nulls(schema, left_out), **given}


async def main():
    parameters = {"command": COMMAND, "args": ARGUMENTS, "env": ENVIRONMENT}
    async with MCPServerStdio(parameters, use_structured_content=True, client_session_timeout_seconds=60) as server:
        found = [MCPUtil.to_function_tool(tool, server, True) for tool in await server.list_tools()]
        tools = {tool.name: tool for tool in found}
        assert all(tool.strict_json_schema or not tool.params_json_schema["properties"] for tool in found)

        async def call(tool, arguments):
            sent = json.dumps(strictly(tools[tool].params_json_schema, arguments))
            wrapped = RunContextWrapper(context=None)
            context = ToolContext(wrapped.context, tool_name=tool, tool_call_id="1", tool_arguments=sent)
            answer = await tools[tool].on_invoke_tool(context, sent)
            return json.loads(answer if isinstance(answer, str) else answer["text"])

        async def read(address):
            return (await server.read_resource(address)).contents[0].text

        await walk({name: tool.params_json_schema for name, tool in tools.items()}, call, read)


asyncio.run(main())
