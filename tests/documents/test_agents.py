"""The API describes itself to agents that read addresses, truly: by llms.txt, llms-full.txt and SKILL.md."""

import json
import re
import subprocess

import httpx
import pytest

from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.api.operations import OPERATIONS
from aural_mcp.documents.render import skill_files, skill_folder, skill_md, skill_text
from aural_mcp.server.access import BY_NAME
from aural_mcp.workflows import WORKFLOWS
from conftest import KEY, ORIGIN, answer, begin, make_world, needs, ok
from processes import backend, free_port

REFERENCES = [f"/{file.name}" for file in skill_files() if file.name != file.skill]
PAGES = ["/llms.txt", "/llms-full.txt", "/SKILL.md", *REFERENCES]
BUDGET = {
    "/llms.txt": 4_100,
    "/llms-full.txt": 18_400,
    "/SKILL.md": 11_400,
    "/references/errors.md": 2_200,
    "/references/fairness.md": 2_400,
    "/references/questions.md": 2_250,
    "/references/rest.md": 6_100,
    "/references/rubrics.md": 1_600,
    "/references/workflows.md": 15_400,
}
"""Bytes of each page as it is served; a longer one is a reviewed change, as with the tools."""
SAID = "I'd moved the queue to Kafka. One key stalled; I saw it by its lag, replayed it, and wrote an alarm for it."
HEADINGS = ("An interview", "Links", "Progress", "Answers and scores", "The end")
ENVELOPES = ('{"data": ...}', '{"error": {"code", "message"}}')


async def text_at(world, path):
    return (await world.fetched(path)).text


# ── What the pages say ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_costs_its_reader_no_more_than_its_budget(world, path):
    size = len((await text_at(world, path)).replace(ORIGIN, "https://aural-ai.com").encode())
    assert size <= BUDGET[path]


def test_the_skill_costs_an_agent_with_tools_no_more_than_its_budget():
    assert len(skill_text().encode()) <= 5_000


async def test_llms_txt_has_every_operation(world):
    text = await text_at(world, "/llms.txt")
    assert all(f"({each.method} {each.path})" in text for each in OPERATIONS)


async def test_llms_full_txt_has_every_endpoint_parameter_and_field_of_an_answer(world):
    text = await text_at(world, "/llms-full.txt")
    document = (await world.fetched("/api/v1/openapi.json")).json()
    objects = dict(re.findall(r"^- `(\w+)`: `(.+)`$", text, re.M))
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            section = text.split(f"## {method.upper()} {path}\n")[1].split("\n#")[0]
            names = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
            if body := operation.get("requestBody"):
                names |= set(fields_of(document, body["content"]["application/json"]["schema"]))
            assert not {name for name in names if not re.search(rf"`{name}`|\b{name}\?:", section)}
            said = re.search(r"^Answer: `(.+)`$", section, re.M)[1]
            answered = operation["responses"]["200"]["content"]["application/json"]["schema"]
            assert set(re.findall(r"(\w+):", said)) == set(fields_of(document, answered))
            row = fields_of(document, answered)["data"]
            name = row.get("items", row)["$ref"].rsplit("/", 1)[1]
            assert all_fields(objects, name) == set(fields_of(document, row))
    named = set(re.findall(r"\b[A-Z][a-z]\w+", " ".join(objects.values())))
    assert named <= set(objects)


def fields_of(document, schema):
    """The names in an object of the document, or in each of an array."""
    if reference := schema.get("$ref"):
        schema = document["components"]["schemas"][reference.rsplit("/", 1)[1]]
    return fields_of(document, schema["items"]) if "items" in schema else schema["properties"]


def all_fields(objects, name):
    """The fields of an object of llms-full.txt, with those of the object that it goes on from."""
    base, _, own = objects[name].rpartition(" & ")
    return set(re.findall(r"(\w+)\??:", own)) | (all_fields(objects, base) if base else set())


