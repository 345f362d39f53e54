"""Logging a command line in: the codes, the answers in their order, and who may approve."""

import re

import pytest

from tests.inside import Guest
from tests.server.adapters.flowershow.tools import Answer, Browser, ask
from tests.server.realtime.conftest import Serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
START, POLL, APPROVE = "/api/cli/device/authorize", "/api/cli/device/token", "/api/cli/authorize"


async def poll(guest: Guest, code: str) -> Answer:
    """Ask for the token."""
    return await ask(guest, "POST", POLL, {"device_code": code, "grant_type": GRANT})


async def test_a_device_is_let_in(ada: Guest) -> None:
    """It waits, somebody approves, it gets a token, once."""
    started = await ask(ada, "POST", START, {"client_name": "laptop\n"})
    waits = await poll(ada, started["device_code"])
    browser = await Browser.of(ada)
    shown = await browser.ask("GET", f"{APPROVE}?user_code={started['user_code']}")
    typed = started["user_code"].replace("-", " ").lower()
    approved = await browser.ask("POST", APPROVE, {"user_code": typed})
    given = await poll(ada, started["device_code"])
    again = await poll(ada, started["device_code"])
    twice = await browser.ask("POST", APPROVE, {"user_code": typed})
    user = await ask(ada, "GET", "/api/user", Authorization=f"Bearer {given['access_token']}")

    assert re.fullmatch("[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}", started["user_code"])
    assert re.fullmatch("[A-Za-z0-9_-]{40}", started["device_code"])
    assert (started["expires_in"], started["interval"]) == (900, 5)
    assert started["verification_uri"] == f"{ada.url}/cli/verify"
    assert started["verification_uri_complete"].endswith(f"?user_code={started['user_code']}")
    assert (waits.status, waits["error"]) == (400, "authorization_pending")
    assert "error_description" not in waits.body
    assert shown["client_name"] == "laptop"
    assert shown["address"] == "127.0.0.1"
    assert approved.body == {"success": True}
    assert re.fullmatch("fs_cli_[A-Za-z0-9_-]{43}", given["access_token"])
    assert given.body | {"access_token": ""} == {
        "access_token": "", "token_type": "bearer", "expires_in": None,
    }  # fmt: skip
    assert (again.status, again["error"]) == (400, "invalid_grant")
    assert (twice.status, twice["error"]) == (400, "invalid_code")
    assert user["id"] == ada.account


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "invalid_request"),
        ({"device_code": "x"}, "invalid_request"),
        ({"grant_type": GRANT}, "invalid_request"),
        ({"device_code": "x", "grant_type": "password"}, "unsupported_grant_type"),
        ({"device_code": "x", "grant_type": GRANT}, "invalid_grant"),
        ([], "invalid_request"),
    ],
    ids=["nothing", "no grant", "no code", "other grant", "unknown", "no object"],
)
async def test_bad_questions_are_told_apart(ada: Guest, body: object, word: str) -> None:
    """All with 400, in the words of OAuth."""
    answer = await ask(ada, "POST", POLL, body)

    assert (answer.status, answer["error"]) == (400, word)


async def test_a_form_is_as_good_as_json(ada: Guest) -> None:
    """RFC 8628 describes one."""
    started = await ask(ada, "POST", START)
    form = {"device_code": started["device_code"], "grant_type": GRANT}
    async with ada.http.post(POLL, data=form) as response:
        body = await response.json()

    assert (response.status, body["error"]) == (400, "authorization_pending")


async def test_who_asks_too_often_is_told_to_slow_down(serve: Serve) -> None:
    """A first question is never too early."""
    inside = await serve(device_interval_s=3600)
    async with inside.visitor() as guest:
        started = await ask(guest, "POST", START)
        words = [(await poll(guest, started["device_code"]))["error"] for _ in range(2)]

    assert words == ["authorization_pending", "slow_down"]


async def test_a_code_expires(serve: Serve) -> None:
    """For the device and for whoever types it; then it is forgotten."""
    inside = await serve(device_code_s=0.001)
    async with inside.visitor() as guest:
        started = await ask(guest, "POST", START)
        browser = await Browser.of(guest)
        typed = await browser.ask("POST", APPROVE, {"user_code": started["user_code"]})
        words = [(await poll(guest, started["device_code"]))["error"] for _ in range(2)]

    assert typed["error"] == "expired_code"
    assert words == ["expired_token", "invalid_grant"]


async def test_a_denied_device_is_told_so(ada: Guest) -> None:
    """And nobody approves it later."""
    started = await ask(ada, "POST", START)
    browser = await Browser.of(ada)
    body = {"user_code": started["user_code"]}
    await browser.ask("POST", APPROVE, body | {"deny": True})
    later = await browser.ask("POST", APPROVE, body)
    answer = await poll(ada, started["device_code"])

    assert later["error"] == "invalid_code"
    assert answer["error"] == "access_denied"


async def test_a_browser_approves_and_nothing_else(ada: Guest) -> None:
    """No bearer token, no foreign page, no code that nobody shows."""
    started = await ask(ada, "POST", START)
    body = {"user_code": started["user_code"]}
    browser = await Browser.of(ada)
    bearer = await ask(ada, "POST", APPROVE, body, **ada.bearer)
    foreign = await browser.ask("POST", APPROVE, body, Origin="https://evil.example")
    words = [
        (await browser.ask("POST", APPROVE, {"user_code": text}))["error"]
        for text in ("", "ZZZZ-ZZZZ")
    ]
    approved = await browser.ask("POST", APPROVE, body)
    twice = await browser.ask("POST", APPROVE, body)

    assert (bearer.status, bearer["error"]) == (401, "unauthorized")
    assert (foreign.status, foreign["error"]) == (403, "forbidden")
    assert words == ["invalid_request", "invalid_code"]
    assert approved.status == 200
    assert (twice.status, twice["error"]) == (400, "already_authorized")
