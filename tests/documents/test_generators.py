"""Clients that generators make of the served OpenAPI document work at the first call, and their types are Aural's."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from uv import find_uv_bin

from conftest import needs
from processes import backend, free_port

HERE = Path(__file__).parent / "openapi"
PYTHON = "openapi-python-client==0.29.1"
"""In an environment of its own. From npm: openapi-typescript 7.13.0 and typescript 5.9.3 with openapi-fetch 0.17.0
beside them, openapi-to-postmanv2 6.3.3 and newman 6.2.2."""
CAME = {
    "titles": ["Backend engineer"],
    "texts": ["Why us?"],
    "sessions": 0,
    "cursor": None,
    "refused": {"code": "NOT_FOUND", "message": "Interview not found."},
}


@dataclass
class Served:
    """The document as a backend serves it, in a file, and where that backend takes calls."""

    document: Path
    url: str
    key: str


@pytest.fixture
async def served(tmp_path):
    port = free_port()
    async with backend(tmp_path, port, "--no-desk") as printed:
        url, document = f"http://127.0.0.1:{port}/api/v1", tmp_path / "openapi.json"
        document.write_bytes(httpx.get(f"{url}/openapi.json", trust_env=False).content)
        assert json.loads(document.read_bytes())["servers"] == [{"url": url}]
        yield Served(document, url, re.search(r"dlv_\w+", printed)[0])


async def test_openapi_python_client_makes_a_package_that_works(served, tmp_path):
    python, made = tmp_path / "venv" / "bin" / "python", tmp_path / "made"
    install("venv", "--python", sys.executable, tmp_path / "venv")
    install("pip", "install", "--python", python, PYTHON)
    command = [python, "-m", "openapi_python_client", "generate", "--path", served.document, "--output-path", made]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # it looks for ruff there
    said = run(*command, "--meta", "setup", env={**os.environ, "PATH": path})
    assert "warning" not in said.lower(), said
    install("pip", "install", "--python", python, made)
    assert json.loads(run(python, HERE / "use.py", served.url, served.key)) == CAME
    run(Path(sys.executable).with_name("pyright"), "--pythonpath", python, HERE / "use.py")


async def test_openapi_typescript_makes_types_with_which_openapi_fetch_works(served, tmp_path):
    make, compiler, node = needs("openapi-typescript"), needs("tsc"), needs("node")
    packages = Path(make).parent.parent
    if not (packages / "openapi-fetch").is_dir():
        pytest.skip("openapi-fetch is not installed beside openapi-typescript")
    (tmp_path / "node_modules").symlink_to(packages)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (tmp_path / "fetch.ts").write_bytes((HERE / "fetch.ts").read_bytes())
    run(make, served.document, "-o", tmp_path / "aural.d.ts")
    strict = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"]
    run(compiler, *strict, "--module", "nodenext", "--target", "es2022", "fetch.ts", cwd=tmp_path)
    assert json.loads(run(node, tmp_path / "fetch.js", served.url, served.key)) == CAME


async def test_openapi_to_postman_makes_a_collection_that_runs(served, tmp_path):
    convert, newman = needs("openapi2postmanv2"), needs("newman")
    with httpx.Client(headers={"authorization": f"Bearer {served.key}"}, trust_env=False) as http:
        made = http.post(f"{served.url}/interviews", json={"title": "Data engineer"}).json()["data"]["id"]
    collection, report = tmp_path / "collection.json", tmp_path / "report.json"
    run(convert, "-s", served.document, "-o", collection, "-O", "parametersResolution=Example")
    shown = json.loads(served.document.read_bytes())["paths"]["/interviews/{interviewId}"]["get"]["parameters"][0]
    text = collection.read_text(encoding="utf-8").replace(shown["example"], made)  # as a person writes it in
    collection.write_text(text, encoding="utf-8")
    wanted = ["List interviews", "Create interview", "Get interview"]
    command = [newman, "run", collection, "--reporters", "json", "--reporter-json-export", report]
    command += [part for name in wanted for part in ("--folder", name)]

    def answers(key):
        run(*command, "--env-var", f"bearerToken={key}")
        executions = json.loads(report.read_text(encoding="utf-8"))["run"]["executions"]
        return {each["item"]["name"]: each["response"] for each in executions}, executions

    found, _ = answers(served.key)
    assert {name: each["code"] for name, each in found.items()} == dict.fromkeys(wanted, 200)
    refused, executions = answers("dlv_test_unknown")
    assert {each["code"] for each in refused.values()} == {401}
    said = {each["code"]: json.loads(each["body"]) for each in executions[0]["item"]["response"]}
    body = bytes(refused["Get interview"]["stream"]["data"]).decode()
    assert json.loads(body) == said[401]


def install(*command):
    done = subprocess.run([find_uv_bin(), *command], capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.skip(f"{command[0]} could not be done: {done.stderr.strip()[-300:]}")


def run(*command, **more):
    """What a program that must succeed printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **more)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout
