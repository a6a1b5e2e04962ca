"""What the model pays: tokens (UTF-8 bytes / 4) of the tool list, the instructions, and each result on the seed.

    python tests/bench/tokens.py

Each result is given as text and as structured content, beside the API's own JSON for the same request: the
control, which is what a server without views puts into the context.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import anyio
import httpx
from mcp import Client
from mcp.shared.uri_template import UriTemplate

from aural_mcp.api.operations import OPERATIONS
from aural_mcp.backend.rest.app import create_app
from aural_mcp.backend.storage import exchange, store
from aural_mcp.client.client import AuralClient
from aural_mcp.server import prompts, resources
from aural_mcp.server.access import BY_NAME
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import INSTRUCTIONS, AuralServer
from aural_mcp.server.tools import tool_for
from aural_mcp.workflows import WORKFLOWS

SEED = Path(__file__).parent.parent / "contract" / "seed.json"
KEY = "dlv_test_key_primary"
INTERVIEW, SESSION = "11111111-0000-4000-8000-000000000001", "33333333-0000-4000-8000-000000000001"
PRACTICE, CANDIDATE = "66666666-0000-4000-8000-000000000001", "55555555-0000-4000-8000-000000000001"
ORIGIN = "https://interviews.example"
READS = {
    "list_interviews": {},
    "get_interview": {"interviewId": INTERVIEW},
    "list_questions": {"interviewId": INTERVIEW},
    "list_candidates": {"interviewId": INTERVIEW},
    "list_sessions": {"interviewId": INTERVIEW},
    "get_session": {"sessionId": SESSION},
    "get_session_report": {"sessionId": SESSION},
    "list_practice_sessions": {"interviewId": INTERVIEW},
    "get_practice_report": {"practiceId": PRACTICE},
    "get_usage": {},
}


def tokens(value: object) -> int:
    """UTF-8 bytes / 4 of a text, or of a value as compact JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return round(len(text.encode()) / 4)


async def main() -> int:
    listed = [
        tool_for(each).model_dump(mode="json", by_alias=True, exclude_none=True) for each in (*OPERATIONS, *WORKFLOWS)
    ]
    needed = [{name: each[name] for name in ("name", "description", "inputSchema")} for each in listed]
    print(f"tools/list, {len(listed)} tools: {tokens(needed)} tokens for names, descriptions and input schemas")
    print(f"           with output schemas, titles, annotations: {tokens(listed)}")
    print(f"instructions: {tokens(INSTRUCTIONS)}\n")
    with tempfile.TemporaryDirectory() as folder:
        workspace = store.Store(f"sqlite:///{folder}/workspace.db")
        exchange.import_workspace(workspace, json.loads(SEED.read_text(encoding="utf-8")))
        transport = httpx.ASGITransport(create_app(workspace, origin=lambda: ORIGIN, requests_per_minute=0))
        client = AuralClient(KEY, "https://a.test/api/v1", requests_per_minute=0, transport=transport)
        async with Client(AuralServer(OneClient(client), backend="Bench.")) as agent:
            await results(agent, transport)
            await documents(agent)
        workspace.close()
    return 0


async def results(agent: Client, transport: httpx.ASGITransport) -> None:
    """A line for each reading tool."""
    print(f"{'tool':26}{'text':>8}{'structured':>12}{'API JSON':>10}")
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="https://a.test/api/v1", headers=headers) as http:
        for name, arguments in READS.items():
            result = await agent.call_tool(name, arguments)
            raw = await http.get(UriTemplate.parse(BY_NAME[name].path).expand(arguments))
            text = "\n".join(block.text for block in result.content)
            print(f"{name:26}{tokens(text):>8}{tokens(result.structured_content):>12}{tokens(raw.text):>10}")


async def documents(agent: Client) -> None:
    """A line for each resource and prompt."""
    ids = {"interviewId": INTERVIEW, "sessionId": SESSION, "candidateId": CANDIDATE}
    print(f"\n{'resource or prompt':46}{'tokens':>8}")
    for address in resources.ADDRESSES:
        read = await agent.read_resource(UriTemplate.parse(address.uri).expand(ids))
        print(f"{address.uri:46}{tokens(read.contents[0].text):>8}")
    for prompt in prompts.PROMPTS:
        given = {each.name: ids.get(each.name, "x") for each in prompt.arguments}
        words, *attached = (await agent.get_prompt(prompt.name, given)).messages
        rest = sum(tokens(each.content.resource.text) for each in attached)
        print(f"{prompt.name:46}{tokens(words.content.text):>8} + {rest} attached")


if __name__ == "__main__":
    sys.exit(anyio.run(main))