@pytest.mark.parametrize("path", PAGES)
async def test_every_address_path_and_tool_that_a_page_names_exists(world, path):
    text = await text_at(world, path)
    assert "aural-ai.com" not in text
    addresses = set(re.findall(rf"{ORIGIN}[^\s)\"`]*", text))
    for each in addresses:
        address = each.rstrip(".")
        if ("/api/v1" not in address and "/i/invite/" not in address) or address.endswith("openapi.json"):
            await world.fetched(address)
    document = (await world.fetched("/api/v1/openapi.json")).json()
    known = {(method.upper(), each) for each, methods in document["paths"].items() for method in methods}
    named = set(re.findall(r"\b(GET|POST|PUT|PATCH|DELETE) (/[\w/{}]+)", text))
    assert named <= known
    tools = {*BY_NAME, *(each.tool_name() for each in (*LOCAL_OPERATIONS, *WORKFLOWS)), "reveal_candidate"}
    assert set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text)) <= {*tools, "retry_after"}
    for name in re.findall(r"[\w/]*\b[a-z]+\.md\b", text.replace(ORIGIN, "")):
        assert f"/{name.lstrip('/')}" in REFERENCES or f"{path.rpartition('/')[0]}/{name}" in REFERENCES
    if path in ("/llms.txt", "/SKILL.md"):
        assert named | {(each.method, each.path) for each in LOCAL_OPERATIONS} == known
        assert addresses


async def test_every_json_example_in_a_sentence_is_taken(world, agent):
    spans = {each for path in PAGES for each in re.findall(r"`(\{.*?\})`", await text_at(world, path)) if '"' in each}
    conditions = [each for each in spans if "questionId" in each]
    kept = [each for each in spans if '"keep"' in each]
    assert spans == {*ENVELOPES, *conditions, *kept}
    choice = {"text": "Which?", "type": "SINGLE_CHOICE", "options": ["a choice", "another"]}
    questions = [choice, *({"text": f"Why {number}?"} for number in range(3))]
    made = await ok(agent, "create_interview", title="Backend engineer")
    rows = (await ok(agent, "create_questions", interviewId=made["id"], questions=questions))["data"]
    for each in conditions:
        condition = {**json.loads(each), "questionId": rows[0]["id"]}
        changed = await ok(agent, "update_question", questionId=rows[1]["id"], showIf=condition)
        assert changed["showIf"] == condition
    for each in kept:
        role = {"from": made["id"], "title": "Again", "questions": [json.loads(each)]}
        await ok(agent, "launch_interviews", interviews=[role], dryRun=True)


