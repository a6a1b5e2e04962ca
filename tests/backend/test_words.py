"""The catalogue of what candidates read, and how long a session took."""

import re

from aural_mcp.backend.interview import sessions
from aural_mcp.backend.interview.words import CATALOGUE, words_for


def test_every_language_of_the_catalogue_is_complete():
    english = CATALOGUE["en"]
    for language, words in CATALOGUE.items():
        assert words.keys() == english.keys(), language
        for key, text in words.items():
            assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", english[key])), (language, key)
    assert words_for("zh-CN") is CATALOGUE["zh"]
    assert words_for("fr") is words_for(None) is english


def test_a_duration_leaves_out_pauses_longer_than_an_hour():
    times = ["2026-01-01T10:00:00+00:00", "2026-01-01T10:50:00+00:00", "2026-01-03T10:00:00+00:00"]
    times.append("2026-01-03T10:00:30.5+00:00")
    assert sessions.active_seconds(times) == 50 * 60 + 30
    assert sessions.active_seconds(times[:2]) == 50 * 60
    assert sessions.active_seconds([]) == 0
