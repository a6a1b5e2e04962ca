"""Somebody lets an application in, in a real browser: by keyboard, on a narrow screen, and back at the application."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.async_api import expect

from companies import at_a_company
from signing import asking, redeem, register, served

from .conftest import accessible

HOSTILE = '<img src=x onerror="alert(1)">' + "w" * 200


@pytest.fixture
async def place(tmp_path):
    async with served(tmp_path) as (url, key):
        yield url.removesuffix("/mcp"), key


@pytest.fixture
async def application():
    """A program that listens for its answer: where it does, and what came."""
    came = asyncio.Queue()

    async def serve(reader, writer):
        came.put_nowait((await reader.readuntil(b"\r\n\r\n")).decode().split(" ")[1])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 7\r\n\r\nYou may")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callback", came


@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), (1280, "light")])
async def test_somebody_lets_an_application_in_and_is_led_back_to_it(browser, place, application, width, scheme):
    (origin, key), (redirect, came) = place, application
    async with httpx.AsyncClient(base_url=origin, trust_env=False) as http:
        client = await register(http, "http://127.0.0.1/callback", client_name=HOSTILE)
        context = await browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page, problems = await context.new_page(), []
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(origin + asking(client, redirect_uri=redirect, scope="aural:read aural:write"))
        await expect(page.get_by_text("It asks for this")).to_be_visible()
        await accessible(page)
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        field = page.get_by_label("Your Aural API key")
        await expect(field).to_be_focused()
        await expect(page.get_by_text("a program on this computer")).to_be_visible()
        await expect(page.get_by_label("Read only")).to_be_checked()
        await field.fill("dlv_test_wrong")
        await page.get_by_label("Read and change").check()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("not accepted")
        await accessible(page)
        assert await field.input_value() == ""
        await expect(page.get_by_label("Read and change")).to_be_checked()
        await field.fill(f" “{key}” ")
        await page.get_by_role("button", name="Let it in").click()
        await expect(page.get_by_text("You may")).to_be_visible()
        answered = {name: values[0] for name, values in parse_qs(urlsplit(await came.get()).query).items()}
        assert (answered["iss"], answered["state"]) == (origin, "state-of-the-host")
        got = (await redeem(http, client, answered["code"], redirect_uri=redirect)).json()
        assert got["scope"] == "aural:read aural:write"
        assert key not in page.url + await page.content()
        await page.goto(origin + asking(client, redirect_uri=redirect))
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.get_by_text("You may")).to_be_visible()
        assert "error=access_denied" in page.url
        await page.goto(origin + asking(client, redirect_uri="https://attacker.example/"))
        await accessible(page)
        await expect(page.get_by_role("heading", name="This cannot be answered")).to_be_visible()
        assert problems == []
        await context.close()


async def test_somebody_signs_in_at_their_company_sees_who_they_are_and_is_led_back(browser, tmp_path, application):
    redirect, came = application
    async with at_a_company(tmp_path) as company:
        origin = company.url.removesuffix("/mcp")
        async with httpx.AsyncClient(base_url=origin, trust_env=False) as http:
            client = await register(http, "http://127.0.0.1/callback", client_name="Recruiting agent")
            context = await browser.new_context(viewport={"width": 320, "height": 800})
            page = await context.new_page()
            await page.goto(origin + asking(client, redirect_uri=redirect))
            assert page.url.startswith(company.issuer)
            await page.locator("[name=login]").fill("dana")
            await page.locator("[name=password]").fill("x")
            await page.get_by_role("button", name="Sign-in").click()
            await page.get_by_role("button", name="Continue").click()
            await expect(page.get_by_text("dana@acme.example")).to_be_visible()
            await expect(page.get_by_text("recruiter")).to_be_visible()
            await expect(page.get_by_label("Your Aural API key")).to_have_count(0)
            await accessible(page)
            assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            await page.get_by_role("button", name="Let it in").click()
            await expect(page.get_by_text("You may")).to_be_visible()
            answered = {name: values[0] for name, values in parse_qs(urlsplit(await came.get()).query).items()}
            got = (await redeem(http, client, answered["code"], redirect_uri=redirect)).json()
            assert got["scope"] == "aural:read"
            await context.close()
