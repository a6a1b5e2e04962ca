# /// script
# dependencies = ["botocore==1.44.8"]
# ///
"""Every tool on stdin as a `toolSpec` of Bedrock's Converse, checked and written by botocore's own model of it."""

import json
import sys

import botocore.session
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator

tools = json.load(sys.stdin)
specs = [
    {
        "toolSpec": {
            "name": each["name"],
            "description": each["description"],
            "inputSchema": {"json": each["inputSchema"]},
        }
    }
    for each in tools
]
service = botocore.session.get_session().get_service_model("bedrock-runtime")
converse = service.operation_model("Converse")
asked = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "Hi"}]}], "toolConfig": {"tools": specs}}
problems = ParamValidator().validate(asked, converse.input_shape)
assert not problems.has_errors(), problems.generate_report()
body = json.loads(create_serializer(service.protocol).serialize_to_request(asked, converse)["body"])
sent = [each["toolSpec"] for each in body["toolConfig"]["tools"]]
print(json.dumps({each["name"]: each["inputSchema"]["json"] for each in sent}))
