"""10,000 concurrent calls of 50 keys with equal ids over HTTP: answers that went to the wrong tenant (0 wanted).

python tests/bench/tenancy.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parent.parent))
from tenants import tenants

KEYS, CALLS = 50, 200


async def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        wrong, calls = await tenants(KEYS, CALLS, folder)
    print(f"{calls} calls of {KEYS} keys in {time.perf_counter() - begun:.0f} s: {len(wrong)} wrong")
    print(*wrong[:3], sep="\n")
    return 0 if not wrong and calls == KEYS * CALLS else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))
