"""How long a host waits for `initialize` and for `tools/list`, beside a bare MCPServer with one tool, in one run.

    python tests/bench/start.py

Medians of 7 launches each, taken in turn, so that whatever else the machine does falls on all alike.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

BARE = """
from mcp.server.mcpserver import MCPServer
mcp = MCPServer("bare")
@mcp.tool()
def ping() -> str:
    "Ping."
    return "pong"
mcp.run()
"""
LAUNCHES = 7
OURS = [sys.executable, "-c", "import sys; sys.argv = ['aural-mcp']; from aural_mcp.cli.main import main; main()"]
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


def launch(command: list[str], settings: dict[str, str]) -> tuple[float, float]:
    """Seconds from the launch to the answers of `initialize` and `tools/list`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AURAL_")}
    begun = time.perf_counter()
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=kept | settings) as process:
        greeted = answered(process, begun, {"id": 1, "method": "initialize", "params": HELLO})
        process.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        listed = answered(process, begun, {"id": 2, "method": "tools/list"})
        process.stdin.close()
        process.wait(20)
    return greeted, listed


def answered(process: subprocess.Popen[bytes], begun: float, message: dict[str, object]) -> float:
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if b'"result"' not in line:
        raise SystemExit(f"no result: {line!r}")
    return time.perf_counter() - begun


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        servers = {
            "bare MCPServer": ([sys.executable, "-c", BARE], {}),
            "aural-mcp, with a key": (OURS, {"AURAL_API_KEY": "dlv_test_bench"}),
            "aural-mcp, embedded": (OURS, {"AURAL_DATA_DIR": folder, "AURAL_PAGE_PORT": "0"}),
        }
        for server in servers.values():
            launch(*server)
        times = {name: [] for name in servers}
        for _ in range(LAUNCHES):
            for name, server in servers.items():
                times[name].append(launch(*server))
    floor = statistics.median(greeted for greeted, _ in times["bare MCPServer"])
    print(f"{'':24}{'initialize':>12}{'ratio':>8}{'tools/list':>12}")
    for name, taken in times.items():
        greeted, listed = (statistics.median(each) for each in zip(*taken, strict=True))
        print(f"{name:24}{greeted * 1000:9.0f} ms{greeted / floor:8.2f}{listed * 1000:9.0f} ms")


if __name__ == "__main__":
    main()
