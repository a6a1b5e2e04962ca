"""The API as a Postman collection (v2.1), made of the OpenAPI document: run from top to bottom it is the journey of a
hire, as each request fills in the ids that later ones need.

What cannot be undone is in a folder of its own and is sent only for an id that a person wrote down for it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.api.operations import FINDERS, OPERATIONS, PATH_VARIABLE, AnyOperation
from aural_mcp.documents.examples import BENS_SESSION, example_of
from aural_mcp.documents.manifests import SITE
from aural_mcp.documents.openapi import TAGS, openapi

Json = dict[str, Any]

ALL = (*OPERATIONS, *LOCAL_OPERATIONS)
CREATORS = {each.toolset: each for each in ALL if each.effect == "create"}
FILLERS = {CREATORS.get(each.toolset, each): each.lists for each in ALL if each.lists}
"""Whose answers give an id to later requests. A list does so only where nothing is created: else a run would go on to
change an interview that was there before."""
JSON_HEADER = {"key": "Content-Type", "value": "application/json"}
CHOSEN = "only what you choose"
ABOUT = """\
Set `apiKey` to a key of yours, as its current value: that is not shared. “Run” then goes through the journey of a hire
with an interview and two candidates of its own, to whom nobody writes; each request fills in the ids that later ones
need. The candidate's part is to open `inviteUrl`. What there is no id for yet is left out, and so is the folder
“only what you choose”."""
CHOOSING = """\
What opens an interview to everybody, ends it or removes something. Write the id into `chosenInterviewId` or
`chosenQuestionId` first: without it nothing is sent, and after one request it is empty again."""
BEFORE = """\
const sent = JSON.stringify([pm.request.url, pm.request.body]);
const needed = [...sent.matchAll(/\\{\\{(\\w+)\\}\\}/g)].map((found) => found[1]);
const missing = needed.filter((name) => !pm.variables.get(name));
if (missing.length) {
  console.log(`${pm.info.requestName} is not sent: there is no ${missing.join(", ")} yet.`);
  pm.execution.skipRequest();
}"""
AFTER = 'pm.test("succeeds", () => pm.response.to.have.status(200));'
FILL = """\
const rows = [pm.response.json().data ?? []].flat();
const { id = "" } = rows.find((row) => row.status === "COMPLETED") ?? rows[0] ?? {};
for (const scope of [pm.collectionVariables, pm.variables]) scope.set("%s", id);"""
EMPTY = 'for (const scope of [pm.collectionVariables, pm.variables]) scope.set("%s", "");'
"""`pm.variables` lasts as long as the run, and comes before an environment's variable of the same name."""
USED = """\
const name = "%s";
for (const scope of [pm.environment, pm.globals]) scope.unset(name);
pm.collectionVariables.set(name, "");"""


def postman(origin: str = SITE) -> Json:
    """The collection for the API at this `scheme://host[:port]`."""
    document = openapi(origin)
    chosen = [each for each in ALL if _is_chosen(each)]
    folders = [
        _folder(name, text, [each for each in ALL if each.toolset == name and each not in chosen], document)
        for name, text in TAGS.items()
    ]
    variables = {"baseUrl": document["servers"][0]["url"], "apiKey": ""} | dict.fromkeys(FINDERS, "")
    variables |= {_chosen(name): "" for each in chosen for name in PATH_VARIABLE.findall(each.path)}
    return {
        "info": {
            "name": document["info"]["title"],
            "description": f"{document['info']['description']}\n\n{ABOUT}",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{apiKey}}", "type": "string"}]},
        "variable": [{"key": name, "value": value} for name, value in variables.items()],
        "event": [_script("prerequest", BEFORE), _script("test", AFTER)],
        "item": [*folders, _folder(CHOSEN, CHOOSING, chosen, document)],
    }


def _is_chosen(operation: AnyOperation) -> bool:
    """Whether a run leaves it out: a person should agree first, and it neither only adds nor is shown as a dry run."""
    return operation.confirmed and operation.effect != "create" and not example_of(operation).arguments.get("dryRun")


def _folder(name: str, description: str, operations: list[AnyOperation], document: Json) -> Json:
    return {"name": name, "description": description, "item": [_item(each, document) for each in operations]}


def _item(operation: AnyOperation, document: Json) -> Json:
    described: Json = document["paths"][operation.path][operation.method.lower()]
    request = _request(operation, described)
    filled = [FILLERS[operation]] if operation in FILLERS else []
    used = [_chosen(name) for name in PATH_VARIABLE.findall(operation.path)] if _is_chosen(operation) else []
    answer = {
        "name": "Success",
        "originalRequest": request,
        "status": "OK",
        "code": 200,
        "_postman_previewlanguage": "json",
        "header": [JSON_HEADER],
        "body": _example(described["responses"]["200"]),
    }
    events = [_script("prerequest", EMPTY % name) for name in filled]
    events += [_script("test", FILL % name) for name in filled] + [_script("test", USED % name) for name in used]
    return {"name": operation.tool_title(), "event": events, "request": request, "response": [answer]}


def _request(operation: AnyOperation, described: Json) -> Json:
    given: dict[str, list[Json]] = {"path": [], "query": []}
    for each in described["parameters"]:
        name = each["name"]
        value = each.get("example", "") if each["in"] == "query" else f"{{{{{_variable(operation, name)}}}}}"
        left_out = {} if value else {"disabled": True}
        entry = {"key": name, "value": str(value), "description": each["description"], **left_out}
        given[each["in"]].append(entry)
    path = re.sub(PATH_VARIABLE, r":\1", operation.path)
    query = "&".join(f"{each['key']}={each['value']}" for each in given["query"] if "disabled" not in each)
    url: Json = {
        "raw": f"{{{{baseUrl}}}}{path}{f'?{query}' if query else ''}",
        "host": ["{{baseUrl}}"],
        "path": path[1:].split("/"),
        **({"query": given["query"]} if given["query"] else {}),
        **({"variable": given["path"]} if given["path"] else {}),
    }
    request: Json = {"method": operation.method, "header": [], "url": url, "description": described["description"]}
    if "requestBody" in described:
        raw = _example(described["requestBody"]).replace(BENS_SESSION, "{{sessionId}}")
        request["header"] = [JSON_HEADER]
        request["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
    return request


def _variable(operation: AnyOperation, name: str) -> str:
    return _chosen(name) if _is_chosen(operation) else name


def _chosen(name: str) -> str:
    return f"chosen{name[0].upper()}{name[1:]}"


def _example(described: Json) -> str:
    return json.dumps(described["content"]["application/json"]["example"], ensure_ascii=False, indent=2)


def _script(when: str, text: str) -> Json:
    return {"listen": when, "script": {"type": "text/javascript", "exec": text.split("\n")}}
