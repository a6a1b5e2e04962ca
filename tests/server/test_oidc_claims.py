"""What four providers say of a person, as their documentation has it, and what becomes of it."""

import pytest

from aural_mcp.server.sign_in.identity import NotIdentified
from companies import BACK, CLIENT, NONCE, RESOURCE, VERIFIER, Provider

TENANT = "3aa9a1f2-0000-4000-8000-0000000000aa"
ENTRA = f"https://login.microsoftonline.com/{TENANT}/v2.0"
OKTA_ORG, OKTA_CUSTOM = "https://acme.okta.com", "https://acme.okta.com/oauth2/default"
GOOGLE = "https://accounts.google.com"
KEYCLOAK = "https://sso.acme.example/realms/acme"
HIRING = "8d1e5c1a-0000-4000-8000-c0ffee000001"

OF_ENTRA = {
    "ver": "2.0",
    "sub": "pairwise-Xy8",
    "oid": "11111111-aaaa-4000-8000-000000000001",
    "tid": TENANT,
    "preferred_username": "dana@acme.example",
    "name": "Dana Fox",
    "email": "dana@acme.example",  # of the directory: nobody says that it is verified
    "groups": [HIRING, "9d1e5c1a-0000-4000-8000-000000000002"],
    "rh": "0.AX0A",
    "uti": "x",
}
TOO_MANY = {
    "groups": None,
    "_claim_names": {"groups": "src1"},
    "_claim_sources": {"src1": {"endpoint": f"https://graph.windows.net/{TENANT}/users/1/getMemberObjects"}},
}
OF_OKTA = {
    "ver": 1,
    "sub": "00u1dana",
    "jti": "ID.abc",
    "amr": ["pwd", "mfa"],
    "idp": "00oabc",
    "auth_time": 1,
    "at_hash": "x",
    "name": "Dana Fox",
    "email": "dana@acme.example",
    "email_verified": True,
    "preferred_username": "dana@acme.example",
    "groups": ["Everyone", "Hiring Team"],
}
OF_GOOGLE = {
    "sub": "110169484474386276334",
    "azp": CLIENT,
    "at_hash": "x",
    "hd": "acme.example",
    "email": "dana@acme.example",
    "email_verified": True,
    "name": "Dana Fox",
    "picture": "https://lh3.example/a",
    "groups": None,
}
OF_KEYCLOAK = {
    "sub": "f:1:dana",
    "azp": CLIENT,
    "typ": "ID",
    "sid": "s",
    "acr": "1",
    "email_verified": False,
    "preferred_username": "dana",
    "name": "Dana Fox",
    "realm_access": {"roles": ["default-roles-acme", "hiring"]},
    "resource_access": {"aural.acme.example": {"roles": ["recruiter"]}, "account": {"roles": ["view-profile"]}},
    "groups": ["/acme/hiring"],
}


def mapping(*fits, claim="groups"):
    roles = "".join(f'[[roles]]\nname = "{number}"\n{fit}\n' for number, fit in enumerate(fits))
    return f'claim = "{claim}"\ncontact = "it@acme.example"\n{roles}'


async def who(issuer, claims, text, **userinfo):
    provider = Provider(issuer)
    provider.id_token = provider.signed(**claims)
    provider.userinfo = {"sub": claims["sub"], **userinfo}
    return await provider.known(text).identity(BACK, "code", NONCE, VERIFIER)


async def role(issuer, claims, text, **userinfo):
    return (await who(issuer, claims, text, **userinfo)).role.name


async def nobody(issuer, claims, text, **userinfo):
    with pytest.raises(NotIdentified) as told:
        await who(issuer, claims, text, **userinfo)
    return str(told.value)


# ── Entra ID ────────────────────────────────────────────────────────────────────────────────────


async def test_entra_names_a_person_by_object_id_and_groups_by_theirs():
    found = await who(ENTRA, OF_ENTRA, mapping(f'values = ["{HIRING}"]'))
    assert (found.subject, found.name) == (OF_ENTRA["oid"], "dana@acme.example")
    assert (
        await role(ENTRA, {**OF_ENTRA, "roles": ["Recruiter"]}, mapping('values = ["Recruiter"]', claim="roles")) == "0"
    )


async def test_more_groups_than_entra_lists_are_no_role_and_the_sentence_says_what_helps():
    text = mapping(f'values = ["{HIRING}"]')
    for too_many in (TOO_MANY, {"groups": None, "hasgroups": True}):
        said = await nobody(ENTRA, {**OF_ENTRA, **too_many}, text)
        assert said == (
            "You are in more groups than login.microsoftonline.com lists, so your role is not known. Ask "
            "it@acme.example: the token must carry roles of the application, or only the groups that are assigned "
            "to it."
        )


