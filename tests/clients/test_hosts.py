"""Hosts that others wrote sign somebody in: they find the way by themselves, ask for more when a change needs it."""

import json
import re
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from conftest import needs
from processes import free_port, settings_for
from signing import lets_in_and_goes_back, served

HERE = Path(__file__).parent
FOUND = re.compile(r"authorize\?|callback server running")


def packages():
    """Where the hosts are installed that come from npm."""
    return Path(needs("mcp-remote")).resolve().parent.parent.parent


async def signed_in(generation, url, key, folder):
    """What the TypeScript SDK printed while it was let in, first to read, then for whatever it asked."""
    command = [needs("node"), HERE / "signs_in.mjs", generation, url]
    environment = settings_for(folder, CLIENTS=str(packages()))
    said = []
    async with await anyio.open_process(command, env=environment, stderr=subprocess.PIPE) as process:
        async for line in lines(process.stdout):
            said.append(json.loads(line))
            if address := said[-1].get("open"):
                await lets_in_and_goes_back(address, key, "write" if len(said) > 1 else "read")
        errors = b"".join([part async for part in process.stderr]).decode()
    assert process.returncode == 0, errors[-2000:]
    assert key not in json.dumps(said) + errors
    return said


async def test_the_typescript_sdk_signs_in_reads_and_asks_for_more(tmp_path):
    async with served(tmp_path) as (url, key):
        _, more, done = await signed_in("v2", url, key, tmp_path)
    assert parse_qs(urlsplit(more["open"]).query)["scope"] == ["aural:read aural:write"]
    assert (done["scopes"], done["failed"]) == (["aural:read", "aural:read aural:write"], False)
    assert done["made"]["title"] == "Made after asking for more"


async def test_the_older_typescript_sdk_signs_in_and_is_refused_a_change(tmp_path):
    """It renews its token where it should ask for more, so that it has to sign in anew."""
    async with served(tmp_path) as (url, key):
        _, done = await signed_in("v1", url, key, tmp_path)
    assert (done["scopes"], done["failed"], done["refused"]) == (["aural:read", "aural:read"], False, 403)


async def test_mcp_remote_brings_a_host_on_stdio_in(tmp_path):
    async with served(tmp_path) as (url, key):
        settings = settings_for(tmp_path, MCP_REMOTE_CONFIG_DIR=str(tmp_path / "remote"), BROWSER="true")
        command = [url.replace("127.0.0.1", "localhost"), str(free_port())]
        server = StdioServerParameters(command=needs("mcp-remote"), args=command, env=settings)
        log = tmp_path / "mcp-remote.log"
        with log.open("w") as errors:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(opens_what_is_printed, log, key)
                async with Client(stdio_client(server, errlog=errors), read_timeout_seconds=90) as agent:
                    listed = await agent.list_tools()
                    found = await agent.call_tool("list_interviews", {})
    assert {"get_session", "create_interview"} <= {tool.name for tool in listed.tools}
    assert found.structured_content["data"] == []
    assert key not in log.read_text()


async def opens_what_is_printed(log, key):
    """What somebody does who reads an address in a terminal."""
    with anyio.fail_after(60):
        while not {"authorize?", "callback server running"} <= {*FOUND.findall(log.read_text())}:
            await anyio.sleep(0.05)
    found = re.search(r"http://\S+/authorize\?\S+\n", log.read_text())
    await lets_in_and_goes_back(found[0].strip(), key)


async def lines(stream):
    held = b""
    async for part in stream:
        held += part
        while b"\n" in held:
            line, _, held = held.partition(b"\n")
            yield line.decode()


async def test_the_official_suite_finds_nothing_against_the_authorization_server(tmp_path):
    port, found = free_port(), tmp_path / "found"
    async with served(tmp_path) as (url, key):
        issuer = url.removesuffix("/mcp")
        asked = {"redirect_uris": [f"http://127.0.0.1:{port}/callback"], "token_endpoint_auth_method": "none"}
        client = httpx.post(f"{issuer}/register", json=asked, trust_env=False).json()["client_id"]
        told = ["--url", issuer, "--client-id", client, "--resource", url, "--port", str(port), "-o", found]
        async with await anyio.open_process([needs("conformance"), "authorization", *told]) as process:
            async for line in lines(process.stdout):
                if line.startswith(f"{issuer}/authorize?"):
                    await lets_in_and_goes_back(line, key)
        assert process.returncode == 0
    checks = [check for file in found.glob("*/checks.json") for check in json.loads(file.read_text())]
    assert {check["id"] for check in checks} == {
        "authorization-server-metadata",
        "authorization-server-metadata-cimd",
        "authorization-code-grant",
    }
    assert {check["status"] for check in checks} == {"SUCCESS"}
