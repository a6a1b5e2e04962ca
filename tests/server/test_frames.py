"""Malformed input, a small share of what tests/bench/frames.py sends: nothing ends, hangs or spoils what follows."""

import pytest

from frames import (
    KINDS,
    OURS,
    OURS_HTTP,
    PROBE,
    REQUEST_KINDS,
    Host,
    call,
    encoded,
    lines,
    on_stdio,
    over_http,
    requests,
    tool,
)

GENERATIONS = pytest.mark.parametrize("modern", [False, True], ids=["2025-11-25", "2026-07-28"])
LONG, MANY = 200_000, 50_000
NO_NAME = "a" * LONG + "!"
COSTLY = {
    "a tool's name": tool(NO_NAME),
    "an argument's name": tool("get_usage", **{NO_NAME: 1}),
    "an argument's name inside a list": tool("create_questions", questions=[{NO_NAME: 1}]),
    "many arguments": tool("get_usage", **{f"{number}": 1 for number in range(MANY)}),
    "many wrong items": tool("create_interview", title="T", assessmentCriteria=[1] * MANY),
    "a prompt's name": call("prompts/get", name=NO_NAME),
    "a prompt argument's name": call("prompts/get", name="design_interview", arguments={NO_NAME: "x"}),
    "an address": call("resources/read", uri=f"aural://{NO_NAME}"),
    "what is to be completed": call(
        "completion/complete",
        ref={"type": "ref/prompt", "name": "review_session"},
        argument={"name": "sessionId", "value": NO_NAME},
    ),
}


@GENERATIONS
async def test_malformed_lines_end_no_process_and_spoil_no_answer(modern):
    report = await on_stdio(OURS, seed=1, count=300, modern=modern, every=25)
    assert report.troubles == []
    assert (report.sent, report.probes) == (300, 12)


def test_malformed_requests_are_no_server_error_and_spoil_no_answer():
    report = over_http(OURS_HTTP, seed=1, count=200, every=25)
    assert report.troubles == []
    assert (report.sent, report.probes) == (200, 16)
    assert len(report.statuses) > 5


async def test_a_host_that_need_not_say_hello_may_begin_with_a_call():
    async with Host(OURS, modern=True) as host:
        assert "result" in await host.ask(PROBE)


async def test_what_is_costly_to_look_at_is_refused_at_once_and_not_at_greater_length():
    extra = {}
    async with Host(OURS, modern=False) as host:
        for what, message in COSTLY.items():
            answer = await host.ask(message)  # what grows with the square takes minutes, and is not waited for
            extra[what] = len(encoded(answer, 0, modern=False)) - len(encoded(message, 0, modern=False))
        assert "result" in await host.ask(PROBE)
    assert [what for what, more in extra.items() if more > 5_000] == []


@GENERATIONS
def test_the_same_seed_makes_the_same_lines_and_every_kind_of_them(modern):
    made = list(lines(7, 100, modern=modern))
    assert made == list(lines(7, 100, modern=modern))
    assert {kind for kind, _ in made} == set(KINDS)
    assert not [line for _, line in made if b"\n" in line]


def test_the_same_seed_makes_the_same_requests_and_every_kind_of_them():
    made = list(requests(7, 100))
    assert made == list(requests(7, 100))
    assert {kind for kind, _ in made} == set(REQUEST_KINDS)
