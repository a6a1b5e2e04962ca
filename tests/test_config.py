"""Which backend is chosen, and what is said about settings that cannot be used."""

import pytest

from aural_mcp.cli.main import commands
from aural_mcp.cli.setup import backend_sentence
from aural_mcp.config import CLOUD, BadSetting, read_settings
from aural_mcp.server.access import access
from aural_mcp.server.sign_in.settings import read_company
from aural_mcp.variables import VARIABLES
from aural_mcp.workflows.mail.settings import read_mail
from processes import aural_mcp


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
        ({"AURAL_PUBLIC_URL": "https://a.test/aural/"}, "AURAL_PUBLIC_URL must look like https://host: cand"),
        ({"AURAL_PAGE_PORT": "http"}, "AURAL_PAGE_PORT must be a whole number from 0 to 65535"),
        ({"AURAL_REQUESTS_PER_MINUTE": "-1"}, "AURAL_REQUESTS_PER_MINUTE must be a whole number"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(environment, says):
    with pytest.raises(BadSetting, match=says):
        read_settings(environment)


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
    read_mail(environment)
    with pytest.raises(BadSetting):
        read_company(environment)
    listed = {name for each in VARIABLES for name in each.names.split(", ")}
    assert environment.names | {"AURAL_LLM_API_KEY"} == listed
    flags = {option for parameter in commands().commands["serve"].params for option in parameter.opts}
    assert {each.flag for each in VARIABLES if each.flag} <= flags


GUARDS = ("READ_ONLY", "BLIND", "LOCKDOWN", "CONFIRM", "TOOLSETS", "TOOLS", "EXCLUDE_TOOLS")


@pytest.mark.parametrize("name", [f"AURAL_{each}" for each in GUARDS])
@pytest.mark.parametrize(
    "text", ["${READ_ONLY}", " ${user_config.x} ", "${}", "${A}${B}", "${A:-1}", "$READ_ONLY", "%A%"]
)
def test_a_guard_that_nobody_filled_in_stops_the_start(name, text):
    with pytest.raises(BadSetting, match="(?i)" + name.removeprefix("AURAL_").replace("_", "[-_]")):
        access(read_settings({name: text}).narrowing)


@pytest.mark.parametrize("name", ["AURAL_API_KEY", "AURAL_BASE_URL", "AURAL_DATA_DIR", "AURAL_PUBLIC_URL"])
def test_a_key_or_an_address_that_nobody_filled_in_is_not_set_and_the_doctor_names_it(tmp_path, name):
    assert read_settings({name: "${X}"}) == read_settings({})
    _, out, _ = aural_mcp(
        tmp_path, "doctor", "--offline", **{"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}, **{name: "${X}"}
    )
    line = next(line for line in out.splitlines() if "settings" in line)
    assert line.startswith("warning")
    assert name in line


def test_a_server_whose_guard_is_not_filled_in_does_not_start(tmp_path):
    code, out, err = aural_mcp(tmp_path, "serve", AURAL_READ_ONLY="${READ_ONLY}")
    assert (code != 0, out) == (True, "")
    assert "AURAL_READ_ONLY is ${READ_ONLY}, which nobody filled in" in err
    assert "Traceback" not in err