async def test_too_many_groups_do_not_give_a_role_that_stands_below_one_by_groups():
    below = mapping(f'values = ["{HIRING}"]', 'emails = ["dana@acme.example"]')
    vouched = {**OF_ENTRA, **TOO_MANY, "email_verified": True}
    assert "more groups" in await nobody(ENTRA, vouched, below)
    above = mapping('emails = ["dana@acme.example"]', f'values = ["{HIRING}"]')
    assert await role(ENTRA, vouched, above) == "0"


async def test_an_address_that_entra_does_not_vouch_for_gives_no_role():
    text = mapping('emails = ["dana@acme.example"]', 'domains = ["acme.example"]')
    assert "have no role here" in await nobody(ENTRA, OF_ENTRA, text)


async def test_an_object_id_that_another_provider_claims_is_nobodys():
    claims = {**OF_ENTRA, "groups": ["hiring"]}
    for issuer in ("https://login.microsoftonline.com.evil.example", "https://evil-login.microsoftonline.com.example"):
        assert (await who(issuer, claims, mapping('values = ["hiring"]'))).subject == "pairwise-Xy8"


# ── Okta ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("issuer", [OKTA_ORG, OKTA_CUSTOM])
async def test_okta_names_groups_and_keeps_them_for_userinfo_where_it_likes(issuer):
    text = mapping('values = ["Hiring Team"]')
    assert await role(issuer, OF_OKTA, text) == "0"
    assert await role(issuer, {**OF_OKTA, "groups": None}, text, groups=["Hiring Team"]) == "0"
    for word in ("Hiring", "Team", "hiring team"):
        assert await nobody(issuer, OF_OKTA, mapping(f'values = ["{word}"]'))


async def test_okta_is_asked_for_the_scope_of_groups_where_it_has_one():
    for offered, asked in (
        (["openid", "email", "profile", "groups"], "openid+profile+email+groups"),
        (["openid"], "openid"),
    ):
        address = await Provider(OKTA_ORG, scopes_supported=offered).known().address(BACK, "s", NONCE, VERIFIER)
        assert f"scope={asked}&" in address


async def test_a_person_is_the_same_by_a_token_of_okta_as_by_signing_in():
    provider = Provider(OKTA_CUSTOM)
    token = {
        **{"sub": "dana@acme.example", "uid": "00u1dana", "cid": "0oahost", "ver": 1, "jti": "AT.abc"},
        **{"aud": RESOURCE, "nonce": None, "name": None, "scp": ["openid", "aural:write"], "groups": ["Hiring Team"]},
    }
    oidc = provider.known(mapping('values = ["Hiring Team"]'))
    found, _ = await oidc.bearer(provider.signed(**token), RESOURCE)
    provider.id_token = provider.signed(**OF_OKTA)
    assert found.subject == (await oidc.identity(BACK, "code", NONCE, VERIFIER)).subject == "00u1dana"


# ── Google ──────────────────────────────────────────────────────────────────────────────────────


async def test_google_gives_roles_by_address_and_by_the_domain_that_owns_the_account():
    text = mapping('emails = ["Dana@Acme.example"]', 'domains = ["ACME.example"]')
    assert await role(GOOGLE, OF_GOOGLE, text) == "0"
    assert await role(GOOGLE, {**OF_GOOGLE, "email": "sam@acme.example"}, text) == "1"
    assert await role(GOOGLE, {**OF_GOOGLE, "email": "sam@brand.example"}, text) == "1"
    assert (await who(GOOGLE, {**OF_GOOGLE, "iss": "accounts.google.com"}, text)).issuer == GOOGLE


@pytest.mark.parametrize(
    "changed",
    [
        {"hd": None},  # a private account of somebody's that uses, or used, an address there
        {"hd": "evil.example"},
        {"hd": "sub.acme.example"},
        {"hd": ["acme.example"]},
        {"hd": None, "email_verified": False},
        {"hd": "evil.example", "email": "dana@gmail.com"},
    ],
    ids=str,
)
async def test_a_private_account_at_google_has_no_role_by_a_domain(changed):
    assert "have no role here" in await nobody(GOOGLE, {**OF_GOOGLE, **changed}, mapping('domains = ["acme.example"]'))


async def test_a_domain_that_only_looks_like_another_is_another():
    claims = {**OF_GOOGLE, "hd": "\u212ame.example"}  # its first sign becomes k in lower case
    assert await nobody(GOOGLE, claims, mapping('domains = ["kme.example"]'))


