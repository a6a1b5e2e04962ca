"""What a person writes with the client that openapi-python-client makes; prints what came as JSON."""

import json
import sys

from aural_developer_api_client import AuthenticatedClient
from aural_developer_api_client.api.interviews import create_interview, get_interview, list_interviews
from aural_developer_api_client.api.questions import create_questions
from aural_developer_api_client.models import (
    CreateInterviewRequest,
    CreateInterviewResponse,
    Error,
    GetInterviewResponse,
    ListInterviewsResponse,
    QuestionInput,
    Tone,
)
from aural_developer_api_client.types import Unset

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
created = create_interview.sync(
    client=client, body=CreateInterviewRequest(title="Backend engineer", ai_tone=Tone.FRIENDLY)
)
assert isinstance(created, CreateInterviewResponse)
interview = created.data.id
create_questions.sync(interview, client=client, body=[QuestionInput(text="Why us?", required=False)])
read = get_interview.sync(interview, client=client)
assert isinstance(read, GetInterviewResponse)
listed = list_interviews.sync(client=client, limit=5)
assert isinstance(listed, ListInterviewsResponse)
titles: list[str] = [row.title for row in listed.data]
texts: list[str] = [question.text for question in read.data.questions]
counts = read.data.field_count
refused = get_interview.sync("00000000-0000-4000-8000-000000000001", client=client)
assert isinstance(refused, Error)
print(
    json.dumps(
        {
            "titles": titles,
            "texts": texts,
            "sessions": None if isinstance(counts, Unset) else counts.sessions,
            "cursor": listed.cursor,
            "refused": refused.error.to_dict(),
        }
    )
)
