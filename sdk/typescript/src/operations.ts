/** Made by `npm run generate`: how each operation travels. */

import type { Operation } from "./request.js";

export const OPERATIONS = {
  list_interviews: {"method": "GET", "path": "/interviews", "effect": "read", "fields": ["limit", "cursor"], "rows": true},
  create_interview: {"method": "POST", "path": "/interviews", "effect": "create", "fields": ["title", "description", "objective", "assessmentCriteria", "aiName", "aiTone", "followUpDepth", "language", "timeLimitMinutes", "chatEnabled", "voiceEnabled", "videoEnabled", "antiCheatingEnabled"], "row": true},
  get_interview: {"method": "GET", "path": "/interviews/{interviewId}", "effect": "read", "fields": ["interviewId"], "row": true},
  update_interview: {"method": "PATCH", "path": "/interviews/{interviewId}", "effect": "update", "fields": ["interviewId", "title", "description", "objective", "assessmentCriteria", "aiName", "aiTone", "followUpDepth", "language", "timeLimitMinutes", "chatEnabled", "voiceEnabled", "videoEnabled", "antiCheatingEnabled"], "row": true},
  archive_interview: {"method": "DELETE", "path": "/interviews/{interviewId}", "effect": "delete", "fields": ["interviewId"], "row": true},
  publish_interview: {"method": "POST", "path": "/interviews/{interviewId}/publish", "effect": "update", "fields": ["interviewId"], "row": true},
  list_questions: {"method": "GET", "path": "/interviews/{interviewId}/questions", "effect": "read", "fields": ["interviewId"], "rows": true},
  create_questions: {"method": "POST", "path": "/interviews/{interviewId}/questions", "effect": "create", "fields": ["interviewId", "questions"], "body": "questions", "defaults": {"type": "OPEN_ENDED", "required": true, "followUpEnabled": true, "allowFileUpload": false, "allowedFileTypes": []}, "rows": true},
  update_question: {"method": "PATCH", "path": "/questions/{questionId}", "effect": "update", "fields": ["questionId", "text", "type", "options", "description", "order", "required", "followUpEnabled", "probeThreshold", "followUpPrompts", "starterCode", "timeLimitSeconds", "validationRules", "showIf", "skipIf", "allowFileUpload", "allowedFileTypes"], "row": true, "newerFields": ["description", "probeThreshold", "followUpPrompts", "starterCode", "timeLimitSeconds", "validationRules", "showIf", "skipIf", "allowFileUpload", "allowedFileTypes"]},
  delete_question: {"method": "DELETE", "path": "/questions/{questionId}", "effect": "delete", "fields": ["questionId"], "row": true},
  list_candidates: {"method": "GET", "path": "/interviews/{interviewId}/candidates", "effect": "read", "fields": ["interviewId"], "rows": true, "large": true},
  create_candidates: {"method": "POST", "path": "/interviews/{interviewId}/candidates", "effect": "create", "fields": ["interviewId", "candidates"], "body": "candidates", "defaults": {}, "rows": true},
  update_candidate: {"method": "PATCH", "path": "/interviews/{interviewId}/candidates/{candidateId}", "effect": "update", "fields": ["interviewId", "candidateId", "name", "email", "phone", "notes", "gender", "birthday", "education", "school", "major", "graduationYear", "workExperience"], "row": true, "newer": true, "newerFields": ["gender", "birthday", "education", "school", "major", "graduationYear", "workExperience"]},
  list_sessions: {"method": "GET", "path": "/interviews/{interviewId}/sessions", "effect": "read", "fields": ["interviewId", "limit", "cursor"], "rows": true},
  get_session: {"method": "GET", "path": "/sessions/{sessionId}", "effect": "read", "fields": ["sessionId"], "row": true, "large": true},
  get_session_report: {"method": "GET", "path": "/sessions/{sessionId}/report", "effect": "read", "fields": ["sessionId"], "large": true, "newer": true},
  end_interview_sessions: {"method": "POST", "path": "/interviews/{interviewId}/sessions/end", "effect": "delete", "fields": ["interviewId", "ids", "dryRun"], "newer": true},
  list_practice_sessions: {"method": "GET", "path": "/interviews/{interviewId}/practices", "effect": "read", "fields": ["interviewId", "limit"], "rows": true, "newer": true},
  get_practice_report: {"method": "GET", "path": "/practices/{practiceId}", "effect": "read", "fields": ["practiceId"], "newer": true},
  get_usage: {"method": "GET", "path": "/usage", "effect": "read", "fields": []},
  save_session_analysis: {"method": "PUT", "path": "/sessions/{sessionId}/analysis", "effect": "update", "fields": ["summary", "keyInsights", "questionEvaluations", "criteriaEvaluations", "themes", "sentiment", "toneAnalysis", "researchFindings", "sessionId", "scoredBy"], "row": true},
} as const satisfies Record<string, Operation>;

/** Which operation lists the ids that a path takes. */
export const FINDERS: Readonly<Record<string, string>> = {"interviewId": "list_interviews", "questionId": "list_questions", "candidateId": "list_candidates", "sessionId": "list_sessions", "practiceId": "list_practice_sessions"};
