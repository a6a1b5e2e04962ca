"""The API describes itself to agents that read addresses, truly: by llms.txt and SKILL.md."""

import json
import re
import subprocess

import httpx

from aural_mcp.api.operations import OPERATIONS
from conftest import ORIGIN
from processes import backend, free_port


async def test_llms_txt_fits_one_prompt_and_leads_on(world):
    text = (await world.fetched("/llms.txt")).text
    assert len(text.encode()) / 4 < 1500
    assert all(f"({each.method} {each.path})" in text for each in OPERATIONS)
    for link in re.findall(r"\]\((.+?)\)", text):
        assert link.startswith(ORIGIN)
        await world.fetched(link)


async def test_llms_full_txt_has_every_endpoint_parameter_and_response_field(world):
    text = (await world.fetched("/llms-full.txt")).text
    document = (await world.fetched("/api/v1/openapi.json")).json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            section = text.split(f"## {method.upper()} {path}\n")[1].split("\n## ")[0]
            names = {each["name"] for each in operation["parameters"]}
            if body := operation.get("requestBody"):
                names |= set(fields_of(document, body["content"]["application/json"]["schema"]))
            assert all(f"`{name}`" in section for name in names)
            assert "Response data:" in section


def fields_of(document, schema):
    """The names in an object of the document, or in each of an array."""
    if reference := schema.get("$ref"):
        schema = document["components"]["schemas"][reference.rsplit("/", 1)[1]]
    return fields_of(document, schema["items"]) if "items" in schema else schema["properties"]


async def test_skill_md_leads_an_agent_without_tools_to_this_very_backend(world):
    text = (await world.fetched("/SKILL.md")).text
    assert text.startswith("---\nname: aural-hiring\n")
    assert f"export AURAL={ORIGIN}/api/v1" in text
    assert "aural-ai.com" not in text


async def test_the_skills_own_commands_end_with_a_link_that_opens(tmp_path):
    port = free_port()
    async with backend(tmp_path, port) as printed:
        origin, key = f"http://127.0.0.1:{port}", re.search(r"dlv_\w+", printed)[0]
        skill = httpx.get(f"{origin}/SKILL.md", trust_env=False).text
        script = re.search(r"```sh\n(.+?)```", skill, re.DOTALL)[1].replace("   # and AURAL_API_KEY=dlv_...", "")
        create, questions, publish = re.split(r"\n(?=curl)", script.split("\n", 1)[1])
        export = script.split("\n", 1)[0] + f"\nexport AURAL_API_KEY={key}\n"
        made = run(export + create)["id"]
        assert len(run(export + questions.replace("INTERVIEW_ID", made))) == 2
        link = run(export + publish.replace("INTERVIEW_ID", made))["url"]
        assert "Begin the interview" in httpx.get(link, trust_env=False).text


def run(script):
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)["data"]
