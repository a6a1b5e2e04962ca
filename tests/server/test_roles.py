"""The file that says who may do what: what it gives, and what is said about one that cannot be meant."""

import re
from pathlib import Path

import pytest

from aural_mcp.config import BadSetting, Narrowing
from aural_mcp.server.access import Access, access
from aural_mcp.server.sign_in.roles import read_roles
from aural_mcp.server.sign_in.settings import read_company
from companies import roles_of

READER = 'claim = "groups"\n\n[[roles]]\nname = "reader"\nvalues = ["staff"]\n'


def mistake(text):
    with pytest.raises(BadSetting) as told:
        roles_of(text)
    return str(told.value)


def test_a_role_only_reads_where_it_says_nothing_else():
    role = roles_of(READER).named("reader")
    assert (role.narrowing, role.interviews) == (Narrowing(read_only=True), None)
    assert roles_of(READER).named("writer") is None


def test_a_role_says_all_that_the_operator_can_narrow():
    role = roles_of(
        READER
        + 'read_only = false\ntoolsets = ["interviews", "sessions"]\ntools = ["get_session", "list_interviews"]\n'
        'exclude_tools = ["list_interviews"]\nblind = true\nlockdown = true\ninterviews = ["i1", "i2"]\n'
    ).named("reader")
    sets, tools = ("interviews", "sessions"), ("get_session", "list_interviews")
    assert role.narrowing == Narrowing(False, sets, tools, ("list_interviews",), blind=True, lockdown=True)
    assert role.interviews == {"i1", "i2"}


def test_a_role_widens_nothing():
    writer = roles_of(READER + "read_only = false\n").named("reader").narrowing
    for narrowing in (
        Narrowing(read_only=True),
        Narrowing(toolsets=("usage",)),
        Narrowing(exclude_tools=("get_usage",)),
    ):
        assert access(narrowing).within(writer) == access(narrowing)
    assert Access().within(writer) == Access()


def test_the_file_that_the_documentation_shows_is_one():
    page = (Path(__file__).parent.parent.parent / "docs" / "identity.md").read_text()
    roles = roles_of(re.findall(r"^```toml\n(.*?)^```", page, re.M | re.S)[0])
    assert [each.role.name for each in roles.rules] == ["recruiter", "hiring manager"]


NO_NAME = 'claim = "groups"\n[[roles]]\nvalues = ["staff"]\n'
SECOND = '[[roles]]\nname = "writer"\nvalues = ["staff"]\nread_only = false\n'
MISTAKES = {
    READER + "read_onyl = false\n": "roles.toml, line 6: the role 'reader' has no key 'read_onyl'. There are: name, "
    "values, emails, domains, read_only, blind, lockdown, toolsets, tools, exclude_tools, interviews.",
    READER.replace("claim", "claims"): "roles.toml, line 1: the file has no key 'claims'. There are: claim, contact, "
    "roles.",
    READER + 'claim = "roles"\n': "roles.toml, line 6: the role 'reader' has no key 'claim'. There are: name, values, "
    "emails, domains, read_only, blind, lockdown, toolsets, tools, exclude_tools, interviews.",
    READER.replace("[[roles]]", "[roles]"): "roles.toml, line 3: there is no role. Each begins with a line [[roles]], "
    "in two pairs of brackets.",
    "": "roles.toml: there is no role. Each begins with a line [[roles]], in two pairs of brackets.",
    READER + 'read_only = "false"\n': "roles.toml, line 6: read_only must be true or false, without quotes.",
    READER + "toolsets = []\n": "roles.toml, line 6: toolsets must be a list of texts, such as toolsets = "
    '["..."]; leave it out where it has none.',
    READER + 'interviews = "i1"\n': "roles.toml, line 6: interviews must be a list of texts, such as interviews = "
    '["..."]; leave it out where it has none.',
    READER + 'toolsets = ["session"]\n': "roles.toml, line 6: toolsets of the role 'reader': there is no 'session'. "
    "There are: interviews, questions, candidates, sessions, practice, usage, workflows.",
    READER + 'tools = ["get_usage", "create_interview"]\n': "roles.toml, line 6: tools of the role 'reader': "
    "create_interview would not be there, since read_only is true unless the role says false.",
    READER
    + 'toolsets = ["usage"]\ntools = ["get_session"]\nread_only = false': "roles.toml, line 7: tools of the role "
    "'reader': get_session would not be there, since its toolset is not named.",
    READER
    + 'tools = ["get_usage"]\nexclude_tools = ["get_usage"]\n': "roles.toml, line 3: the role 'reader' leaves no "
    "tool at all.",
    READER.replace('["staff"]', '"staff"'): "roles.toml, line 5: values must be a list of texts, such as values = "
    '["..."]; leave it out where it has none.',
    READER.replace("staff", " staff"): "roles.toml, line 5: values must be a list of texts, such as values = "
    '["..."]; leave it out where it has none.',
    READER.partition("\n")[2]: "roles.toml, line 4: values need a claim that they stand in: write claim = "
    '"groups" above the first role.',
    READER.replace("values", "#"): "roles.toml, line 3: the role 'reader' is for nobody: give it values of the claim, "
    "emails or domains.",
    NO_NAME: 'roles.toml, line 2: a role needs a name of letters and digits, such as name = "recruiter".',
    READER
    + READER.partition("\n")[2]: "roles.toml, line 8: there are two roles 'reader'. Give each a name of its own.",
    READER + SECOND: "roles.toml, line 6: nobody gets the role 'writer': roles above it fit first. Put it above them.",
    READER + 'emails = ["dana"]\n': "roles.toml, line 6: emails of the role 'reader': 'dana' is not one, such as "
    "dana@example.org.",
    READER
    + 'domains = ["@acme.example"]\n': "roles.toml, line 6: domains of the role 'reader': '@acme.example' is not "
    "one, such as example.org.",
    "claim = groups\n": "roles.toml of AURAL_ROLES is not TOML: Invalid value (at line 1, column 9).",
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.items(), ids=MISTAKES.values())
def test_a_mistake_is_named_with_its_line_and_what_helps(text, said):
    assert mistake(text) == said


