"""The tools that differ from their operation, and why: a list is a table, a transcript comes in pages.

Each may add arguments of its own, answer with a smaller model than the API, or add remarks to the answer;
the operation itself stays as it is.
"""

from __future__ import annotations

from typing import Any

from aural_mcp.api import operations as op
from aural_mcp.api.analysis import SaveSessionAnalysis
from aural_mcp.privacy.exposure import RevealCandidate, Revealed
from aural_mcp.tools import candidates, interviews, practice, sessions, transcripts
from aural_mcp.tools.shape import Shape as Shape

SHAPES: dict[op.AnyOperation, Shape[Any]] = {
    op.ListInterviews: Shape(interviews.ListInterviewsArguments, interviews.InterviewTable, interviews.list_interviews),
    op.CreateInterview: Shape(
        interviews.CreateInterviewArguments, interviews.InterviewView, interviews.create_interview
    ),
    op.GetInterview: Shape(interviews.GetInterviewArguments, interviews.InterviewWhole, interviews.get_interview),
    op.UpdateInterview: Shape(
        interviews.UpdateInterviewArguments, interviews.InterviewView, interviews.update_interview
    ),
    op.ArchiveInterview: Shape(op.ArchiveInterview, op.Archived, interviews.archive_interview),
    op.PublishInterview: Shape(op.PublishInterview, op.Published, interviews.publish_interview),
    op.ListQuestions: Shape(op.ListQuestions, interviews.QuestionTable, interviews.list_questions),
    op.CreateQuestions: Shape(
        interviews.CreateQuestionsArguments, interviews.QuestionTable, interviews.create_questions
    ),
    op.UpdateQuestion: Shape(interviews.UpdateQuestionArguments, interviews.QuestionView, interviews.update_question),
    op.ListCandidates: Shape(candidates.ListCandidatesArguments, candidates.CandidateTable, candidates.list_candidates),
    op.CreateCandidates: Shape(
        candidates.CreateCandidatesArguments, candidates.Invitations, candidates.create_candidates
    ),
    op.UpdateCandidate: Shape(
        candidates.UpdateCandidateArguments, candidates.CandidateView, candidates.update_candidate
    ),
    RevealCandidate: Shape(RevealCandidate, Revealed, candidates.reveal_candidate),
    op.ListSessions: Shape(sessions.ListSessionsArguments, sessions.SessionTable, sessions.list_sessions),
    op.GetSession: Shape(transcripts.GetSessionArguments, transcripts.SessionPage, transcripts.get_session),
    op.GetSessionReport: Shape(
        transcripts.GetSessionReportArguments, transcripts.ReportPage, transcripts.get_session_report
    ),
    op.EndInterviewSessions: Shape(op.EndInterviewSessions, sessions.EndedTable, sessions.end_interview_sessions),
    op.ListPracticeSessions: Shape(
        practice.ListPracticeSessionsArguments, practice.PracticeTable, practice.list_practice_sessions
    ),
    op.GetPracticeReport: Shape(op.GetPracticeReport, practice.PracticeView, practice.get_practice_report),
    SaveSessionAnalysis: Shape(SaveSessionAnalysis, transcripts.SavedAnalysis, transcripts.save_session_analysis),
    op.GetUsage: Shape(op.GetUsage, op.Usage, practice.get_usage),
}
