"""Who was erased and shall not come back unasked: calls of the embedded backend; Aural has none."""

from typing import Annotated

from pydantic import Field

from aural_mcp.api.models import Record, Rows
from aural_mcp.api.operations import CandidateInput, CreateCandidates, InterviewId, Operation

ERASED_BEFORE = "erasedBefore"
"""What stands beside a list of candidates where somebody was erased from the workspace, so that it is worth asking."""


class Erased(Record):
    """Somebody of a list who was erased: the place in the list, from 1, and when that was."""

    position: int
    at: str = ""


class FindErased(Operation[Rows[Erased]]):
    """Who of these people was erased before; nothing of them is stored."""

    method, path, effect, toolset = "POST", "/interviews/{interviewId}/erased", "read", "candidates"
    since = 3
    body = "candidates"
    interview_id: InterviewId
    candidates: Annotated[list[CandidateInput], Field(min_length=1)]


class ReturnCandidates(CreateCandidates):
    """Register people although some of them were erased."""

    def location(self) -> str:
        return f"{super().location()}?erased=return"
