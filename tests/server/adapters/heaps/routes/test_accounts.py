"""Accounts as administrators see them, over HTTP, and what reaches those concerned."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.inside import Guest, Inside
from tests.patience import in_time, prompt
from tests.server.adapters.heaps.asking import ask, call
from tests.server.adapters.heaps.conftest import serve
from tests.server.person import Person
from tests.server.realtime.conftest import Serve

__all__ = ["serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

END_S_MAX = 2.0
ACCOUNTS = "/api/admin/accounts"


@pytest_asyncio.fixture(loop_scope="module")
async def closed(serve: Serve) -> Inside:
    """A server on which everybody after the first waits for approval."""
    return await serve(registration="approval")


@pytest_asyncio.fixture(loop_scope="module")
async def admin(closed: Inside) -> AsyncIterator[Guest]:
    """The administrator: whoever came first."""
    async with closed.visitor() as guest:
        yield guest


async def newcomer(admin: Guest) -> tuple[Person, str]:
    """Somebody who asked to be let in, and the account that waits."""
    person = Person()
    http: Any = admin.http
    status, answer = await person.attempt(http, email="eve@example.org")
    assert (status, answer["error"]) == (403, "approval_required")
    (waiting,) = [
        one for one in await listed(admin, "pending") if one["public_keys"] == [person.public_key]
    ]
    return person, waiting["id"]


async def listed(admin: Guest, state: str) -> list[dict[str, Any]]:
    """The accounts in one state."""
    return list((await call(admin, "GET", f"{ACCOUNTS}?state={state}"))["accounts"])


async def attempt(admin: Guest, person: Person) -> tuple[int, str]:
    """Status and error of a login."""
    http: Any = admin.http
    status, answer = await person.attempt(http)
    return status, answer.get("error", "")


async def test_somebody_waits_is_approved_and_comes_in(admin: Guest) -> None:
    """The list shows key and e-mail of those who wait; after approval they log in."""
    person, account = await newcomer(admin)
    (waiting,) = await listed(admin, "pending")
    pending_users = (await call(admin, "GET", "/api/admin/pending-users"))["accounts"]
    approved = await ask(admin, f"{ACCOUNTS}/{account}/approve")

    assert (waiting["email"], waiting["is_admin"]) == ("eve@example.org", False)
    assert pending_users == [waiting]
    assert approved["account"]["state"] == "active"
    assert await attempt(admin, person) == (200, "")
    assert await listed(admin, "pending") == []
    again = await ask(admin, f"{ACCOUNTS}/{account}/approve", 409)
    assert again["error"] == "wrong_state"


async def test_who_is_refused_is_told_so_at_each_login(admin: Guest) -> None:
    """And does not wait again; an administrator may think better of it."""
    person, account = await newcomer(admin)
    await ask(admin, f"{ACCOUNTS}/{account}/refuse")

    assert await attempt(admin, person) == (403, "account_disabled")
    assert await listed(admin, "pending") == []
    assert [one["id"] for one in await listed(admin, "refused")] == [account]
    await ask(admin, f"{ACCOUNTS}/{account}/refuse", 409)
    await ask(admin, f"{ACCOUNTS}/{account}/approve")
    assert await attempt(admin, person) == (200, "")


@pytest.mark.parametrize("word", ["disable", "revoke"])
@prompt
async def test_a_disabled_account_is_out_within_two_seconds(
    closed: Inside, admin: Guest, word: str
) -> None:
    """Its sockets close, its login and tokens stop; enabled, it logs in anew."""
    person, account = await newcomer(admin)
    await ask(admin, f"{ACCOUNTS}/{account}/approve")
    async with Guest(closed) as guest:
        guest.person = person
        await guest.log_in()
        made = await ask(guest, "/api/access-tokens", 201, name="x", scopes=["heaps:write"])
        y = await (await guest.y("notes")).sync()
        by_token = await (await guest.y("notes", token=made["token"])).sync()
        hocuspocus = await guest.open("notes")
        started = time.monotonic()
        await ask(admin, f"{ACCOUNTS}/{account}/{word}")
        codes = [await socket.closed() for socket in (y, by_token)]
        await hocuspocus.denied()
        took = time.monotonic() - started
        refused = [(await guest.post("/api/me", token=t))[0] for t in (guest.token, made["token"])]
        await ask(admin, f"{ACCOUNTS}/{account}/enable")
        old = (await guest.post("/api/me", token=made["token"]))[0]
        await guest.log_in()

        in_time(took, END_S_MAX)
        assert codes == [4403, 4403]
        assert refused == [401, 401]
        assert old == 401
        assert (await guest.post("/api/me"))[0] == 200


async def test_the_last_administrator_stays(admin: Guest) -> None:
    """Neither closed nor unmade, by mistake or otherwise, until there is another."""
    person, account = await newcomer(admin)
    for word in ("disable", "uncrown"):
        assert (await ask(admin, f"{ACCOUNTS}/{admin.account}/{word}", 409))["error"] == (
            "last_administrator"
        )
    await ask(admin, f"{ACCOUNTS}/{account}/crown", 409)
    await ask(admin, f"{ACCOUNTS}/{account}/approve")
    crowned = await ask(admin, f"{ACCOUNTS}/{account}/crown")
    stepped_down = await ask(admin, f"{ACCOUNTS}/{admin.account}/uncrown")

    assert crowned["account"]["is_admin"] is True
    assert stepped_down["account"]["is_admin"] is False
    assert await attempt(admin, person) == (200, "")


async def test_accounts_are_listed_in_pages(admin: Guest) -> None:
    """Each once, in the order of their ids; states and limits that are none are named."""
    for _ in range(4):
        await newcomer(admin)
    found, after = [], ""
    while True:
        page = await call(admin, "GET", f"{ACCOUNTS}?limit=2&after={after}")
        found += [one["id"] for one in page["accounts"]]
        if not page["has_more"]:
            break
        after = page["next"]

    assert found == sorted(set(found))
    assert len(found) == 5
    for query in ("state=odd", "limit=0", "limit=x"):
        await call(admin, "GET", f"{ACCOUNTS}?{query}", 400)
    assert (await call(admin, "GET", f"{ACCOUNTS}?after=%00"))["success"] is True


async def test_nobody_else_administers(admin: Guest) -> None:
    """An account, even with a write token of an administrator, gets 403; unknown ones 404."""
    person, account = await newcomer(admin)
    await ask(admin, f"{ACCOUNTS}/{account}/approve")
    http: Any = admin.http
    await person.log_in(http)
    made = await ask(admin, "/api/access-tokens", 201, name="x", scopes=["heaps:write"])
    for token in (person.access, made["token"]):
        status, _ = await admin.get(ACCOUNTS, token=token)
        assert status == 403
        assert (await admin.post(f"{ACCOUNTS}/{account}/disable", token=token))[0] == 403
    for unknown in ("nobody", "%00", "x" * 100):
        await ask(admin, f"{ACCOUNTS}/{unknown}/approve", 404)
