# /// script
# dependencies = ["anthropic[mcp]==2.14.0", "mcp==1.30.0"]
# ///
"""Every tool on stdin as Anthropic's SDK sends it to a model, by its own helper and types, strict too."""

import json
import sys

from anthropic import transform_schema
from anthropic.lib.tools.mcp import async_mcp_tool
from anthropic.types import ToolParam
from mcp.types import Tool
from pydantic import TypeAdapter

params, converted = TypeAdapter(ToolParam), {}
for each in json.load(sys.stdin):
    sent = params.validate_python(async_mcp_tool(Tool.model_validate(each), client=None).to_dict())
    transform_schema(each["outputSchema"])
    assert transform_schema(sent["input_schema"])["properties"].keys() == sent["input_schema"]["properties"].keys()
    converted[sent["name"]] = sent["input_schema"]
print(json.dumps(converted))
