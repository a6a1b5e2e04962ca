"""The API describes itself to programs, truly: by OpenAPI."""

import subprocess
from pathlib import Path

from openapi_spec_validator import validate

from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.api.operations import OPERATIONS
from conftest import needs
from fuzzing import fuzzed


async def test_typescript_types_are_made_of_the_document_and_compile(world, tmp_path):
    make, compiler = needs("openapi-typescript"), needs("tsc")
    (tmp_path / "openapi.json").write_text((await world.fetched("/api/v1/openapi.json")).text, encoding="utf-8")
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
    response = await world.fetched("/api/v1/openapi.json")
    document = response.json()
    validate(document)
    assert response.headers["cache-control"] == "public, max-age=3600"
    described = [operation for path in document["paths"].values() for operation in path.values()]
    assert all(each["x-llm-description"] for each in described)
    hints = {each["operationId"]: each.get("x-llm-hint", "") for each in described}
    assert hints == {each.tool_name(): each.hint for each in (*OPERATIONS, *LOCAL_OPERATIONS)}
    local = {each["operationId"] for each in described if each.get("x-local-extension")}
    assert local == {each.tool_name() for each in LOCAL_OPERATIONS}


async def test_no_request_that_the_document_allows_fails_the_server_or_breaks_its_word(tmp_path):
    """A short share of what tests/bench/openapi.py makes up."""
    wrong, generated, passed = await fuzzed(tmp_path, 40)
    assert wrong == ""
    assert generated == passed >= 1000
