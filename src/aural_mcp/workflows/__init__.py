"""The work of a hiring team in one call each: tools that combine operations, on any backend.

Aural has no such calls. Each is an operation without an address of its own, and a function that carries it out with
Aural's operations: within 40 s and the key's budget, and so that the same call again goes on where the first stopped.
"""

from __future__ import annotations

from typing import Any

from aural_mcp.api.operations import AnyOperation
from aural_mcp.tools.shape import Shape
from aural_mcp.workflows import answers, comparing, decisions, exporting, finding, impact, launch, searching, waiting
from aural_mcp.workflows.lists import importing
from aural_mcp.workflows.mail import messages

WORKFLOWS: dict[AnyOperation, Shape[Any]] = {
    launch.LaunchInterviews: Shape(launch.LaunchInterviews, launch.Launched, launch.launch_interviews),
    importing.ImportCandidates: Shape(importing.ImportCandidates, importing.Imported, importing.import_candidates),
    waiting.WaitForSessions: Shape(waiting.WaitForSessions, waiting.Waited, waiting.wait_for_sessions),
    comparing.CompareCandidates: Shape(comparing.CompareCandidates, comparing.Comparison, comparing.compare_candidates),
    answers.CompareAnswers: Shape(answers.CompareAnswers, answers.Answers, answers.compare_answers),
    searching.SearchTranscripts: Shape(searching.SearchTranscripts, searching.Hits, searching.search_transcripts),
    finding.FindPerson: Shape(finding.FindPerson, finding.FoundPeople, finding.find_person),
    exporting.ExportResults: Shape(exporting.ExportResults, exporting.Exported, exporting.export_results),
    decisions.RecordDecision: Shape(decisions.RecordDecision, decisions.Recorded, decisions.record_decision),
    impact.ImpactReport: Shape(impact.ImpactReport, impact.Impact, impact.impact_report),
    messages.SendMessages: Shape(messages.SendMessages, messages.Sent, messages.send_messages),
}
