"""All of it as one Model Context Protocol server, on stdio and over HTTP (`web/`)."""