async def test_the_limits_that_the_pages_state_are_the_real_ones(world):
    errors = await text_at(world, "/references/errors.md")
    people, ids = map(int, re.search(r"(\d+) people in one `create_candidates`, (\d+) ids", errors).groups())
    newest = int(re.search(r"the newest ([\d,]+)", errors)[1].replace(",", ""))
    default, most = map(int, re.search(r"`limit` \((\d+), at most (\d+)\)", await text_at(world, "/llms.txt")).groups())
    assert f"{default} to a page, {most} at most" in errors
    assert f"at most {people} at once" in await text_at(world, "/SKILL.md")
    async with requests_to(world) as http:
        made = [(await http.post("/interviews", json={"title": "T"})).json()["data"]["id"] for _ in range(default + 1)]
        page = (await http.get("/interviews")).json()
        assert len(page["data"]) == default
        rest = (await http.get("/interviews", params={"cursor": page["cursor"]})).json()
        assert [len(rest["data"]), rest["cursor"]] == [1, None]
        for _ in range(most - default):
            await http.post("/interviews", json={"title": "T"})
        assert len((await http.get("/interviews", params={"limit": most + 1})).json()["data"]) == most
        candidates = f"/interviews/{made[0]}/candidates"
        rows = [{"name": f"Person {number}"} for number in range(people + 1)]
        assert (await http.post(candidates, json=rows)).status_code == 400
        for _ in range(newest // people + 1):
            assert (await http.post(candidates, json=rows[:-1])).status_code == 200
        assert len((await http.get(candidates)).json()["data"]) == newest
        ended = [
            await http.post(f"/interviews/{made[0]}/sessions/end", json={"ids": [made[0]] * n}) for n in (ids, ids + 1)
        ]
        assert [each.status_code for each in ended] == [200, 400]


def requests_to(world):
    transport, header = httpx.ASGITransport(world.app), {"authorization": f"Bearer {KEY}"}
    return httpx.AsyncClient(transport=transport, base_url=f"{ORIGIN}/api/v1", headers=header)


# ── An agent that follows them ──────────────────────────────────────────────────────────────────


class Reader:
    """An agent that knows what the page says, has a shell, and nothing else of ours."""

    def __init__(self, page, folder):
        self.page, self.folder, self.known = page, folder, {}
        for name, code in re.findall(r"`(\w+\.json)`:\n\n```json\n(.+?)^```", page, re.M | re.S):
            (folder / name).write_text(code, encoding="utf-8")

    def keeps(self, key):
        """The user has put the key where the page says."""
        header = re.search(r"^```text\n(.+?)^```", self.page, re.M | re.S)[1]
        name = re.search(r"`(\S+)` in the home folder", self.page)[1]
        (self.folder / name).write_text(header.replace("dlv_...", key), encoding="utf-8")

    def commands(self, heading):
        """The commands below a heading, each with the ids in it that are known by now."""
        section = self.page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        for line in "".join(re.findall(r"^```sh\n(.+?)^```", section, re.M | re.S)).splitlines():
            yield re.sub(r"[A-Z]+_ID", lambda found: self.known[found[0]], line)

    def does(self, heading):
        """What the commands below a heading answer."""
        made = []
        for line in self.commands(heading):
            done = subprocess.run(
                ["bash", "-c", line], cwd=self.folder, env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin"},
                capture_output=True, text=True, timeout=60, check=True,
            )  # fmt: skip
            made.append(json.loads(done.stdout)["data"])
            if heading == "An interview":
                self.known.setdefault("INTERVIEW_ID", made[0]["id"])
        return made


async def test_an_agent_with_skill_md_and_curl_comes_from_an_interview_to_scores(tmp_path):
    needs("curl")
    port = free_port()
    async with backend(tmp_path / "data", port) as printed:
        origin, key = f"http://127.0.0.1:{port}", re.search(r"dlv_\w+", printed)[0]
        (address,) = re.findall(r"Read (\S+) and help me hire", printed)
        reader = Reader(httpx.get(address, trust_env=False).text, tmp_path)
        reader.keeps(key)
        interview, questions = reader.does("An interview")
        assert [interview["requireInvite"], len(questions)] == [True, 2]
        (robin,), public = reader.does("Links")
        token = reader.does("Progress")[0][0]["inviteToken"]
        assert robin["inviteUrl"] == f"{origin}/i/invite/{token}"
        assert f"{origin}/i/invite/ and the `inviteToken`" in reader.page
        async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as browser:
            await interviewed(browser, robin["inviteUrl"])
        (candidate,), (session,) = reader.does("Progress")
        assert [candidate["sessionId"], session["status"]] == [session["id"], "COMPLETED"]
        reader.known["SESSION_ID"] = session["id"]
        read, scored = reader.does("Answers and scores")
        assert [each["content"] for each in read["messages"] if each["role"] == "USER"] == [SAID] * 2
        assert read["messages"][2]["content"] == SAID
        assert read["insights"] is None
        assert [each["score"] for each in scored["insights"]["questionEvaluations"]] == [8, None]
        assert [each["score"] for each in scored["insights"]["criteriaEvaluations"]] == [7.5]
        assert "Begin the interview" in httpx.get(public["url"], trust_env=False).text
        assert reader.does("The end") == [{"id": interview["id"], "archived": True}]
        assert "Begin the interview" not in httpx.get(public["url"], trust_env=False).text
        told = refused_at_last(
            f"{origin}/api/v1/usage", key, re.search(r"A key has (\d+) requests a min", reader.page)[1]
        )
        assert (told["code"], 0 < told["retry_after"] <= 60) == ("RATE_LIMITED", True)


async def interviewed(browser, link):
    """A person takes the interview at a link, in a browser without JavaScript."""
    page = await begin(browser, link)
    while "You are done" not in page.text:
        page = await answer(browser, page, SAID)


def refused_at_last(address, key, most):
    """What is answered once this key, which was used before, has had so many requests more."""
    for _ in range(int(most)):
        response = httpx.get(address, headers={"authorization": f"Bearer {key}"}, trust_env=False)
        if response.status_code != 200:
            break
    return response.json()["error"]


async def test_the_commands_of_the_skill_are_right_at_aural_too_where_only_ones_own_scores_are_not_taken(
    database, tmp_path
):
    """At a backend that answers as Aural does; what Aural has is in `OPERATIONS`."""
    world, statuses = make_world(database, generation=2), {}
    reader = Reader((skill_folder() / "aural-hiring" / "references" / "rest.md").read_text(), tmp_path)
    async with requests_to(world) as http:
        for line in (line for heading in HEADINGS for line in reader.commands(heading)):
            address = re.search(r'"https://aural-ai.com/api/v1(/\S+)"', line)[1]
            body = re.search(r'-d "@(\S+)"', line)
            method = (re.findall(r"-X (\w+)", line) or ["POST" if body else "GET"])[0]
            response = await http.request(method, address, content=(tmp_path / body[1]).read_bytes() if body else None)
            operation = (method, re.sub(r"[0-9a-f-]{36}", "ID", address.partition("?")[0]))
            statuses[operation] = response.status_code
            if operation == ("POST", "/interviews"):
                reader.known["INTERVIEW_ID"] = response.json()["data"]["id"]
            if operation == ("POST", "/interviews/ID/candidates"):
                async with world.browser() as browser:
                    await interviewed(browser, response.json()["data"][0]["inviteUrl"])
            if operation == ("GET", "/interviews/ID/sessions"):
                reader.known["SESSION_ID"] = response.json()["data"][0]["id"]
    world.store.close()
    assert set(statuses.values()) == {200}
    at_aural = {(each.method, re.sub(r"\{\w+\}", "ID", each.path)) for each in OPERATIONS}
    assert set(statuses) - at_aural == {("PUT", "/sessions/ID/analysis")}
    assert "at Aural this is a 404" in reader.page


@pytest.mark.parametrize("path", PAGES)
async def test_no_command_needs_a_quote_that_another_shell_reads_otherwise(world, path):
    commands = "".join(re.findall(r"^```sh\n(.+?)^```", await text_at(world, path), re.M | re.S))
    assert not re.search(r"['\\`|&;<>]", commands)
    assert "dlv_" not in commands


ORIGINS = [
    "https://aural-ai.com",
    "https://hire.example.com",
    "https://hire.example.com:8443",
    "http://127.0.0.1:8410",
    "http://127.0.0.1:8411",
    "http://[::1]:8410",
    "https://xn--bewerbung-z2a.example",
]


def test_a_key_that_was_put_down_for_one_deployment_is_never_sent_to_another():
    named = {origin: set(re.findall(r"\.aural\.[^\s`\"]+", skill_md(origin))) for origin in ORIGINS}
    files = [name for names in named.values() for name in names]
    assert len(files) == len(set(files)) == len(ORIGINS)
    assert all(re.fullmatch(r"[\w.-]+", name) for name in files)


@pytest.mark.parametrize("path", ["/llms.txt", "/llms-full.txt", "/SKILL.md", "/api/v1/openapi.json"])
async def test_an_agent_that_read_one_page_knows_what_to_ask_before(world, path):
    (rule,) = re.findall(r"Before [^\n\"]+ wait for a yes\.", await text_at(world, path))
    assert all(word in rule for word in ("publish", "archive", "delete", "end", "register"))


# ── Where agents go wrong ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("accept", ["*/*", "text/markdown", "text/markdown, text/html, */*", "text/plain", ""])
async def test_an_agent_gets_the_skill_whatever_it_accepts_and_by_a_lower_case_name(world, accept):
    async with world.browser() as http:
        for address in ("/SKILL.md", "/SKILL.md?utm_source=chat", "/skill.md"):
            response = await http.get(address, headers={"accept": accept})
            assert response.headers["content-type"] == "text/markdown; charset=utf-8"
            assert response.text == await text_at(world, "/SKILL.md")
        assert (await http.head("/SKILL.md")).status_code == 200


@pytest.mark.parametrize("accept", ["*/*", "text/markdown", "text/markdown, text/html, */*", "application/json", ""])
@pytest.mark.parametrize(
    "guess", ["/.well-known/llms.txt", "/openapi.json", "/docs", "/SKILL", "/references/", "/api/v1/skill.md"]
)
async def test_an_agent_that_guesses_an_address_is_told_where_to_read(world, guess, accept):
    async with world.browser() as http:
        response = await http.get(guess, headers={"accept": accept})
        assert response.status_code == 404
        for address in re.findall(r"/\w[\w-]*\.(?:md|txt)", response.text):
            await world.fetched(address)
        assert "/llms.txt" in response.text
        person = await http.get("/docs", headers={"accept": "text/html,*/*;q=0.8"})
        assert "Nothing here" in person.text
