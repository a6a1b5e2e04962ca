"""The Postman collection, run by newman as Postman runs it: the journey of a hire, and nothing that nobody chose."""

import json
import re
import subprocess

import httpx
import pytest

from conftest import answer, begin, needs
from processes import backend, free_port

CHOSEN = {"Archive interview", "Publish interview", "Delete question"}
SESSIONS = {"List sessions", "Get session", "Get session report", "End interview sessions", "Save session analysis"}


class Postman:
    """The collection that a backend serves, and a person with a key of it."""

    def __init__(self, folder, origin, key):
        self.folder, self.origin, self.key = folder, origin, key
        self.collection = httpx.get(f"{origin}/api/v1/postman.json", trust_env=False).json()
        self.api = httpx.Client(
            base_url=f"{origin}/api/v1", headers={"authorization": f"Bearer {key}"}, trust_env=False
        )

    def run(self, *folders, **variables):
        """The status of each request that was sent, by its name, and what was asked of it and not so."""
        given, report = self.folder / "collection.json", self.folder / "report.json"
        given.write_text(json.dumps(self.collection), encoding="utf-8")
        command = [needs("newman"), "run", given, "--reporters", "json", "--reporter-json-export", report]
        for name, value in {"apiKey": self.key, **variables}.items():
            command += ["--env-var", f"{name}={value}"]
        for each in folders:
            command += ["--folder", each]
        subprocess.run(command, capture_output=True, timeout=120)
        run = json.loads(report.read_text(encoding="utf-8"))["run"]
        sent = {each["item"]["name"]: each["response"]["code"] for each in run["executions"] if "response" in each}
        return sent, [each["error"]["message"] for each in run["failures"]]

    def data(self, path):
        return self.api.get(path).json()["data"]

    def names(self):
        return {each["name"] for folder in self.collection["item"] for each in folder["item"]}

    def item(self, name):
        (found,) = [each for folder in self.collection["item"] for each in folder["item"] if each["name"] == name]
        return found


@pytest.fixture
async def postman(tmp_path):
    port = free_port()
    async with backend(tmp_path, port, "--no-desk") as printed:
        yield Postman(tmp_path, f"http://127.0.0.1:{port}", re.search(r"dlv_\w+", printed)[0])


async def test_a_run_from_top_to_bottom_is_the_journey_and_does_nothing_that_nobody_chose(postman):
    sent, failed = postman.run()
    assert (failed, set(sent.values())) == ([], {200})
    assert postman.names() - sent.keys() == CHOSEN | SESSIONS - {"List sessions"} | {"Get practice report"}
    (interview,) = postman.data("/interviews")
    assert (interview["isActive"], interview["requireInvite"], interview["timeLimitMinutes"]) == (True, True, 30)
    assert len(postman.data(f"/interviews/{interview['id']}/questions")) == 3
    ana, _ben = postman.data(f"/interviews/{interview['id']}/candidates")
    async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        page = await begin(browser, f"{postman.origin}/i/invite/{ana['inviteToken']}", ana["name"])
        for said in ("I compared two logs. " * 20, "Every month or more", "I moved refunds to a queue. " * 20):
            page = await answer(browser, page, said)
    sent, failed = postman.run("sessions", interviewId=interview["id"])
    assert (failed, sent) == ([], dict.fromkeys(SESSIONS, 200))
    assert postman.data(f"/interviews/{interview['id']}/sessions")[0]["summary"]


async def test_what_is_chosen_is_done_to_that_and_to_nothing_else(postman):
    postman.run()
    (interview,) = postman.data("/interviews")
    questions = postman.data(f"/interviews/{interview['id']}/questions")
    sent, failed = postman.run("Delete question", chosenQuestionId=questions[1]["id"])
    assert (failed, sent) == ([], {"Delete question": 200})
    assert postman.data(f"/interviews/{interview['id']}/questions") == [questions[0], questions[2]]
    sent, failed = postman.run("Publish interview", chosenInterviewId=interview["id"])
    assert (failed, sent) == ([], {"Publish interview": 200})
    (interview,) = postman.data("/interviews")
    assert (interview["isActive"], interview["requireInvite"]) == (True, False)


@pytest.mark.parametrize("scope", ["collection", "environment"])
async def test_one_choice_is_for_one_request(postman, scope):
    made = postman.api.post("/interviews", json={"title": "Kept as it is"}).json()["data"]["id"]
    for each in postman.collection["variable"]:
        if each["key"] == "chosenInterviewId" and scope == "collection":
            each["value"] = made
    chosen = {"chosenInterviewId": made} if scope == "environment" else {}
    assert postman.run("Archive interview", "Publish interview", **chosen) == ({"Archive interview": 200}, [])
    (interview,) = postman.data("/interviews")
    assert (interview["isActive"], interview["requireInvite"]) == (False, True)


async def test_a_run_leaves_alone_an_interview_that_an_environment_names(postman):
    before = postman.api.post("/interviews", json={"title": "Of last week"}).json()["data"]
    sent, failed = postman.run(interviewId=before["id"])
    assert (failed, sent["Update interview"], sent["Create candidates"]) == ([], 200, 200)
    assert next(each for each in postman.data("/interviews") if each["id"] == before["id"]) == {
        **before,
        "_count": {"questions": 0, "sessions": 0},
    }
    assert postman.data(f"/interviews/{before['id']}/candidates") == []


NOT_MADE = {
    "refused": (lambda request: request["body"].update(raw='{"title": " "}'), 400),
    "not understood": (lambda request: request.update(method="PUT"), 405),
    "without an answer": (lambda request: request.update(url="http://127.0.0.1:9/"), None),
    "answered by something else": (lambda request: request.update(url="{{baseUrl}}/../../", method="GET"), 404),
}


@pytest.mark.parametrize("why", NOT_MADE)
async def test_a_run_whose_interview_is_not_made_changes_none_that_was_there(postman, why):
    before = postman.api.post("/interviews", json={"title": "Of last week"}).json()["data"]
    for each in postman.collection["variable"]:
        if each["key"] == "interviewId":
            each["value"] = before["id"]
    changes, status = NOT_MADE[why]
    changes(postman.item("Create interview")["request"])
    sent, failed = postman.run()
    assert sent == {"List interviews": 200, "Get usage": 200, **({"Create interview": status} if status else {})}
    assert failed
    assert postman.data("/interviews")[0]["updatedAt"] == before["updatedAt"]


async def test_without_a_key_a_run_fails_and_says_so(postman):
    sent, failed = postman.run(apiKey="")
    assert sent == {"List interviews": 401, "Create interview": 401, "Get usage": 401}
    assert failed == ["expected response to have status code 200 but got 401"] * 3


async def test_a_program_that_cannot_run_scripts_finds_no_id_in_what_was_not_chosen(postman):
    """Other programs import collections, too, and leave their scripts out."""
    del postman.collection["event"]
    sent, _ = postman.run("only what you choose")
    assert sent.keys() == CHOSEN
    assert set(sent.values()) <= {308, 404, 405}
    assert postman.item("Get session")["response"][0]["code"] == 200
    values = {each["key"]: each["value"] for each in postman.collection["variable"]}
    assert values.pop("baseUrl") == f"{postman.origin}/api/v1"
    assert set(values.values()) == {""}
