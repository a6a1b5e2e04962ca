"""Replicas under fire: creates sent twice, launches and imports killed, PostgreSQL gone; nothing twice, nothing lost.

    python tests/bench/replicas_kill.py [CREATES] [KILLS] [AWAY]     2,000, 20 and 20 s; about ten minutes

Four replicas with one state in PostgreSQL, in front of one backend. Exit code 1 where something does not hold.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).parents[1]))
from conftest import postgresql_server
from fleet import LIST, PEOPLE, ROLES, Fleet, Outage, fleet

REPLICAS, KILLS_OF_A_LIST = 4, 2


async def creates(there: Fleet, number: int) -> list[str]:
    """Each create reaches two replicas."""
    return await there.sent_twice(number, seed=7)


async def launch(there: Fleet, kills: int) -> list[str]:
    """30 interviews, and replicas killed in it."""
    answers = await there.killed(kills, 11, max(1, 90 // (2 * kills)), "launch_interviews", interviews=ROLES)
    titles, half = there.titles(), there.half_made()
    wrong = [f"{each['title']}: {titles[each['title']]} times" for each in ROLES if titles[each["title"]] != 1]
    wrong += [f"{each['title']} is half made" for each in ROLES if each["title"] in half]
    return wrong + unaccounted(answers, len(ROLES), lambda said: len(said["data"]))


async def lists(there: Fleet, kills: int) -> list[str]:
    """1,200 people, and replicas killed in it; a new list when nothing is left to be killed in."""
    wrong = list[str]()
    for number in range(0, kills, KILLS_OF_A_LIST):
        interview = (await there.ok(0, "create_interview", title=f"Clerk {number}"))["id"]
        given = {"interviewId": interview, "data": LIST, "dryRun": False}
        answers = await there.killed(min(KILLS_OF_A_LIST, kills - number), number, 1, "import_candidates", **given)
        found = there.registered(interview)
        people = {f"p{each}@x.org" for each in range(PEOPLE)}
        wrong += [f"{who}: {found[who]} times" for who in {*found, *people} if found[who] != 1]
        wrong += unaccounted(answers, PEOPLE, people_in)
    return wrong


def people_in(said: dict[str, Any]) -> int:
    """How many people an import speaks of."""
    return sum(said.get(name, 0) for name in ("registered", "alreadyRegistered", "remaining", "uncertain"))


def unaccounted(answers: list[dict[str, Any]], items: int, counted: Callable[[dict[str, Any]], int]) -> list[str]:
    """The answers that do not say of every item what became of it."""
    whole = [each["structuredContent"] for each in answers if "structuredContent" in each]
    return [f"{counted(each)} of {items} accounted for" for each in whole if counted(each) != items]


async def main() -> int:
    number, kills, away = (int(text) for text in [*sys.argv[1:], "2000", "20", "20"][:3])
    wrong = list[str]()
    with tempfile.TemporaryDirectory() as folder, postgresql_server() as server:
        async with fleet(Path(folder), server, REPLICAS) as there:
            for name, drill, times in (
                ("create", creates, number),
                ("launch", launch, kills),
                ("import", lists, kills),
            ):
                begun, cut = time.monotonic(), there.cut
                found = await drill(there, times)
                took, died = time.monotonic() - begun, there.cut - cut
                print(
                    f"{name:8} {times}: {len(found)} wrong, {died} calls died with a replica, {took:.0f} s", flush=True
                )
                wrong += found
            outage = Outage(there)
            await outage.run(server, away)
            wrong += outage.wrong
            print(f"PostgreSQL away for {away} s: {len(outage.wrong)} wrong, no call over {outage.longest:.1f} s")
            print(*sorted(outage.heard), sep="\n")
    print(*wrong[:10], sep="\n")
    return 1 if wrong or outage.longest > 45 else 0


if __name__ == "__main__":
    sys.exit(anyio.run(main))
