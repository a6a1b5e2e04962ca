# /// script
# dependencies = ["langchain-mcp-adapters==0.3.2"]
# ///
"""LangChain's adapters: each tool becomes a LangChain tool, called as an agent's tool node calls it."""

import asyncio

from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.resources import load_mcp_resources
from langchain_mcp_adapters.tools import load_mcp_tools

from steps import ARGUMENTS, COMMAND, ENVIRONMENT, walk


async def main():
    server = {"transport": "stdio", "command": COMMAND, "args": ARGUMENTS, "env": ENVIRONMENT}
    async with MultiServerMCPClient({"aural": server}).session("aural") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}

        async def call(tool, arguments):
            answer = await tools[tool].ainvoke({"type": "tool_call", "id": "1", "name": tool, "args": arguments})
            assert answer.status == "success", answer.content
            return answer.artifact["structured_content"]

        async def read(address):
            return (await load_mcp_resources(session, uris=address))[0].as_string()

        await walk({name: tool.args_schema for name, tool in tools.items()}, call, read)


asyncio.run(main())
