# /// script
# dependencies = ["google-genai==3.6.1", "mcp==1.30.0"]
# ///
"""Google's Gen AI SDK: tools as its declarations, called as its automatic function calling calls a session."""

import asyncio

from google.genai._adapters import McpToGenAiToolAdapter
from google.genai.types import FunctionCall
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from steps import ARGUMENTS, COMMAND, ENVIRONMENT, walk


async def main():
    server = StdioServerParameters(command=COMMAND, args=ARGUMENTS, env=ENVIRONMENT)
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        adapter = McpToGenAiToolAdapter(session, await session.list_tools())
        declared = [each for tool in adapter.tools for each in tool.function_declarations]

        async def call(tool, arguments):
            result = await adapter.call_tool(FunctionCall(name=tool, args=arguments))
            assert not result.isError, result.content[0].text
            return result.structuredContent

        async def read(address):
            return (await session.read_resource(address)).contents[0].text

        await walk(
            {each.name: each.parameters.model_dump(mode="json", exclude_none=True) for each in declared}, call, read
        )


asyncio.run(main())
