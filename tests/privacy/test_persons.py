"""Who is one person, and which texts name them: spellings that nobody agreed on."""

import json
import unicodedata

import pytest

from aural_mcp.privacy.persons import Entry, Mentions, Person, meant, people_of, perhaps


def entry(identifier, name="", email="", phone="", session=None, kind="candidate"):
    return Entry(kind, identifier, "interview", name, email, phone, session=session)


def groups(*entries):
    return sorted(sorted(each.ids) for each in people_of(entries))


@pytest.mark.parametrize(
    ("entries", "same"),
    [
        ([entry("1", "A", "a@x.org"), entry("2", "B", "A@X.org ")], True),
        ([entry("1", "A", "a@x.org"), entry("2", "A", "b@x.org")], False),
        ([entry("1", "Ana", "", "0171 1234567"), entry("2", "ana ", "", "+49 171 123-45-67")], True),
        ([entry("1", "Ana", "a@x.org", "0171 1234567"), entry("2", "Ana", "", "01711234567")], True),
        ([entry("1", "李明", "", "١٢٣٤٥٦٧٨"), entry("2", "李明", "", "12345678")], True),
        ([entry("1", "Ana"), entry("2", "Ana")], False),
        ([entry("1", "Ana", "", "0171 1234567"), entry("2", "Bo", "", "0171 1234567")], False),
        ([entry("c", "X", "new@x.org", session="s"), entry("s", "X", "old@x.org", kind="session")], True),
    ],
)
def test_one_person_is_who_has_the_address_or_name_and_number(entries, same):
    assert (len(people_of(entries)) == 1) == same


def test_a_record_without_address_belongs_to_nobody_where_two_people_fit():
    number = "0171 1234567"
    three = entry("1", "Ana", "a@x.org", number), entry("2", "Ana", "b@x.org", number), entry("3", "Ana", "", number)
    assert groups(*three) == [["1"], ["2"], ["3"]]
    people = people_of(three)
    assert {each.entries[0].id for each in perhaps(people, people[0])} == {"2", "3"}


def test_an_id_comes_before_an_address_and_an_address_before_a_name():
    people = people_of([entry("x", "a@x.org", "b@x.org"), entry("y", "Ana", "a@x.org"), entry("a@x.org", "Bo")])
    assert [each.entries[0].id for each in meant(people, "a@x.org")] == ["a@x.org"]
    assert [each.entries[0].id for each in meant(people, "A@x.org")] == ["y"]
    assert meant(people, " ") == []


ZOE = Person((entry("b1946ac9-0000-4000-8000-000000000001", "Zoë Ångström", "zoe@x.org", "+46 70 123 45 67"),))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ZOË ÅNGSTRÖM said", True),
        ("Zoe Angstrom", True),
        (unicodedata.normalize("NFD", "zoë  ångström"), True),
        (json.dumps({"n": "Zoë Ångström"}), True),
        ("<zoe@x.org>", True),
        ("070-123 45 67", True),
        ("B1946AC9-0000-4000-8000-000000000001", True),
        ("Zoë Ångströmsson", False),
        ("bzoe@x.org", False),
        ("zoe@x.organic", False),
        ("70 123 45 68", False),
        ("Zoë", False),
    ],
)
def test_a_text_names_somebody_however_it_is_written(text, named):
    assert Mentions(ZOE).are_in(text) == named
    assert Mentions(ZOE).are_in_bytes(text.encode()) == named
    assert Mentions(ZOE).are_in_bytes(text.encode("utf-16")) == named


def test_a_name_in_a_script_without_spaces_is_found_in_a_sentence():
    for name, text in (("山田太郎", "面接者は山田太郎です"), ("김민준", "저는 김민준입니다"), ("李明", "我叫李明。")):
        assert Mentions(Person((entry("1", name),))).are_in(text)
    assert not Mentions(Person((entry("1", "Bo"),))).are_in("Bo and robots")
