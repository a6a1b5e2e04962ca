"""Which backend is chosen, and what is said about settings that cannot be used."""

import pytest

from aural_mcp.cli.main import commands
from aural_mcp.cli.setup import backend_sentence
from aural_mcp.config import CLOUD, VARIABLES, BadSetting, read_settings


@pytest.mark.parametrize(
    ("environment", "embedded", "key", "base_url"),
    [
        ({}, True, None, CLOUD),
        ({"AURAL_API_KEY": ""}, True, None, CLOUD),
        ({"AURAL_API_KEY": "${AURAL_API_KEY}"}, True, None, CLOUD),
        ({"AURAL_API_KEY": " dlv_test_1 "}, False, "dlv_test_1", CLOUD),
        ({"AURAL_API_KEY": "dlv_test_1", "AURAL_BASE_URL": "https://a.test/api/v1/"}, False, "dlv_test_1", "https://a.test/api/v1"),
        ({"AURAL_API_KEY": "dlv_test_1", "AURAL_BASE_URL": "http://127.0.0.1:8410/api/v1"}, False, "dlv_test_1", "http://127.0.0.1:8410/api/v1"),
    ],
)  # fmt: skip
def test_a_key_means_relay_and_no_key_means_this_computer(environment, embedded, key, base_url):
    settings = read_settings(environment)
    assert (settings.embedded, settings.api_key, settings.base_url) == (embedded, key, base_url)
    assert settings.problem == ""
    assert "dlv_" not in repr(settings)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"AURAL_BASE_URL": "https://a.test/api/v1"}, "AURAL_BASE_URL is set but there is no key"),
        ({"AURAL_API_KEY": "sk_live"}, "AURAL_API_KEY does not hold an Aural key"),
        ({"AURAL_API_KEY_FILE": "/nowhere/key"}, "/nowhere/key, which cannot be read"),
    ],
)
def test_half_a_setting_is_a_problem_never_a_silent_switch(environment, says):
    settings = read_settings(environment)
    assert says in settings.problem
    assert not settings.embedded
    assert says in backend_sentence(settings)


def test_the_key_may_stand_in_a_file(tmp_path):
    file = tmp_path / "key"
    file.write_text("dlv_test_file\n")
    assert read_settings({"AURAL_API_KEY_FILE": str(file)}).api_key == "dlv_test_file"


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"AURAL_BASE_URL": "http://a.test/api/v1"}, "AURAL_BASE_URL must be https"),
        ({"AURAL_BASE_URL": "ftp://a.test"}, "AURAL_BASE_URL must look like"),
        ({"AURAL_BASE_URL": "https://user@a.test"}, "AURAL_BASE_URL must look like"),
        ({"AURAL_PUBLIC_URL": "a.test"}, "AURAL_PUBLIC_URL must look like"),
        ({"AURAL_PAGE_PORT": "http"}, "AURAL_PAGE_PORT must be a whole number from 0 to 65535"),
        ({"AURAL_REQUESTS_PER_MINUTE": "-1"}, "AURAL_REQUESTS_PER_MINUTE must be a whole number"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(environment, says):
    with pytest.raises(BadSetting, match=says):
        read_settings(environment)


@pytest.mark.parametrize("name", [each.names for each in VARIABLES if each.flag and each.names != "AURAL_FILES"])
@pytest.mark.parametrize("text", ["${READ_ONLY}", "${env:BLIND}", "${GUARD:-1}", " ${input:guard} "])
def test_a_guard_that_was_not_filled_in_is_refused_and_never_off_without_a_word(name, text):
    with pytest.raises(BadSetting, match=f"{name} is still"):
        read_settings({name: text})


@pytest.mark.parametrize("name", ["AURAL_READ_ONLY", "AURAL_BLIND"])
def test_a_guard_that_a_host_asked_for_and_nobody_answered_is_off(name):
    assert read_settings({name: "${user_config.guard}"}).narrowing == read_settings({}).narrowing


class Asked(dict):
    """An environment in which nothing is set, and which notes what it is asked for."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def get(self, name, default=None):
        self.names.add(name)
        return default


def test_every_setting_that_is_read_is_in_the_table_and_its_flag_is_one_of_serve():
    environment = Asked()
    read_settings(environment)
    listed = {name for each in VARIABLES for name in each.names.split(", ")}
    assert environment.names | {"AURAL_LLM_API_KEY"} == listed
    flags = {option for parameter in commands().commands["serve"].params for option in parameter.opts}
    assert {each.flag for each in VARIABLES if each.flag} <= flags
