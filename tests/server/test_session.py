"""The session of a browser: given for a signed challenge, believed for our pages, ended here."""

from typing import Any

import pytest

from server.identity import Identity
from server.session.cookie import NAME, SECURE, name_of
from tests.server.person import Client, Person

TOKENS = "/api/access-tokens"
FOREIGN = {"Origin": "https://evil.example"}


async def proof(person: Person, client: Client) -> dict[str, str]:
    """A signed challenge."""
    message = await person.challenge(client)
    signature = person.sign(message)
    return {"public_key": person.public_key, "message": message, "signature": signature}


async def opened(person: Person, client: Client, **headers: str) -> tuple[Any, dict[str, str]]:
    """Log a browser in; the reply, and the header with its cookie."""
    response = await client.post("/api/session", json=await proof(person, client), headers=headers)
    assert response.status == 200, await response.text()
    client.session.cookie_jar.clear()
    return await response.json(), {"Cookie": f"{NAME}={response.cookies[NAME].value}"}


def ours(identity: Identity) -> dict[str, str]:
    """The header that a page of ours sends."""
    return {"Origin": identity.hosts.origin}


async def test_a_signed_challenge_becomes_a_cookie_that_no_script_reads(client: Client) -> None:
    """For thirty days, for this host, sent from other sites by links only."""
    person = await Person().log_in(client)
    response = await client.post("/api/session", json=await proof(person, client))
    said = response.headers["Set-Cookie"].split("; ")[1:]
    answer = await response.json()

    assert set(said) == {"HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Lax"}
    assert answer["user_id"] == person.account
    assert answer["workspace_id"] == person.workspace


async def test_a_challenge_is_good_for_one_session(client: Client) -> None:
    """As for one login."""
    person = await Person().log_in(client)
    body = await proof(person, client)
    first = await client.post("/api/session", json=body)
    second = await client.post("/api/session", json=body)

    assert (first.status, second.status) == (200, 401)


async def test_a_cookie_is_its_account_and_no_bearer_token(client: Client) -> None:
    """Nor is an access token a cookie."""
    person = await Person().log_in(client)
    _, cookie = await opened(person, client)
    text = cookie["Cookie"].partition("=")[2]
    current = await client.get("/api/session", headers=cookie)
    as_bearer = await client.post("/api/me", headers={"Authorization": f"Bearer {text}"})
    as_cookie = await client.get("/api/session", headers={"Cookie": f"{NAME}={person.access}"})

    assert (await current.json())["user_id"] == person.account
    assert (as_bearer.status, as_cookie.status) == (401, 401)


async def test_two_cookies_of_that_name_are_refused(client: Client) -> None:
    """One of them was planted."""
    _, cookie = await opened(await Person().log_in(client), client)
    twice = {"Cookie": f"{cookie['Cookie']}; {NAME}=other"}
    response = await client.get("/api/session", headers=twice)

    assert response.status == 401
    assert (await response.json())["error"] == "cookie_repeated"


async def test_a_write_needs_our_origin_and_json(client: Client, identity: Identity) -> None:
    """A form of a foreign page has neither."""
    _, cookie = await opened(await Person().log_in(client), client)
    body = {"name": "cli", "scopes": ["flowershow:write"]}
    form = {"Content-Type": "text/plain"}
    statuses = [
        (await client.post(TOKENS, json=body, headers=cookie)).status,
        (await client.post(TOKENS, json=body, headers=cookie | FOREIGN)).status,
        (await client.post(TOKENS, data="{}", headers=cookie | ours(identity) | form)).status,
        (await client.post(TOKENS, json=body, headers=cookie | ours(identity))).status,
        (await client.get(TOKENS, headers=cookie)).status,
    ]

    assert statuses == [403, 403, 403, 201, 200]


async def test_logging_out_ends_it_on_the_server(client: Client, identity: Identity) -> None:
    """The cookie is taken away, and opens nothing where somebody kept it."""
    _, cookie = await opened(await Person().log_in(client), client)
    response = await client.delete("/api/session", headers=cookie | ours(identity))
    after = await client.get("/api/session", headers=cookie)

    assert response.status == 200
    assert "Max-Age=0" in response.headers["Set-Cookie"]
    assert after.status == 401


async def test_it_is_listed_and_revoked_among_the_logins(client: Client) -> None:
    """With what the browser calls itself."""
    person = await Person().log_in(client)
    made, cookie = await opened(person, client, **{"User-Agent": "Firefox"})
    listed = (await (await client.get("/api/sessions", headers=person.bearer)).json())["sessions"]
    ended = await client.delete(f"/api/sessions/{made['session_id']}", headers=person.bearer)
    after = await client.get("/api/session", headers=cookie)

    assert {each["id"]: each["client"] for each in listed}[made["session_id"]] == "Firefox"
    assert (ended.status, after.status) == (200, 401)


async def test_a_page_gets_an_access_token_of_its_session(
    client: Client, identity: Identity
) -> None:
    """It ends with the session."""
    person = await Person().log_in(client)
    _, cookie = await opened(person, client)
    page = cookie | ours(identity)
    made = await (await client.post("/api/session/token", headers=page)).json()
    bearer = {"Authorization": f"Bearer {made['access_token']}"}
    before = await client.post("/api/me", headers=bearer)
    await client.delete("/api/session", headers=page)
    after = await client.post("/api/me", headers=bearer)

    assert (before.status, after.status) == (200, 401)


async def test_a_foreign_page_logs_nobody_in(client: Client) -> None:
    """Else its reader would write into somebody else's account."""
    person = await Person().log_in(client)
    response = await client.post("/api/session", json=await proof(person, client), headers=FOREIGN)

    assert response.status == 403
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    ("url", "name"), [("https://plait.example", SECURE), ("http://localhost:8080", NAME)]
)
def test_its_name_says_whether_it_came_over_tls(url: str, name: str) -> None:
    """Browsers take the prefixed name from TLS only."""
    assert name_of(url) == name


async def test_a_key_that_nobody_has_makes_no_account_where_that_is_not_wanted(
    client: Client,
) -> None:
    """A device that waits to be let in asks so, again and again; what is known gets in."""
    stranger, person = Person(), await Person().log_in(client)
    waits = await client.post(
        "/api/session", json={**await proof(stranger, client), "register": False}
    )
    known = await client.post(
        "/api/session", json={**await proof(person, client), "register": False}
    )

    assert (waits.status, (await waits.json())["error"]) == (401, "key_unknown")
    assert known.status == 200
