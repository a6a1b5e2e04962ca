"""The TypeScript package: what is generated, compiled and packed, and that it works wherever JavaScript runs."""

import json
import os
import platform
import re
import shutil
import sys
import tarfile
from pathlib import Path

import anyio
import pytest
from playwright.async_api import async_playwright

from backend.browser.conftest import FLAGS
from both import CREATE, a_way, sent  # noqa: F401  a fixture
from conftest import KEY, needs
from processes import backend, free_port
from typescript import PACKAGE, built, install, run  # noqa: F401  a fixture

ROOT = PACKAGE.parents[1]
ARCHITECTURE = "arm64" if platform.machine() == "aarch64" else "x64"
PROGRAMS = {
    "node-20": (f"node-20@npm:node-linux-{ARCHITECTURE}@20.20.2", "node-20/bin/node"),
    "deno": ("deno@2.9.6", f"@deno/linux-{ARCHITECTURE}-glibc/deno run --allow-net"),
    "bun": ("bun@1.4.5", f"@oven/bun-linux-{ARCHITECTURE.replace('arm', 'aarch')}/bin/bun"),
}
TYPES = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--target", "es2022"]
KEPT = """
import { Aural } from "aural-client";
const [baseUrl, key] = globalThis.Deno?.args ?? process.argv.slice(2);
const aural = new Aural(key, { baseUrl });
for (const time of [1, 2]) await aural.call("list_interviews");
console.log((await aural.call("create_interview", { title: "Kept" }).catch((error) => error)).name);
"""
SEEN = {
    "title": "Backend engineer",
    "questions": ["Why?", "How?"],
    "people": ["Ana"],
    "again": 1,
    "listed": ["Backend engineer"],
    "error": [True, 404, "Call list_interviews for ids that exist."],
    "insights": None,
}


def blocks(language):
    """What the page shows in a language, as one text."""
    page = (ROOT / "docs" / "typescript.md").read_text(encoding="utf-8")
    return "".join(re.findall(rf"^```{language}\n(.*?)^```", page, re.M | re.S))


