"""Malformed input: whether a server ends, answers wrongly, speaks of an internal error, or grows.

    python tests/bench/frames.py [LINES] [REQUESTS]

10,000 malformed lines on stdio, half in each generation of the protocol, and 5,000 malformed HTTP requests, with a
valid call after each 100 of them; then the same to a bare MCPServer with one tool, the control. Memory is flat if
there is at most 1.15 times as much of it in the end as after a fifth. Three minutes.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from frames import LEGACY, MODERN, OURS, OURS_HTTP, Report, on_stdio, over_http

SEED, FLAT = 8, 1.15
BARE = """
import logging, sys, uvicorn
from mcp.server.mcpserver import MCPServer
logging.basicConfig()  # as we log: the SDK's own handler lays out a traceback in a box, which takes minutes
server = MCPServer("bare", log_level="ERROR")
@server.tool()
def get_usage() -> str:
    return "none"
if sys.argv[1:]:
    app = server.streamable_http_app(stateless_http=True, json_response=True)
    uvicorn.run(app, port=0, http="h11", access_log=False)
else:
    server.run()
"""
SERVERS = {"aural-mcp": (OURS, OURS_HTTP), "bare MCPServer": (["-c", BARE], ["-c", BARE, "http"])}


def shown(name: str, report: Report) -> bool:
    """Print what came of it as one line; whether there is no trouble, and memory is flat."""
    memory = report.memory or [0]
    start, fifth, end = (kib / 1024 for kib in (memory[0], memory[len(memory) // 5], memory[-1]))
    good = not report.troubles and end <= FLAT * fifth
    errors = sum(count for status, count in report.statuses.items() if status and status >= 500)
    print(
        f"{name:28}{report.sent:6}{report.probes:8}{len(report.crashes):9}{len(report.wrong):7}"
        f"{len(report.internal):10}{errors:5}{start:9.0f}{fifth:6.0f}{end:6.0f} MiB  {'ok' if good else 'NOT KEPT'}",
        flush=True,
    )
    return good


def main() -> int:
    count, requests = (int(text) for text in [*sys.argv[1:], "10000", "5000"][:2])
    half, often = count // 2, max(1, min(100, count // 100, requests // 50))
    print(f"{'':28}  sent  probes  crashes  wrong  internal  5xx  memory: start, 20%, end")
    good, troubles = dict[str, bool](), list[str]()
    for server, (stdio, http) in SERVERS.items():
        reports = {
            LEGACY: asyncio.run(on_stdio(stdio, SEED, half, modern=False, every=often)),
            MODERN: asyncio.run(on_stdio(stdio, SEED, half, modern=True, every=often)),
            "HTTP": over_http(http, SEED, requests, every=often),
        }
        kept = [shown(f"{server}, {name}", report) for name, report in reports.items()]
        good[server] = all(kept)
        troubles += [f"{server}: {trouble}" for report in reports.values() for trouble in report.troubles[:5]]
    print(*troubles, sep="\n")
    return 0 if good["aural-mcp"] else 1


if __name__ == "__main__":
    sys.exit(main())
