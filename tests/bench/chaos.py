"""What a wire that loses things costs, and that nothing is lost, wrong, stuck or done twice.

    python tests/bench/chaos.py [CALLS] [CREATES]

10,000 mixed calls through the fault-injecting proxy (5% of resets, truncated bodies and 5xx in all, 2% 429)
beside the same calls without faults; then 2,000 creates with 10% "done, then the answer dropped", each made
again, beside the same without the ledger. About five minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parent.parent))
from chaos import Rates
from soak import TRUST, reissued, soak

MOST = 1.15


async def main() -> int:
    calls, creates = (int(text) for text in [*sys.argv[1:], "10000", "2000"][:2])
    control = await soak(calls, Rates(), seed=7)
    tally = await soak(calls, TRUST, seed=7)
    ratio = tally.requests / control.requests
    for name, each in (("no faults", control), ("faults", tally)):
        print(f"{name:10} {each.calls} calls, {each.requests} requests, {each.seconds:.0f} s, {dict(each.outcomes)}")
    print(
        f"lost {len(tally.lost)}, wrong {len(tally.wrong)}, stuck {tally.stuck}; requests {ratio:.3f} (at most {MOST})"
    )
    print(*tally.lost[:5], *tally.wrong[:5], sep="\n")
    rates = Rates(done_then_drop=0.1)
    twice = await reissued(creates, rates, seed=7, ledger=True)
    without = await reissued(creates, rates, seed=7, ledger=False)
    print(f"{creates} creates made again: {twice} there too often; without the ledger {without}")
    good = not tally.lost and not tally.wrong and not tally.stuck and ratio <= MOST and twice == 0 < without
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))
