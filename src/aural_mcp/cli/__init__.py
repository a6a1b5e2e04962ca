"""The commands of `aural-mcp`, and the only place where a backend meets a client."""
