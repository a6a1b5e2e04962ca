"""A small call by somebody who signed in, beside one with a key in its header: interleaved, on one server over HTTP.

python tests/bench/sign_in.py [CALLS]        medians in milliseconds, and their ratio
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))
from signing import BACK, asking, lets_in, redeem, register, served

CALL: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_usage"}}
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}


async def token_for(url: str, key: str) -> str:
    """An access token of somebody who gave this key."""
    async with httpx.AsyncClient(base_url=url.removesuffix("/mcp"), trust_env=False) as http:
        client = await register(http, BACK)
        back = await lets_in(str(http.base_url.join(asking(client))), key)
        (code,) = parse_qs(urlsplit(back).query)["code"]
        return (await redeem(http, client, code)).json()["access_token"]


async def main() -> int:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    with tempfile.TemporaryDirectory() as folder:
        async with served(Path(folder), "--header-keys", AURAL_REQUESTS_PER_MINUTE="0") as (url, key):
            times: dict[str, list[float]] = {"key": [], "token": []}
            bearers = {"key": key, "token": await token_for(url, key)}
            async with httpx.AsyncClient(headers=HEADERS, trust_env=False, timeout=60) as http:
                for number in range(calls + 50):
                    for name, bearer in bearers.items():
                        begun = time.perf_counter()
                        answer = await http.post(url, json=CALL, headers={"authorization": f"Bearer {bearer}"})
                        took = time.perf_counter() - begun
                        if 'isError":true' in answer.text or answer.status_code != 200:
                            sys.exit(answer.text[:300])
                        if number >= 50:
                            times[name].append(took * 1_000)
    medians = {name: statistics.median(each) for name, each in times.items()}
    print(
        f"key {medians['key']:.2f} ms, token {medians['token']:.2f} ms: {medians['token'] / medians['key']:.2f} times"
    )
    return 0


if __name__ == "__main__":
    sys.exit(anyio.run(main))
