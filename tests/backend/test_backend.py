"""The embedded backend as a REST API: what Aural answers, and where this backend answers better."""

import httpx
import pytest
from sqlalchemy import insert, select, update

from aural_mcp.api.operations import OPERATIONS
from aural_mcp.backend.rest.app import create_app, create_pages
from aural_mcp.backend.storage import store, tables
from conftest import DATABASES, KEY, ORIGIN, ok

pytestmark = DATABASES
API = f"{ORIGIN}/api/v1"


def http_of(app, key=KEY):
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=API, headers=headers)


@pytest.fixture
def user(world):
    with world.store.reading() as db:
        return db.execute(select(tables.profiles.c.id)).scalar_one()


def change_key(world, key, **changes):
    with world.store.writing() as db:
        db.execute(update(tables.api_keys).where(tables.api_keys.c.hash == store.digest(key)).values(**changes))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.tool_name())
@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        (None, "Missing or invalid API key. Use: Authorization: Bearer dlv_xxx"),
        ("bearer dlv_x", "Missing or invalid API key. Use: Authorization: Bearer dlv_xxx"),
        ("Bearer dlv_nobody", "Invalid or revoked API key."),
    ],
)
async def test_no_route_answers_without_a_key_that_is_known(world, operation, authorization, message):
    headers = {"authorization": authorization} if authorization else {}
    async with http_of(world.app, key=None) as http:
        path = operation.path.replace("{", "").replace("}", "")
        response = await http.request(operation.method, API + path, headers=headers, content=b"{bad")
    assert (response.status_code, response.json()["error"]) == (401, {"code": "UNAUTHORIZED", "message": message})


async def test_a_key_works_until_it_is_revoked_or_expires(world, user):
    key = store.create_key(world.store, user, "team")
    assert store.checksum(key[4:-6]) == key[-6:]
    async with http_of(world.app, key) as http:
        assert (await http.get("/usage")).status_code == 200
        change_key(world, key, expiresAt="2026-01-01T00:00:00+00:00")
        assert (await http.get("/usage")).json()["error"]["message"] == "API key has expired."
        change_key(world, key, isActive=False)
        assert (await http.get("/usage")).json()["error"]["message"] == "Invalid or revoked API key."


async def test_the_61st_request_of_a_minute_is_refused_with_the_seconds_to_wait(world, user):
    key = store.create_key(world.store, user, "team")
    async with http_of(world.app, key) as http:
        served = [(await http.get("/nowhere-useful" if n % 2 else "/usage")).status_code for n in range(120)]
        refused = await http.get("/usage")
    assert served.count(200) == 60
    assert refused.status_code == 429
    seconds = refused.json()["error"]["retry_after"]
    assert refused.json()["error"]["message"] == f"Too many requests. Retry after {seconds}s."
    assert refused.headers["retry-after"] == str(seconds)
    async with http_of(world.app) as local:
        assert (await local.get("/usage")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("PUT", "/interviews", 405), ("DELETE", "/usage", 405)],
)
async def test_wrong_addresses_and_methods_are_json_errors(world, method, path, status):
    async with http_of(world.app) as http:
        response = await http.request(method, path)
    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert status == 404 or "GET" in response.headers["allow"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("/api/v1/interviews/", "/api/v1/interviews"),
        ("/api/v1/interviews/?limit=1&cursor=a%2Fb", "/api/v1/interviews?limit=1&cursor=a%2Fb"),
        ("/api/v1/openapi.json/", "/api/v1/openapi.json"),
        ("/api/v1//evil.example/", "/api/v1//evil.example"),
        ("/i/abc/", "/i/abc"),
        ("/i/invite/abc/?utm_source=mail", "/i/invite/abc?utm_source=mail"),
    ],
)
async def test_a_trailing_slash_never_leads_to_another_name_or_away_from_https(world, method, path, leads):
    async with http_of(world.app) as http:
        named = {"host": "evil.example", "x-forwarded-host": "evil.example"}
        response = await http.request(method, ORIGIN + path, headers=named, follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (308, leads)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/interviews/abc"), ("PATCH", "/questions/abc"), ("GET", "/sessions/abc"), ("GET", "/practices/abc")],
)
async def test_an_id_that_is_no_uuid_is_simply_not_found(world, method, path):
    async with http_of(world.app) as http:
        response = await http.request(method, path, json={"text": "x"})
    assert response.status_code == 404


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"null", "title is required."),
        (b'{"title": "a\\u0000b"}', "title contains a character that cannot be stored"),
        (b'{"title": "\\ud800"}', "title contains a character that cannot be stored"),
        (b'{"title": "T", "timeLimitMinutes": 2147483648}', "timeLimitMinutes must be at most 2147483647."),
        (b'{"title": "T", "timeLimitMinutes": NaN}', "Invalid JSON body."),
        (b"[" * 100_000, "Invalid JSON body."),
        (b"[" + b"1," * 200_000 + b"1]", "The request body holds more than 100,000 values."),
        (b"\xff", "Invalid JSON body."),
    ],
)
async def test_what_would_crash_elsewhere_is_a_400_that_names_the_field(world, body, says):
    async with http_of(world.app) as http:
        response = await http.post("/interviews", content=body)
    assert response.status_code == 400
    assert says in response.json()["error"]["message"]


async def test_what_is_nested_too_deeply_to_be_read_as_text_is_refused(world, agent):
    made = await ok(agent, "create_interview", title="T")
    async with http_of(world.app) as http:
        response = await http.post(
            f"/interviews/{made['id']}/questions", content=b'[{"text": ' + b"[" * 900 + b"]" * 900 + b"}]"
        )
    assert (response.status_code, response.json()["error"]["message"]) == (
        400,
        "The request body is nested too deeply.",
    )


