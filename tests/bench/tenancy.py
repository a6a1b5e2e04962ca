"""10,000 concurrent calls of 50 keys with equal ids over HTTP: answers that went to the wrong tenant (0 wanted).

    python tests/bench/tenancy.py [REPLICAS]

One server, or so many replicas that share their state in PostgreSQL.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parent.parent))
from conftest import postgresql_server
from tenants import tenants

KEYS, CALLS = 50, 200


async def main() -> int:
    replicas = int(sys.argv[1]) if sys.argv[1:] else 1
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        shared = dict[str, str]()
        if replicas > 1:
            database = stack.enter_context(postgresql_server()).database()
            shared = {"AURAL_STATE_URL": database, "AURAL_REQUESTS_PER_MINUTE": "60000"}
        begun = time.perf_counter()
        wrong, calls = await tenants(KEYS, CALLS, Path(folder), replicas, **shared)
    print(f"{calls} calls of {KEYS} keys in {time.perf_counter() - begun:.0f} s: {len(wrong)} wrong")
    print(*wrong[:3], sep="\n")
    return 0 if not wrong and calls == KEYS * CALLS else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))
