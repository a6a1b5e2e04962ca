# /// script
# dependencies = ["crewai==1.15.30", "mcpadapt==0.1.19", "jsonref", "mcp==1.30.0"]
# ///
"""CrewAI itself, which fills what is not given with null; 800 MB, so only `.ci/hosts` runs it."""

import asyncio

from mcp import StdioServerParameters
from mcpadapt.core import MCPAdapt
from mcpadapt.crewai_adapter import CrewAIAdapter

from steps import ARGUMENTS, COMMAND, ENVIRONMENT, walk

answers = {}


class Noted(CrewAIAdapter):
    """Notes the structured answer, of which CrewAI hands on the text."""

    def adapt(self, func, mcp_tool):
        def noted(arguments):
            answers[mcp_tool.name] = func(arguments)
            return answers[mcp_tool.name]

        return super().adapt(noted, mcp_tool)


adapted = MCPAdapt(StdioServerParameters(command=COMMAND, args=ARGUMENTS, env=ENVIRONMENT), Noted())
with adapted as found:
    tools = {tool.name: tool for tool in found}

    async def call(name, arguments):
        said = tools[name].run(**arguments)
        assert not answers[name].isError, said
        return answers[name].structuredContent

    async def read(address):
        asked = asyncio.run_coroutine_threadsafe(adapted.sessions[0].read_resource(address), adapted.loop)
        return asked.result().contents[0].text

    asyncio.run(walk({name: tool.args_schema.model_json_schema() for name, tool in tools.items()}, call, read))
