"""A hurried candidate in each language: no cookies, a connection that goes, a clock that was announced, a person."""

import pytest
from playwright.async_api import expect

from aural_mcp.api.languages import PAGES
from aural_mcp.backend.interview.words import catalogue, counted
from conftest import ok, published
from processes import on_stdio

from .conftest import VIEWPORTS, accessible

TEXTS = {
    "en": ("Backend engineer", "Which service did you build last?", "A payment service."),
    "zh": ("后端工程师", "您最近做过哪个系统？", "支付系统。"),
    "de": ("Backend-Entwicklung", "Welchen Dienst haben Sie zuletzt gebaut?", "Einen Zahlungsdienst."),
    "fr": ("Développement back-end", "Quel service avez-vous créé en dernier ?", "Un service de paiement."),
    "es": ("Desarrollo backend", "¿Qué servicio construyó por última vez?", "Un servicio de pagos."),
    "pt": ("Desenvolvimento backend", "Qual serviço você construiu por último?", "Um serviço de pagamentos."),
    "ja": ("バックエンド開発", "最近作ったサービスは何ですか。", "決済サービスです。"),
    "ar": ("مهندس خوادم", "ما آخر خدمة بنيتها؟", "خدمة دفع."),
}
HOST = {"AURAL_ORGANIZATION": "Acme GmbH", "AURAL_CONTACT": "people@acme.example"}


def test_every_language_of_the_pages_is_journeyed():
    assert TEXTS.keys() == {*PAGES}


@pytest.mark.parametrize("viewport", VIEWPORTS)
@pytest.mark.parametrize("language", PAGES)
async def test_a_journey_without_cookies_and_offline_in_the_middle(tmp_path, without_cookies, language, viewport):
    words, (title, question, said) = catalogue(language), TEXTS[language]
    questions = [
        {"text": question, "followUpPrompts": [question + "…"], "probeThreshold": 10},
        {"text": question + "!", "timeLimitSeconds": 60},
    ]
    width, height = VIEWPORTS[viewport]
    async with on_stdio(tmp_path / "workspace", "auto", **HOST) as agent:
        made = await published(agent, questions, title=title, language=language, timeLimitMinutes=20)
        async with without_cookies(viewport={"width": width, "height": height}) as context:
            page = await context.new_page()

            async def looked_at(name):
                await accessible(page)
                await page.screenshot(path=tmp_path / f"{name}.png", full_page=True)

            await page.goto(made["url"])
            assert await page.locator("html").get_attribute("dir") == words["dir"]
            await expect(page.get_by_text(words["invited.by"].format(organization="Acme GmbH"))).to_be_visible()
            await expect(page.get_by_role("link", name="people@acme.example").first).to_be_visible()
            limit = words["how.time.questions"].format(times=counted(words, "minute", 1))
            await expect(page.get_by_text(limit)).to_be_visible()
            await looked_at("1-welcome")
            begin = page.get_by_role("button", name=words["begin"])
            await expect(begin).to_be_in_viewport()
            await page.get_by_label(words["name"]).fill("Robin Vega")
            await page.get_by_label(words["consent.rules"]).check()
            await begin.click()
            await page.wait_for_url("**/i/own/*")
            await expect(page.get_by_text(words["own.address"])).to_be_visible()
            progress = page.locator(".progress span").first
            await expect(progress).to_have_text(words["progress"].format(number=1, total=2))
            await looked_at("2-question")

            await page.get_by_label(words["your_answer"]).fill(said)
            await context.set_offline(True)
            await page.get_by_role("button", name=words["send"]).click()
            await expect(page.get_by_text(words["offline"])).to_be_visible()
            await expect(page.get_by_label(words["your_answer"])).to_have_value(said)
            await looked_at("3-offline")
            before = await page.locator("progress").get_attribute("value")
            await context.set_offline(False)
            await expect(page.locator("legend .follow")).to_have_text(words["follow_up"])
            assert float(await page.locator("progress").get_attribute("value")) > float(before)
            await expect(page.get_by_text(words["next_timed"].format(time=counted(words, "minute", 1)))).to_be_visible()

            await page.get_by_text(words["person"]).click()
            await page.get_by_label(words["email"]).fill("robin@x.example")
            await page.get_by_label(words["your_answer"]).fill(5 * said)
            await looked_at("4-person")
            await page.get_by_role("button", name=words["person.confirm"]).click()
            await expect(page.get_by_text(words["person.noted"])).to_be_visible()
            await expect(page.get_by_label(words["your_answer"])).to_have_value(5 * said)
            await looked_at("5-noted")
            await page.get_by_role("button", name=words["send"]).click()
            await expect(progress).to_have_text(words["progress"].format(number=2, total=2))
            await expect(page.get_by_role("timer")).to_have_count(2)
        rows = await ok(agent, "list_sessions", interviewId=made["id"])
    assert [(row["participantEmail"], bool(row["asksForPerson"])) for row in rows["data"]] == [
        ("robin@x.example", True)
    ]
