# /// script
# dependencies = ["mcp==1.30.0"]
# ///
"""The official Python SDK before its second generation, as most frameworks still carry it."""

import asyncio

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from steps import ARGUMENTS, COMMAND, ENVIRONMENT, walk


async def main():
    server = StdioServerParameters(command=COMMAND, args=ARGUMENTS, env=ENVIRONMENT)
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()

        async def call(tool, arguments):
            result = await session.call_tool(tool, arguments)
            assert not result.isError, result.content[0].text
            return result.structuredContent

        async def read(address):
            return (await session.read_resource(address)).contents[0].text

        await walk({tool.name: tool.inputSchema for tool in (await session.list_tools()).tools}, call, read)


asyncio.run(main())
