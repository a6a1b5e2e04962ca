"""`python -m aural_mcp` is the command `aural-mcp`."""

from aural_mcp.cli.main import main

main()
