# /// script
# dependencies = ["mcp==2.3.0"]
# ///
"""The official Python SDK in its second generation."""

import asyncio

from mcp import Client
from mcp.client.stdio import StdioServerParameters

from steps import ARGUMENTS, COMMAND, ENVIRONMENT, walk


async def main():
    async with Client(StdioServerParameters(command=COMMAND, args=ARGUMENTS, env=ENVIRONMENT)) as client:

        async def call(tool, arguments):
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, result.content[0].text
            return result.structured_content

        async def read(address):
            return (await client.read_resource(address)).contents[0].text

        await walk({tool.name: tool.input_schema for tool in (await client.list_tools()).tools}, call, read)


asyncio.run(main())
