# /// script
# dependencies = ["mcpadapt==0.1.19", "mcp==1.30.0"]
# ///
"""mcpadapt, on which crewai-tools stands: a pydantic model of each tool, dumped with null for what is not given."""

import asyncio

from mcp import StdioServerParameters
from mcpadapt.core import MCPAdapt, ToolAdapter
from mcpadapt.utils.modeling import create_model_from_json_schema

from steps import ARGUMENTS, COMMAND, ENVIRONMENT, walk


class Dumped(ToolAdapter):
    def adapt(self, func, mcp_tool):
        model = create_model_from_json_schema(mcp_tool.inputSchema)
        return mcp_tool, lambda arguments: func(model(**arguments).model_dump())

    async_adapt = adapt


async def main():
    server = StdioServerParameters(command=COMMAND, args=ARGUMENTS, env=ENVIRONMENT)
    adapted = MCPAdapt(server, Dumped())
    async with adapted as found:
        tools = {tool.name: (tool, run) for tool, run in found}

        async def call(tool, arguments):
            result = await tools[tool][1](arguments)
            assert not result.isError, result.content[0].text
            return result.structuredContent

        async def read(address):
            return (await adapted.sessions[0].read_resource(address)).contents[0].text

        await walk({name: tool.inputSchema for name, (tool, _) in tools.items()}, call, read)


asyncio.run(main())
