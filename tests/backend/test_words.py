"""What candidates read, in every language, and how long a session took."""

import hashlib
import json
import re
import unicodedata

import pytest

from aural_mcp.api.languages import PAGES, page_language
from aural_mcp.backend.interview import sessions
from aural_mcp.backend.interview.notice import SAID, VERSION
from aural_mcp.backend.interview.words import catalogue, counted, lasting, words_for

UNITS = ("question", "minute", "second", "day")
OTHER_THAN_ENGLISH = {code: catalogue(code) for code in PAGES if code != "en"}
SCRIPTS = {"zh": "CJK", "ja": "CJK|HIRAGANA|KATAKANA", "ar": "ARABIC"}
VERSIONS = {"2026-12": "5e9b0f2c0e8ff190"}
"""What the words of each version of the notice were."""
NAMES = ("lang", "dir", "between", "minute.second")


def names_in(text):
    return set(re.findall(r"{(\w+)}", text))


def plain(words):
    """The texts that are not forms of a number."""
    return {key: text for key, text in words.items() if key.rpartition(".")[0] not in UNITS}


@pytest.mark.parametrize("language", OTHER_THAN_ENGLISH)
def test_every_language_says_everything_with_the_same_names_in_it(language):
    english, words = plain(catalogue("en")), plain(catalogue(language))
    assert words.keys() == english.keys()
    for key, text in words.items():
        assert names_in(text) == names_in(english[key]), key
        assert text.strip() or key == "between", key
    same = {key for key in words if words[key] == english[key] and key not in NAMES}
    assert same <= {"email"}


@pytest.mark.parametrize("language", SCRIPTS)
def test_what_is_written_in_another_script_is_written_in_it(language):
    for key, text in plain(catalogue(language)).items():
        if key not in NAMES:
            assert any(re.match(SCRIPTS[language], unicodedata.name(each, "")) for each in text), key


@pytest.mark.parametrize("language", PAGES)
def test_every_number_has_its_form_and_every_form_its_number(language):
    words = catalogue(language)
    for unit in UNITS:
        forms = {key for key in words if key.rpartition(".")[0] == unit and key != "minute.second"}
        said = [counted(words, unit, count) for count in range(300)]
        wanted = {words[form].format(count=count) for form in forms for count in range(300)}
        assert {*said} <= wanted
        assert all(any(words[form].format(count=count) in said for count in range(300)) for form in forms)


def test_numbers_are_said_as_people_say_them():
    said = {code: [counted(catalogue(code), "minute", count) for count in (1, 2, 5, 11, 100)] for code in PAGES}
    assert said["en"] == ["1 minute", "2 minutes", "5 minutes", "11 minutes", "100 minutes"]
    assert said["ar"] == ["دقيقة واحدة", "دقيقتان", "5 دقائق", "11 دقيقة", "100 دقيقة"]
    assert said["ja"][0] == "1分"
    times = [lasting(catalogue("en"), seconds) for seconds in (1, 45, 60, 90, 120, 150)]
    assert times == ["1 second", "45 seconds", "1 minute", "90 seconds", "2 minutes", "2 minutes 30 seconds"]


def test_codes_of_regions_scripts_and_names_lead_to_the_language():
    meant = {
        "en": ("en-GB", "EN", "eng", "English", None, ""),
        "zh": ("zh-CN", "zh-Hant", "zh_TW", "cmn", "Chinese (simplified)"),
        "de": ("de-AT", "gsw", "Deutsch"),
        "es": ("es-419", "es_MX"),
        "pt": ("pt-BR", "pt-PT"),
        "ar": ("ar-EG", "arz"),
        "fr": ("fr-CA",),
        "ja": ("ja-JP",),
    }
    for code, names in meant.items():
        assert {page_language(name) for name in names} == {code}
        assert all(words_for(name) is catalogue(code) for name in names)
    for name in ("it", "nl-BE", "der", "arrogant", "-", "日"):
        assert page_language(name) is None
        assert words_for(name) is catalogue("en")


def test_a_duration_leaves_out_pauses_longer_than_an_hour():
    times = ["2026-01-01T10:00:00+00:00", "2026-01-01T10:50:00+00:00", "2026-01-03T10:00:00+00:00"]
    times.append("2026-01-03T10:00:30.5+00:00")
    assert sessions.active_seconds(times) == 50 * 60 + 30
    assert sessions.active_seconds(times[:2]) == 50 * 60
    assert sessions.active_seconds([]) == 0


def test_the_words_of_a_notice_change_only_with_its_version():
    said = {
        language: {key: text for key, text in catalogue(language).items() if key.partition(".")[0] in SAID}
        for language in PAGES
    }
    made = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
    assert VERSIONS.get(VERSION) == made, "notice.py: the words changed: give VERSION a new name, and add it here"