def test_an_unknown_tool_is_named_with_all_that_there_are():
    said = mistake(READER + 'exclude_tools = ["delete_everything"]\n')
    assert said.startswith("roles.toml, line 6: exclude_tools of the role 'reader': there is no 'delete_everything'. ")
    assert "list_interviews, create_interview, " in said


@pytest.mark.parametrize("content", [None, b"\xff\xfe", "folder"])
def test_a_file_that_cannot_be_read_is_named(content, tmp_path):
    file = tmp_path / "roles.toml"
    if content == "folder":
        file.mkdir()
    elif content:
        file.write_bytes(content)
    with pytest.raises(BadSetting, match=f"AURAL_ROLES names {file}, which cannot be read as text"):
        read_roles(str(file))


def test_a_file_as_editors_on_windows_write_it_is_read(tmp_path):
    file = tmp_path / "roles.toml"
    file.write_bytes(b"\xef\xbb\xbf" + READER.replace("\n", "\r\n").encode())
    assert read_roles(str(file)).named("reader")


# ── The settings beside it ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def settings(tmp_path):
    file = tmp_path / "roles.toml"
    file.write_text(READER)
    return {
        "AURAL_OIDC_ISSUER": "https://login.acme.example/",
        "AURAL_OIDC_CLIENT_ID": "aural",
        "AURAL_OIDC_CLIENT_SECRET": "dlv_test_secret",
        "AURAL_ROLES": str(file),
    }


def test_the_company_is_read_as_it_is_written_and_shows_no_secret(settings, tmp_path):
    company = read_company(settings)
    assert (company.issuer, company.client_secret) == ("https://login.acme.example/", "dlv_test_secret")
    assert "dlv_test_secret" not in repr(company)
    (tmp_path / "secret").write_text("from a file\n")
    by_file = {**settings, "AURAL_OIDC_CLIENT_SECRET": "", "AURAL_OIDC_CLIENT_SECRET_FILE": str(tmp_path / "secret")}
    assert read_company(by_file).client_secret == "from a file"


@pytest.mark.parametrize(
    "name", ["AURAL_OIDC_ISSUER", "AURAL_OIDC_CLIENT_ID", "AURAL_OIDC_CLIENT_SECRET", "AURAL_ROLES"]
)
@pytest.mark.parametrize("value", ["", "  ", "${SOMETHING}"])
def test_each_setting_is_needed(settings, name, value):
    with pytest.raises(BadSetting, match=f"^--sign-in oidc needs {name}: "):
        read_company({**settings, name: value})


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.acme.example",
        "login.acme.example",
        "https://",
        "https://u:p@login.acme.example",
        "https://login.acme.example?tenant=1",
        "https://login.acme.example#x",
        "https://login.acme.example:port",
        "https://login.acme.example/.well-known/openid-configuration",
    ],
)
def test_an_issuer_that_cannot_be_one_is_refused_at_the_start(settings, issuer):
    with pytest.raises(BadSetting, match=r"^AURAL_OIDC_ISSUER "):
        read_company({**settings, "AURAL_OIDC_ISSUER": issuer})


def test_a_file_of_the_secret_that_cannot_be_read_is_named(settings):
    by_file = {**settings, "AURAL_OIDC_CLIENT_SECRET": "", "AURAL_OIDC_CLIENT_SECRET_FILE": "/nowhere/secret"}
    with pytest.raises(BadSetting, match="AURAL_OIDC_CLIENT_SECRET_FILE names /nowhere/secret, which cannot be read"):
        read_company(by_file)
