"""The same steps with every foreign client: prepare an interview, invite somebody, change a name, publish, read."""

import json
import os
import sys

COMMAND, ARGUMENTS, ENVIRONMENT = sys.executable, [], dict(os.environ)
if len(sys.argv) > 1:
    COMMAND, *ARGUMENTS = sys.argv[1:]
INTERVIEW = {"title": "Backend engineer", "objective": "Find who has run queues.", "timeLimitMinutes": 30}
PERSON = {"name": "Ana Silva", "email": "ana@example.org", "phone": "+351 912 345 678", "graduationYear": 2014}


def under_nulls(schema, given):
    """The arguments as many frameworks send them: null for every one that was left out."""
    return {**dict.fromkeys(schema["properties"]), **given}


async def walk(schemas, call, read):
    """What the server says on the way, as JSON on stdout.

    Args:
        schemas: the input schema of each tool, as this client lists them.
        call: a tool by name with arguments, answered by its structured content; it raises where the tool refuses.
        read: a resource by address, answered by its text.
    """
    made = await call("create_interview", INTERVIEW)
    of = {"interviewId": made["id"]}
    await call("create_questions", {**of, "questions": [{"text": "Tell me about a queue that you ran."}]})
    await call("update_interview", {**of, "title": "Senior backend engineer"})
    (person,) = (await call("create_candidates", {**of, "candidates": [PERSON]}))["data"]
    renamed = {**of, "candidateId": person["id"], "name": "Ana Sousa"}
    await call("update_candidate", under_nulls(schemas["update_candidate"], renamed))
    asked = await call("publish_interview", of)
    published = await call("publish_interview", {**of, "confirmation": asked["confirmation"]})
    said = {
        "schemas": schemas,
        "asked": asked,
        "published": published,
        "interview": await call("get_interview", of),
        "candidates": await call("list_candidates", {**of, "include": ["phone", "graduationYear"]}),
        "resource": await read(f"aural://interviews/{made['id']}/candidates"),
        "sessions": await call("list_sessions", of),
    }
    print(json.dumps(said))