@pytest.fixture(scope="module")
def installed(typescript, tmp_path_factory):
    """A folder into which the package was installed as the page says, beside what runs JavaScript."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(typescript, folder / "sdk" / "typescript", symlinks=True)
    for line in blocks("sh").splitlines():
        run(folder, "bash", "-c", line)
    packed = next(folder.glob("*.tgz")).name
    (folder / "package.json").write_text('{"type": "module"}')
    for name in ("walk.mjs", "consumer.mts"):
        (folder / name).write_text((PACKAGE / "tests" / name).read_text(encoding="utf-8"), encoding="utf-8")
    install(folder, f"./{packed}", "--ignore-scripts", *(package for package, _ in PROGRAMS.values()))
    return folder


@pytest.fixture
async def deployment(tmp_path):
    """The address and a key of `aural-mcp backend`."""
    port = free_port()
    async with backend(tmp_path, port) as printed:
        yield f"http://127.0.0.1:{port}/api/v1", re.search(r"dlv_\w+", printed)[0]


def test_what_is_generated_is_what_the_operations_say(typescript, tmp_path):
    copy = shutil.copytree(typescript, tmp_path / "copy", symlinks=True)
    run(copy, needs("npm"), "run", "generate", PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    for name in ("src/schema.ts", "src/operations.ts"):
        now, committed = ((folder / name).read_text(encoding="utf-8") for folder in (copy, PACKAGE))
        assert now == committed, f"{name} is stale: run `npm run generate` in sdk/typescript, in this environment"


@pytest.mark.parametrize("program", ["node", "node-20"])
def test_it_keeps_its_promises_on_a_stopped_clock(typescript, installed, program):
    node = needs("node") if program == "node" else f"{installed}/node_modules/{PROGRAMS[program][1]}"
    files = sorted(f"tests/{path.name}" for path in (PACKAGE / "tests").glob("*.test.mjs"))
    said = run(typescript, node, "--test", "--test-reporter=tap", *files)
    assert int(re.search(r"# pass (\d+)", said)[1]) > 150
    assert re.search(r"# (cancelled|skipped|todo) [1-9]", said) is None


def test_the_package_holds_compiled_modules_their_types_and_their_sources_and_nothing_else(typescript, installed):
    packed = next(installed.glob("*.tgz"))
    with tarfile.open(packed) as archive:
        held = {each.name.removeprefix("package/"): archive.extractfile(each).read().decode() for each in archive}
    modules = {path.stem for path in (typescript / "src").glob("*.ts")}
    assert held.keys() == {"package.json"} | {
        f"dist/{each}{end}" for each in modules for end in (".js", ".js.map", ".d.ts")
    }
    for name in [name for name in held if name.endswith(".map")]:
        source = json.loads(held[name])
        assert source["sourcesContent"] == [(typescript / "src" / Path(source["sources"][0]).name).read_text()]
    assert str(typescript) not in str(held)
    about = json.loads(held["package.json"])
    assert about["private"] is True
    assert list(about["dependencies"]) == ["openapi-fetch"]
    assert not about["scripts"].keys() & {"preinstall", "install", "postinstall", "prepare"}
    versions = {**about["dependencies"], **about["devDependencies"]}.values()
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", each) for each in versions)


async def test_what_the_page_shows_compiles_and_runs(typescript, installed, deployment):
    base, key = deployment
    code, given = blocks("ts"), json.dumps({"baseUrl": base})
    assert code.count('"dlv_..."') == 1
    (installed / "page.mts").write_text(code.replace('"dlv_..."', f'"{key}", {given}'), encoding="utf-8")
    compiler = typescript / "node_modules/.bin/tsc"
    run(installed, compiler, "--module", "nodenext", *TYPES, "--lib", "es2022,dom", "page.mts")
    link, invited, missing = run(installed, needs("node"), "page.mjs").splitlines()
    assert link.startswith(f"{base.removesuffix('/api/v1')}/i/")
    assert re.fullmatch(r"http://\S+/i/invite/\w+ \[\]", invited)
    assert missing == "404 NOT_FOUND Call list_interviews for ids that exist."


@pytest.mark.parametrize("resolution", ["node16", "nodenext", "bundler"])
def test_programs_that_use_it_compile_and_mistakes_in_them_do_not(typescript, installed, resolution):
    module = "esnext" if resolution == "bundler" else resolution
    how = ["--module", module, "--moduleResolution", resolution, "--noEmit", *TYPES, "--lib", "es2022,dom"]
    run(installed, typescript / "node_modules/.bin/tsc", *how, "consumer.mts")


@pytest.mark.parametrize("program", ["node", *PROGRAMS])
async def test_it_works_in(program, installed, deployment):
    command = [needs("node")] if program == "node" else f"{installed}/node_modules/{PROGRAMS[program][1]}".split()
    said = await anyio.to_thread.run_sync(lambda: run(installed, *command, "walk.mjs", *deployment))
    seen = json.loads(said)
    assert deployment[1] not in seen.pop("shown")
    assert seen == SEEN | {"sent": False}


@pytest.mark.parametrize("program", ["node", *PROGRAMS])
async def test_a_create_is_sent_once_where_the_connection_that_was_kept_for_it_ends_in(program, installed, way):
    (installed / "kept.mjs").write_text(KEPT, encoding="utf-8")
    command = [needs("node")] if program == "node" else f"{installed}/node_modules/{PROGRAMS[program][1]}".split()
    way.next_faults += ["", "", "done_then_drop"]
    said = await anyio.to_thread.run_sync(lambda: run(installed, *command, "kept.mjs", f"{way.url}/api/v1", KEY))
    assert said.strip() == "Unanswered"
    assert sent(way).count(CREATE) == 1


async def test_it_works_in_a_page_which_cannot_tell_whether_a_request_was_sent(chromium, installed, deployment):
    base, key = deployment
    bundle = installed / "bundle.js"
    how = ["--bundle", "--minify", "--format=iife", "--global-name=page", f"--outfile={bundle}"]
    run(installed, needs("esbuild"), "walk.mjs", *how)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = await browser.new_page()
        html = f"<!doctype html><title>x</title><script>{bundle.read_text(encoding='utf-8')}</script>"
        await page.route("**/page.html", lambda route: route.fulfill(body=html, content_type="text/html"))
        await page.goto(base.replace("/api/v1", "/page.html"))
        seen = await page.evaluate("given => page.walk(...given)", [base, key])
        await browser.close()
    assert key not in seen.pop("shown")
    assert seen == SEEN | {"sent": True}
