"""`python -m aural_mcp` is the command `aural-mcp`."""

from aural_mcp.cli import main

main()
