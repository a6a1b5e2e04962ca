"""Messages to candidates: what they say, to whom each goes, that none goes twice, and the operator's SMTP server."""
