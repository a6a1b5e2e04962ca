"""The recruiter's desk: pages for a person's own browser, on this computer, that show what the tools show."""

from aural_mcp.server.desk.app import Desk, serve
from aural_mcp.server.desk.pages import Door

__all__ = ["Desk", "Door", "serve"]
