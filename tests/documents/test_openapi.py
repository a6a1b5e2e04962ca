"""The API describes itself, truly: to programs by OpenAPI, to agents by llms.txt and SKILL.md."""

import json
import re
import subprocess
from pathlib import Path

import httpx
from openapi_spec_validator import validate

from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.api.operations import OPERATIONS
from conftest import ORIGIN, needs
from fuzzing import fuzzed
from processes import backend, free_port


async def fetched(world, path):
    async with world.browser() as http:
        response = await http.get(path)
    assert response.status_code == 200
    return response


async def test_typescript_types_are_made_of_the_document_and_compile(world, tmp_path):
    make, compiler = needs("openapi-typescript"), needs("tsc")
    (tmp_path / "openapi.json").write_text((await fetched(world, "/api/v1/openapi.json")).text, encoding="utf-8")
    use = (Path(__file__).parent / "openapi" / "use.ts").read_text(encoding="utf-8")
    (tmp_path / "use.ts").write_text(use, encoding="utf-8")
    (tmp_path / "wrong.ts").write_text(
        use.replace("/{interviewId}/sessions", "/{interviewId}/meetings"), encoding="utf-8"
    )
    subprocess.run([make, "openapi.json", "-o", "aural.d.ts"], cwd=tmp_path, check=True, capture_output=True)
    compiled = {
        name: subprocess.run([compiler, "--strict", "--noEmit", name], cwd=tmp_path, capture_output=True, text=True)
        for name in ("use.ts", "wrong.ts")
    }
    assert compiled["use.ts"].returncode == 0, compiled["use.ts"].stdout
    assert "is not assignable to type" in compiled["wrong.ts"].stdout


async def test_the_openapi_document_is_valid_and_needs_no_key(world):
    response = await fetched(world, "/api/v1/openapi.json")
    document = response.json()
    validate(document)
    assert response.headers["cache-control"] == "public, max-age=3600"
    described = [operation for path in document["paths"].values() for operation in path.values()]
    assert all(each["x-llm-description"] for each in described)
    hints = {each["operationId"]: each.get("x-llm-hint", "") for each in described}
    assert hints == {each.tool_name(): each.hint for each in (*OPERATIONS, *LOCAL_OPERATIONS)}
    local = {each["operationId"] for each in described if each.get("x-local-extension")}
    assert local == {each.tool_name() for each in LOCAL_OPERATIONS}


async def test_llms_txt_fits_one_prompt_and_leads_on(world):
    text = (await fetched(world, "/llms.txt")).text
    assert len(text.encode()) / 4 < 1500
    assert all(f"({each.method} {each.path})" in text for each in OPERATIONS)
    for link in re.findall(r"\]\((.+?)\)", text):
        assert link.startswith(ORIGIN)
        await fetched(world, link)


async def test_llms_full_txt_has_every_endpoint_parameter_and_response_field(world):
    text = (await fetched(world, "/llms-full.txt")).text
    document = (await fetched(world, "/api/v1/openapi.json")).json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            section = text.split(f"## {method.upper()} {path}\n")[1].split("\n## ")[0]
            names = {each["name"] for each in operation["parameters"]}
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            names |= set(body.get("anyOf", [body])[0].get("properties", {}))
            assert all(f"`{name}`" in section for name in names)
            assert "Response data:" in section


async def test_skill_md_leads_an_agent_without_tools_to_this_very_backend(world):
    text = (await fetched(world, "/SKILL.md")).text
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


async def test_no_request_that_the_document_allows_fails_the_server_or_breaks_its_word(tmp_path):
    """A short share of what tests/bench/openapi.py makes up."""
    wrong, generated, passed = await fuzzed(tmp_path, 40)
    assert wrong == ""
    assert generated == passed >= 1000
