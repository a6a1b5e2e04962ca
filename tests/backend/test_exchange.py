"""A workspace moves in and out as one document, whole or not at all; keys are made, listed and revoked."""

import copy
import json
import re

import httpx
import pytest

from aural_mcp.backend.rest.app import create_app
from aural_mcp.backend.storage import exchange
from aural_mcp.backend.storage.exchange import CannotImport
from aural_mcp.backend.storage.store import Store, owner
from conftest import DATABASES, ORIGIN
from examples import SEED, SEED_FILE
from processes import aural_mcp

pytestmark = DATABASES


@pytest.fixture
def empty(database):
    made = Store(database)
    yield made
    made.close()


def by_id(rows):
    return sorted(rows, key=lambda row: row["id"])


def test_what_was_imported_is_exported_again_but_for_the_keys(empty):
    exchange.import_workspace(empty, SEED)
    exported = exchange.export_workspace(empty)
    assert exported.keys() == SEED.keys() - {"api_keys"}
    for table, rows in exported.items():
        assert by_id(rows) == by_id(SEED[table]), table
    assert "dlv_" not in json.dumps(exported)


def test_an_export_can_be_imported_elsewhere(empty, tmp_path):
    exchange.import_workspace(empty, SEED)
    exported = exchange.export_workspace(empty)
    elsewhere = Store(f"sqlite:///{tmp_path / 'elsewhere.db'}")
    exchange.import_workspace(elsewhere, exported)
    assert exchange.export_workspace(elsewhere) == exported


async def test_an_imported_workspace_belongs_to_its_owner_and_gets_nothing_added(empty):
    exchange.import_workspace(empty, SEED)
    assert owner(empty).user_id == SEED["organizations"][0]["ownerId"]
    assert len(exchange.export_workspace(empty)["profiles"]) == len(SEED["profiles"])
    app = create_app(empty, origin=lambda: ORIGIN)
    headers = {"authorization": "Bearer dlv_test_key_primary"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN, headers=headers) as http:
        assert len((await http.get("/api/v1/interviews")).json()["data"]) > 5


def broken(change):
    document = copy.deepcopy(SEED)
    change(document)
    return document


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "must be a JSON object"),
        ({"persons": []}, "Unknown table 'persons'"),
        ({"profiles": {}}, "profiles must be an array of objects"),
        (broken(lambda seed: seed["questions"][3].update(mood="x")), r"questions\[3\] has an unknown column 'mood'"),
        (broken(lambda seed: seed["sessions"][5].update(interviewId="nowhere")), r"sessions\[5\] cannot be stored"),
        (broken(lambda seed: seed["messages"][0].update(timestamp="noon")), r"messages\[0\] cannot be stored"),
        (broken(lambda seed: seed["api_keys"][1].pop("key")), r"api_keys\[1\] has no key in clear"),
    ],
)
def test_a_document_with_something_wrong_is_refused_whole(empty, document, says):
    with pytest.raises(CannotImport, match=says):
        exchange.import_workspace(empty, document)
    assert not any(exchange.export_workspace(empty).values())


def test_a_database_that_is_not_empty_is_left_alone(empty):
    owner(empty)
    before = exchange.export_workspace(empty)
    with pytest.raises(CannotImport, match="not empty"):
        exchange.import_workspace(empty, SEED)
    assert exchange.export_workspace(empty) == before


def test_the_commands_make_list_and_revoke_keys(tmp_path, database):
    def command(*arguments):
        return aural_mcp(tmp_path, "backend", *arguments, "--database", database)

    assert command("import", str(SEED_FILE))[0] == 0
    code, printed, _ = command("keys", "create", "ci", "--user", "vi@acme.test", "--expires", "2099-12-31")
    assert code == 0
    assert re.fullmatch(r"dlv_[0-9A-Za-z]{36}\n", printed)
    assert "nobody here has the address" in command("keys", "create", "ci", "--user", "x@y.z")[2]
    listed = command("keys", "list")[1]
    line = next(line for line in listed.splitlines() if "ci (vi@acme.test" in line)
    assert "active" in line
    assert "until 2099-12-31T23:59:59.999999+00:00" in line
    assert "revoked" in listed
    assert "expired" in listed
    assert "dlv_" not in listed
    key_id = line.split()[0]
    assert command("keys", "revoke", key_id)[1] == f"Revoked {key_id}.\n"
    assert "There is no key with the id" in command("keys", "revoke", "nope")[2]
    code, exported, _ = command("export")
    assert code == 0
    assert json.loads(exported).keys() == SEED.keys() - {"api_keys"}
    code, _, err = command("import", str(SEED_FILE))
    assert (code, "not empty" in err) == (1, True)
