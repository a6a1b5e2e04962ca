"""A blind export from a server that names people: no name, no address and no key to either is in it."""

import json

import pytest
from mcp import Client

from aural_mcp.privacy.exposure import Exposure
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import ok, refused, text_of
from scored import QUESTIONS, SAID, even, interview_with, sit


@pytest.fixture
async def reader(world):
    async with Client(world.server) as connected:
        yield connected


async def wanda(agent, world):
    interview = await interview_with(agent)
    turns = [turn for text in QUESTIONS for turn in (text, f"I am Wanda Kowalska. {SAID}")]
    more = {"summary": "Wanda Kowalska knows queues.", "participantEmail": "wanda@x.test"}
    return interview, sit(world, interview, "Wanda Kowalska", even(8), turns, **more)


@pytest.mark.parametrize("kind", ["markdown", "csv", "json"])
async def test_a_server_that_names_people_exports_blind_when_asked_and_goes_on_naming(reader, world, kind):
    interview, session = await wanda(reader, world)
    given = {"interviewId": interview, "format": kind}
    result = await reader.call_tool("export_results", {**given, "blind": True})
    exported = result.structured_content
    for secret in ("Wanda", "Kowalska", "wanda", session):
        assert secret not in exported["content"], secret
    assert "Wanda" not in text_of(result)
    assert "Candidate " in exported["content"]
    assert (exported["names"], exported.get("address")) == ("blind", None)
    assert any(each.startswith("Blind: names are pseudonyms") for each in exported["remarks"])
    assert "Wanda Kowalska" in (await ok(reader, "export_results", **given))["content"]
    async with Client(AuralServer(OneClient(world.client), backend="T.", exposure=Exposure(blind=True))) as agent:
        told = (await ok(agent, "export_results", **given))["content"]
    name = told[told.index("Candidate ", told.index("blind") if kind == "markdown" else 0) :][:16]
    assert name in exported["content"]


async def test_where_words_are_locked_blind_loosens_nothing(reader, world):
    interview, _ = await wanda(reader, world)
    async with Client(AuralServer(OneClient(world.client), backend="T.", exposure=Exposure(lockdown=True))) as agent:
        for blind in (True, False):
            exported = await ok(agent, "export_results", interviewId=interview, format="json", blind=blind)
            assert exported["names"] == "lockdown"
            assert "4,000 messages" not in exported["content"]
    async with Client(AuralServer(OneClient(world.client), backend="T.", exposure=Exposure(blind=True))) as agent:
        exported = await ok(agent, "export_results", interviewId=interview, format="json", blind=False)
    assert (exported["names"], "Wanda" in exported["content"]) == ("blind", False)


async def test_what_is_too_long_or_was_not_read_leads_to_no_name_either(reader, world):
    interview = await interview_with(reader)
    for number in range(20):
        sit(world, interview, f"Person {number}", even(8), summary="Long. " * 400)
    exported = await ok(reader, "export_results", interviewId=interview, blind=True)
    assert exported.get("content") is None
    assert exported.get("address") is None
    assert not any("resource" in each for each in exported["remarks"])


async def test_a_blind_packet_is_refused_with_the_next_step(reader, world):
    interview, session = await wanda(reader, world)
    given = {"interviewId": interview, "candidateId": session, "form": "packet", "blind": True}
    assert "Leave blind out, or use form results" in await refused(reader, "export_results", given)


async def test_a_blind_file_has_the_scores(reader, world):
    interview, _ = await wanda(reader, world)
    exported = await ok(reader, "export_results", interviewId=interview, format="json", blind=True)
    row = json.loads(exported["content"])["candidates"][0]
    assert (row["sessionId"], [each["score"] for each in row["scores"]]) == ("", [8] * 9)