async def test_a_private_address_counts_at_google_where_it_is_googles_own():
    text = mapping('emails = ["dana@acme.example", "dana@gmail.com"]')
    assert await role(GOOGLE, {**OF_GOOGLE, "hd": None, "email": "dana@gmail.com"}, text) == "0"
    assert await nobody(GOOGLE, {**OF_GOOGLE, "hd": None}, text)
    assert await nobody(GOOGLE, {**OF_GOOGLE, "email_verified": False}, text)


# ── Keycloak, and the shapes of claims ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("realm_access.roles", "hiring"),
        ("resource_access.aural.acme.example.roles", "recruiter"),
        ("groups", "/acme/hiring"),
        ("realm_access.roles", "default-roles-acme"),
    ],
)
async def test_keycloak_has_roles_within_claims(claim, value):
    assert await role(KEYCLOAK, OF_KEYCLOAK, mapping(f'values = ["{value}"]', claim=claim)) == "0"


@pytest.mark.parametrize(
    ("given", "fit", "why"),
    [
        (None, 'values = ["hiring"]', "the claim 'realm_access.roles' is missing"),
        (
            {"roles": ["staff"]},
            'values = ["hiring"]',
            "the claim 'realm_access.roles' holds none of the mapping's values",
        ),
        ({"roles": {"hiring": 1}}, 'values = ["hiring"]', "the claim 'realm_access.roles' holds no text"),
        (None, 'domains = ["acme.example"]', "is missing, and no e-mail address is vouched for"),
    ],
)
async def test_what_keycloak_does_not_write_is_the_operators_to_switch_on(given, fit, why, caplog):
    text = mapping(fit, claim="realm_access.roles")
    said = await nobody(KEYCLOAK, {**OF_KEYCLOAK, "realm_access": given}, text)
    assert said == "You are dana at sso.acme.example, and have no role here. Ask it@acme.example for one."
    assert f"{why}." in caplog.text


@pytest.mark.parametrize(
    ("claim", "given", "value", "fits"),
    [
        ("groups", "hiring", "hiring", True),
        ("groups", "hiring staff", "hiring", False),
        ("groups", "hiring staff", "hiring staff", True),
        ("groups", ["staff", 7, None, ["hiring"]], "hiring", False),
        ("groups", {"hiring": True}, "hiring", False),
        ("groups", "Hiring", "hiring", False),
        ("groups", True, "true", False),
        ("scope", "openid hiring", "hiring", True),
        ("https://acme.example/roles", ["hiring"], "hiring", True),
        ("iss", None, KEYCLOAK, True),
        ("a.b", {"c": "hiring"}, "hiring", False),
    ],
)
async def test_a_claim_is_a_text_or_a_list_of_texts(claim, given, value, fits):
    claims = {**OF_KEYCLOAK, "groups": None, **({claim: given} if claim != "iss" else {})}
    text = mapping(f'values = ["{value}"]', claim=claim)
    assert (await role(KEYCLOAK, claims, text) == "0") if fits else await nobody(KEYCLOAK, claims, text)


async def test_the_first_role_that_fits_counts():
    text = mapping('values = ["a", "b"]', 'values = ["b", "c"]')
    assert [await role(KEYCLOAK, {**OF_KEYCLOAK, "groups": given}, text) for given in ("b", "c", ["c", "a"])] == list(
        "010"
    )


@pytest.mark.parametrize(
    ("email", "fits"),
    [
        ("DANA@ACME.EXAMPLE", True),
        ("dana@acme.example.evil.example", False),
        ("dana@acme.example@evil.example", False),
        ("dana@evil.example\n@acme.example", False),
        ("dana@mail.acme.example", False),
        ("dana@acme.example ", False),
        ("dana@\u212ame.example", False),  # a sign that becomes k in lower case
        (["dana@acme.example"], False),
    ],
)
async def test_an_address_counts_as_a_whole(email, fits):
    claims = {**OF_KEYCLOAK, "email": email, "email_verified": True}
    text = mapping('domains = ["acme.example", "kme.example"]')
    assert (await role(KEYCLOAK, claims, text) == "0") if fits else await nobody(KEYCLOAK, claims, text)


async def test_a_name_is_shown_without_what_nobody_sees_and_not_at_any_length():
    claims = {**OF_KEYCLOAK, "preferred_username": "da\u202ena\u200b\n  fox" + "x" * 200, "groups": ["hiring"]}
    name = (await who(KEYCLOAK, claims, mapping('values = ["hiring"]'))).name
    assert name.startswith("dana foxxx")
    assert len(name) == 100