async def test_a_body_without_end_is_refused(world):
    async def endless():
        for _ in range(10_000):
            yield b" " * 65_536

    async with http_of(world.app) as http:
        response = await http.post("/interviews", content=endless())
    assert response.status_code == 413


async def test_interview_pages_have_no_repeats_and_no_gaps_even_at_equal_times(world, agent):
    made = [(await ok(agent, "create_interview", title=str(number)))["id"] for number in range(7)]
    with world.store.writing() as db:
        db.execute(update(tables.interviews).values(updatedAt=store.now()))
    walked, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = await ok(agent, "list_interviews", limit=2, **more)
        walked += [row["id"] for row in page["data"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert sorted(walked) == sorted(made)


async def test_a_batch_of_questions_is_all_or_nothing(world, agent):
    interview = (await ok(agent, "create_interview", title="T"))["id"]
    body = [{"text": "fine", "allowFileUpload": True}, {"text": "bad", "timeLimitSeconds": 0}]
    async with http_of(world.app) as http:
        response = await http.post(f"/interviews/{interview}/questions", json=body)
        listed = await http.get(f"/interviews/{interview}/questions")
    assert response.json()["error"]["message"] == "Too small: expected number to be >0"
    assert listed.json() == {"data": []}


async def test_a_viewer_may_read_and_write_but_not_change_candidates_or_end_sessions(world, agent, user):
    interview = (await ok(agent, "create_interview", title="T"))["id"]
    people = await ok(agent, "create_candidates", interviewId=interview, candidates=[{"name": "P"}])
    key = store.create_key(world.store, user, "viewer")
    with world.store.writing() as db:
        db.execute(update(tables.organization_members).values(role="VIEWER"))
    candidate = f"/interviews/{interview}/candidates/{people['data'][0]['id']}"
    async with http_of(world.app, key) as http:
        assert (await http.patch(f"/interviews/{interview}", json={"title": "U"})).status_code == 200
        assert (await http.patch(candidate, json={"name": "Q"})).status_code == 403
        ending = await http.post(f"/interviews/{interview}/sessions/end", json={"ids": ["x"]})
    assert "Your current role is VIEWER." in ending.json()["error"]["message"]


async def test_another_organizations_rows_are_out_of_reach(world, agent):
    mine = (await ok(agent, "create_interview", title="T"))["id"]
    moment = store.now()
    stamps = {"createdAt": moment, "updatedAt": moment}
    with world.store.writing() as db:
        db.execute(insert(tables.profiles).values(id="u2", **stamps))
        db.execute(insert(tables.organizations).values(id="o2", ownerId="u2", **stamps))
        db.execute(insert(tables.organization_members).values(id="m2", workspaceId="o2", userId="u2", role="OWNER"))
        db.execute(insert(tables.projects).values(id="p2", organizationId="o2", **stamps))
    async with http_of(world.app, store.create_key(world.store, "u2", "other")) as http:
        assert (await http.get("/interviews")).json() == {"data": [], "cursor": None}
        assert (await http.get(f"/interviews/{mine}")).status_code == 404
        assert (await http.get(f"/interviews/{mine}/questions")).status_code == 403
        assert (await http.get(f"/interviews/{mine}/candidates")).status_code == 403


async def test_ending_sessions_is_a_dry_run_unless_told_otherwise(world, agent):
    interview = (await ok(agent, "create_interview", title="T"))["id"]
    moment = "2026-01-01T00:00:00+00:00"
    session = store.new_id()
    with world.store.writing() as db:
        row = {"interviewId": interview, "startedAt": moment, "createdAt": moment, "updatedAt": moment}
        db.execute(insert(tables.sessions).values(id=session, **row))
    arguments = {"interviewId": interview, "ids": [session, store.new_id(), "nope"]}
    dry = await ok(agent, "end_interview_sessions", **arguments)
    assert (dry["dryRun"], [row["status"] for row in dry["results"]]) == (True, ["eligible", "skipped", "failed"])
    done = await ok(agent, "end_interview_sessions", **arguments, dryRun=False)
    assert [row["status"] for row in done["results"]] == ["succeeded", "skipped", "failed"]
    again = await ok(agent, "end_interview_sessions", **arguments, dryRun=False)
    assert again["results"][0]["status"] == "skipped"


async def test_the_page_port_serves_no_rest(world):
    async with http_of(create_pages(world.store)) as http:
        assert (await http.get("/interviews")).status_code == 404


async def test_the_root_explains_itself_to_a_browser_without_data_and_programs_see_what_they_saw(world, agent):
    await ok(agent, "create_interview", title="Backend engineer")
    for app in (world.app, create_pages(world.store)):
        async with http_of(app) as http:
            seen = await http.get(f"{ORIGIN}/", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
            assert seen.status_code == 200
            assert "open the link that you were sent" in seen.text
            assert "aural-mcp open" in seen.text
            assert "Backend engineer" not in seen.text
            assert "default-src 'none'" in seen.headers["content-security-policy"]
            assert (await http.get(f"{ORIGIN}/")).status_code == 404
            elsewhere = await http.get(f"{ORIGIN}/elsewhere", headers={"accept": "text/html"})
            assert (elsewhere.status_code, "Nothing here" in elsewhere.text) == (404, True)


async def test_a_database_that_fails_is_a_503_without_its_words(world):
    app = create_app(world.store, origin=lambda: ORIGIN)
    with world.store.writing() as db:
        tables.api_keys.drop(db)
    async with http_of(app, "dlv_test_1") as http:
        response = await http.get("/usage")
    assert response.status_code == 503
    assert "api_keys" not in response.text
