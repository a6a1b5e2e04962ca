"""Messy lists imported by processes that are killed: is everybody registered once, and every wrong row named?

    python tests/bench/import.py [SEED]        about a minute

Each list has 1,200 rows, 6% of them invalid and 9% repeated; one more has 1,200 people and nothing wrong. A backend of
60 requests a minute runs beside. A process imports the list and is killed the moment the backend has carried out its
n-th POST, before it hears of it; another one repeats the call. The control repeats it without the journal.
Prints the figures and exits with 1 when one does not hold.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx
from faker import Faker
from mcp import Client

from aural_mcp.client.client import AuralClient
from aural_mcp.client.journal import Journal
from aural_mcp.client.pool import Pool
from aural_mcp.client.state import State
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from aural_mcp.workflows.lists import importing

ROWS, INVALID, REPEATED = 1200, 72, 108
CHINESE = ["姓名", "邮箱", "手机号码", "出生日期", "毕业年份", "备注", "期望薪资"]
ENGLISH = ["Full name", "E-Mail", "Mobile", "Date of birth", "Graduation year", "Notes", "Salary"]
SHAPES = {
    "UTF-8 with BOM, semicolons": ("utf-8-sig", ";", ENGLISH, "pt_PT", 1),
    "UTF-16, tabs": ("utf-16", "\t", ENGLISH, "ja_JP", 2),
    "cp1252, semicolons": ("cp1252", ";", ENGLISH, "de_DE", 3),
    "GB18030, commas, Chinese": ("gb18030", ",", CHINESE, "zh_CN", 1),
    "UTF-8, commas, CRLF": ("utf-8", ",", ENGLISH, "en_GB", 2),
}
WRONG = (
    {"email": "robin@"},
    {"email": "robin.example.org"},
    {"email": "a b@example.org"},
    {"name": "  "},
    {"birthday": "1999-02-30"},
    {"birthday": "03/04/2001"},
    {"year": "'19"},
)


@dataclass
class List:
    """A file, whom it holds, and the lines that are wrong."""

    raw: bytes
    people: set[str] = field(default_factory=set[str])
    invalid: set[int] = field(default_factory=set[int])
    repeated: set[int] = field(default_factory=set[int])


def messy(seed: int, shape: tuple[str, str, list[str], str, int]) -> List:
    """A list as it comes from people and spreadsheets."""
    encoding, delimiter, head, locale, _ = shape
    chance, fake = random.Random(seed), Faker(locale)
    fake.seed_instance(seed)
    kinds = ["invalid"] * INVALID + ["repeated"] * REPEATED + ["new"] * (ROWS - INVALID - REPEATED - 1)
    chance.shuffle(kinds)
    ends = "\r\n" if chance.random() < 0.5 else "\n"
    made, text, line, rows = List(b""), "", 1, list[dict[str, str]]()
    for number, kind in enumerate(["head", "new", *kinds]):
        row = dict(zip(ENGLISH, head, strict=True)) if kind == "head" else _row(fake, chance, number, ends)
        if kind == "repeated":
            row |= {"email": chance.choice(rows)["email"].upper()}
            made.repeated.add(line)
        elif kind == "invalid":
            row |= chance.choice(WRONG)
            made.invalid.add(line)
        elif kind == "new":
            rows.append(row)
            made.people.add(row["email"].lower())
        cells = [f" {each} " if chance.random() < 0.1 else each for each in row.values()]
        written = io.StringIO(newline="")
        csv.writer(written, delimiter=delimiter, lineterminator=ends).writerow(cells)
        blank = ends if chance.random() < 0.03 else ""
        text += written.getvalue() + blank
        line += (written.getvalue() + blank).count("\n")
    made.raw = text.encode(encoding, "replace" if encoding == "cp1252" else "strict")
    return made


def _row(fake: Faker, chance: random.Random, number: int, ends: str) -> dict[str, str]:
    notes = chance.choice(["", "", "", f'Said "yes",{ends}then; called', "a,b;c\td", fake.city()])
    birthday = fake.date_of_birth(minimum_age=20, maximum_age=60)
    forms = ["", birthday.isoformat(), birthday.strftime("%Y/%m/%d"), birthday.strftime("%Y%m%d")]
    forms += [f"{birthday.year}年{birthday.month}月{birthday.day}日"] if fake.locales[0] in ("zh_CN", "ja_JP") else []
    return {
        "name": fake.name(),
        "email": f"{fake.user_name()}.{number}@example.org",
        "phone": fake.phone_number(),
        "birthday": chance.choice(forms),
        "year": chance.choice(["", str(birthday.year + 22)]),
        "notes": notes,
        "salary": str(chance.randrange(30, 90)),
    }


def clean(people: int) -> List:
    """A list with nothing wrong."""
    rows = [f"Person {number},p{number}@example.org" for number in range(people)]
    return List("\n".join(["name,email", *rows]).encode(), {f"p{number}@example.org" for number in range(people)})


# ── A process that imports ──────────────────────────────────────────────────────────────────────


class Killing(Pool):
    """The wire of a process that dies when its n-th POST was carried out; what came back is noted in a file."""

    posts, log = 0, Path()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        await response.aread()
        with self.log.open("a") as file:
            file.write(f"{request.method} {request.url.path.rsplit('/', 1)[1]} {response.status_code}\n")
        self.posts -= request.method == "POST"
        if request.method == "POST" and self.posts == 0:
            os._exit(137)
        return response


async def child(url: str, key: str, folder: str, name: str, interview: str, posts: str, journal: str) -> None:
    """Import once and print the answer."""
    importing.SHOWN = 10_000
    if journal == "without":
        Journal.done = lambda self, items: {}
        Journal.note = lambda self, items: None
        Journal.claim = lambda self, items, known: True
    wire = Killing()
    wire.posts, wire.log = int(posts), Path(folder) / "requests.log"
    client = AuralClient(key, url, transport=wire, state=State(lambda: Path(folder) / "state.db"))
    server = AuralServer(OneClient(client), backend="T.", confirm="never", files=Path(folder))
    async with Client(server, read_timeout_seconds=90) as agent:
        given = {"interviewId": interview, "file": name, "dryRun": False}
        answer = await agent.call_tool("import_candidates", given)
    print(json.dumps(answer.structured_content or {"error": answer.content[0].text}))


def run(*arguments: object) -> dict[str, object] | None:
    """What the process answers; None where it was killed."""
    command = [sys.executable, __file__, "--child", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    return None if done.returncode == 137 else json.loads(done.stdout or json.dumps({"error": done.stderr}))


# ── Figures ─────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Bench:
    """A backend, and what was found wrong."""

    url: str
    key: str
    folder: Path
    wrong: list[str] = field(default_factory=list[str])

    def interview(self) -> str:
        headers = {"authorization": f"Bearer {self.key}"}
        made = httpx.post(f"{self.url}/interviews", json={"title": "T"}, headers=headers, trust_env=False)
        return made.json()["data"]["id"]

    def registered(self, interview: str) -> Counter[str]:
        with sqlite3.connect(self.folder / "workspace.db") as db:
            query = 'select email from candidates where "interviewId" = ?'
            return Counter(email for (email,) in db.execute(query, (interview,)))

    def check(self, what: str, holds: bool) -> None:
        if not holds:
            self.wrong.append(what)

    def killed(self, title: str, made: List, posts: int) -> None:
        """Import, be killed, repeat: everybody once, every line named, three POSTs."""
        begun, here, interview = time.perf_counter(), Path(tempfile.mkdtemp(dir=self.folder)), self.interview()
        (here / "list.csv").write_bytes(made.raw)
        given = (self.url, self.key, here, "list.csv", interview)
        self.check(f"{title}: was not killed", run(*given, posts, "with") is None)
        between = self.registered(interview).total()
        answer = run(*given, 0, "with") or {}
        while answer.get("remaining"):
            answer = run(*given, 0, "with") or {}
        again = run(*given, 0, "with") or {}
        there, requests = self.registered(interview), (here / "requests.log").read_text().splitlines()
        lines = {row["line"]: row.get("field") for row in answer.get("problems", [])}
        named = {line for line, name in lines.items() if name}, {line for line, name in lines.items() if not name}
        sent = sum(each.startswith("POST") for each in requests)
        refused = sum(each.endswith("429") for each in requests)
        twice, missing = there.total() - len(there), len(made.people - there.keys())
        for what, holds in {
            f"{answer.get('error')}": "error" not in answer,
            "somebody twice": not twice,
            "somebody missing or too many": there.keys() == made.people,
            "invalid lines": named[0] == made.invalid,
            "repeated lines": named[1] == made.repeated,
            "more than three POSTs": sent <= 3,
            "a 429": not refused,
            "repeating did something": again.get("registered") == 0,
        }.items():
            self.check(f"{title}: {what}", holds)
        print(
            f"{title}: killed after POST {posts} with {between:,} there; repeated: {len(there):,} of "
            f"{len(made.people):,} once, {missing} missing, {twice} twice; {len(named[0] & made.invalid)} of "
            f"{len(made.invalid)} invalid and {len(named[1] & made.repeated)} of {len(made.repeated)} repeated lines "
            f"named; {sent} POSTs, {refused} times 429; {time.perf_counter() - begun:.1f} s"
        )

    def control(self, made: List) -> None:
        """The same without the journal, when the ledger has forgotten."""
        here, interview = Path(tempfile.mkdtemp(dir=self.folder)), self.interview()
        (here / "list.csv").write_bytes(made.raw)
        given = (self.url, self.key, here, "list.csv", interview, 0, "without")
        run(*given)
        with sqlite3.connect(here / "state.db") as db:
            db.execute("delete from creates")
        run(*given)
        there = self.registered(interview)
        twice = there.total() - len(there)
        print(f"control, repeated without the journal: {twice} of {len(made.people):,} people twice")
        self.check("the control found nothing", twice > 0)


def main(seed: int) -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        environment = {**os.environ, "AURAL_DATA_DIR": name}
        command = [sys.executable, "-u", "-m", "aural_mcp", "backend", "--port", str(port)]
        backend = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            key = re.search(r"dlv_\w+", backend.stdout.readline() + backend.stdout.readline())[0]
            bench = Bench(f"http://127.0.0.1:{port}/api/v1", key, Path(name))
            for title, shape in SHAPES.items():
                bench.killed(title, messy(seed, shape), shape[-1])
            for posts in (1, 2, 3):
                bench.killed("1,200 people, nothing wrong", clean(1200), posts)
            bench.control(clean(1200))
        finally:
            backend.terminate()
            backend.wait()
    print("\n".join(f"WRONG {each}" for each in bench.wrong) or "all of it holds")
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        anyio.run(child, *sys.argv[2:])
    else:
        sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 1))
