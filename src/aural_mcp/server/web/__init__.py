"""MCP over HTTP, fit to be exposed. From the socket inwards: `server`, `app`, `flights`, then the SDK's own app.

`server` bounds what never becomes a request, and stops in order; `app` answers probes, bounds requests and
logs them; `flights` counts who has how much in flight; the SDK checks hosts and origins and speaks MCP.
"""

from aural_mcp.server.web.app import Web, application
from aural_mcp.server.web.server import listen, serve
from aural_mcp.server.web.tracing import set_up_tracing

__all__ = ["Web", "application", "listen", "serve", "set_up_tracing"]
