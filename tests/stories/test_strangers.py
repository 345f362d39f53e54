"""Every route of the running server, visited by every kind of stranger.

The cases are made from the table of routes, so a new route is visited without a line here. Two
people, a viewer, tokens of every kind; the first person's document stands in the place of each
parameter that names one.
"""

import base64
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from auth.keys import decode_base58
from auth.principal import Role
from server.adapter import TABLE, Route, undeclared
from server.app import Server
from server.identity import IDENTITY, Identity
from server.settings import Settings
from tests.server.person import Person

NAME = "01J9ZV3M8Q4R5S6T7V8W9X0YZA"
"""The document of the first person: a global id, so that it means the same to everybody."""
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


class Web:
    """A client of the running server, with paths instead of URLs."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, method: str, path: str, **more: Any) -> aiohttp.ClientResponse:
        """Any request."""
        return await self._session.request(method, path, allow_redirects=False, **more)

    async def post(self, path: str, **more: Any) -> aiohttp.ClientResponse:
        """A POST."""
        return await self.request("POST", path, **more)


@dataclass
class World:
    """The server, its people, and a header for each kind of caller."""

    web: Web
    server: Server
    identity: Identity
    routes: list[Route]
    owner: Person
    headers: dict[str, dict[str, str]] = field(default_factory=dict)

    async def visit(self, route: Route, who: str) -> tuple[int, str]:
        """Status and text of a route for one kind of caller; a handshake is only begun."""
        path = re.sub(r"\{\w+(:[^}]*)?\}", NAME, route.path)
        headers = dict(self.headers[who])
        if route.access.name == "socket":
            headers |= HANDSHAKE
        response = await self.web.request(route.method, path, headers=headers, data=b"{}")
        text = "" if response.status == 101 else await response.text()
        response.close()
        return response.status, text


async def token_for(world: World, person: Person, document: str) -> str:
    """A document token, from the route that hands them out."""
    response = await world.web.post(f"/doc/{document}/auth", headers=person.bearer, json={})
    assert response.status == 200, await response.text()
    return str((await response.json())["token"])


async def signed_challenge(world: World, victim: Person) -> str:
    """A JWT with the victim's claims that the server was made to sign as a `server_challenge`."""
    header = {"alg": "EdDSA", "typ": "JWT", "kid": world.identity.keyring.signing.key_id}
    head = base64.urlsafe_b64encode(json.dumps(header, separators=(",", ":")).encode())
    signing_input = f"{head.decode().rstrip('=')}.{victim.access.split('.')[1]}"
    web: Any = world.web
    attacker = await Person().log_in(web, server_challenge=signing_input)
    signature = decode_base58(attacker.reply["server_signature"])
    assert signature is not None
    return f"{signing_input}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


async def populate(world: World) -> None:
    """Log people in, make documents, give and take rights."""
    web: Any = world.web
    owner, other, viewer = world.owner, Person(), Person()
    for person in (owner, other, viewer):
        await person.log_in(web)
    for person, name in ((owner, NAME), (other, "elsewhere")):
        await web.post("/doc/new", headers=person.bearer, json={"docId": name})
    disabled = await Person().log_in(web)
    await world.identity.accounts.disable(disabled.account)
    await world.identity.grants.set_member(owner.workspace, viewer.account, Role.VIEWER)
    await world.identity.watch.look()
    world.headers = {
        who: {"Authorization": f"Bearer {token}"}
        for who, token in {
            "owner": owner.access,
            "another account": other.access,
            "viewer": viewer.access,
            "refresh token": owner.refresh,
            "disabled account": disabled.access,
            "document token": await token_for(world, owner, NAME),
            "token of another document": await token_for(world, other, "elsewhere"),
            "nonsense": "a.b.c",
            "signed challenge": await signed_challenge(world, owner),
        }.items()
    }
    world.headers["anonymous"] = {}
    world.headers["cookie"] = {
        "Cookie": f"next-auth.session-token={owner.access}; token={owner.access}"
    }


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[World]:
    """The whole server on a database of its own."""
    server = Server(
        Settings(data=tmp_path, database_url=database, port=0, login_attempts_per_minute=10_000)
    )
    await server.start()
    assert server.app is not None
    routes = [
        mounted.route for mounted in server.app[TABLE].values() if mounted.route.method != "OPTIONS"
    ]
    async with aiohttp.ClientSession(server.address) as session:
        made = World(Web(session), server, server.app[IDENTITY], routes, Person())
        await populate(made)
        yield made
    await server.stop()


NOBODY = (
    "anonymous",
    "cookie",
    "nonsense",
    "signed challenge",
    "refresh token",
    "disabled account",
)
"""Callers who show nothing that opens anything."""

EXPECTED: dict[str, dict[str, set[int]]] = {
    "account": {"document token": {403}, "token of another document": {403}},
    "administrator": {
        "document token": {403},
        "token of another document": {403},
        "another account": {403},
        "viewer": {403},
    },
    "document": {"token of another document": {403, 404}, "another account": {403, 404}},
    "socket": {"token of another document": {403}, "another account": {403}},
    "operator": {who: {401, 404} for who in ("owner", "another account", "document token")},
    "refresh": {who: {401} for who in ("owner", "another account", "document token")},
}
"""What a kind of caller gets at a policy; whoever is not named may be let in."""


def allowed(route: Route, who: str) -> set[int] | None:
    """The statuses that a caller may get at a route; None where there is nothing to expect."""
    policy = route.access.name
    if route.path == "/ws":
        # Hocuspocus clients say which document they want, and who they are, in frames.
        return {101} if who in {"anonymous", "cookie"} or who not in NOBODY else {401}
    if who in NOBODY and policy in EXPECTED:
        if policy == "refresh" and who == "refresh token":
            return None
        if policy == "operator":
            return {401, 404}
        return {401}
    return EXPECTED.get(policy, {}).get(who)


async def test_every_route_has_a_policy(world: World) -> None:
    """Nothing was put beside the table in the whole application."""
    assert world.server.app is not None
    assert undeclared(world.server.app) == []


async def test_no_stranger_gets_in_anywhere(world: World) -> None:
    """Each gets the status of the policy, never a fault of the server."""
    wrong = []
    for route in world.routes:
        for who in world.headers:
            if route.access.name == "refresh" and who == "refresh token":
                continue
            status, text = await world.visit(route, who)
            expected = allowed(route, who)
            if status >= 500 or (expected is not None and status not in expected):
                wrong.append(f"{route.method} {route.path} · {who}: {status} {text[:80]}")

    assert not wrong, "\n".join(wrong)


async def test_refusals_are_json_of_one_shape(world: World) -> None:
    """Whatever refuses says success, error and message."""
    wrong = []
    for route in world.routes:
        for who in NOBODY:
            status, text = await world.visit(route, who)
            if status >= 400 and not {"success", "error", "message"} <= set(json.loads(text)):
                wrong.append(f"{route.method} {route.path}: {text[:80]}")

    assert not wrong, "\n".join(wrong)


async def test_another_account_learns_nothing_of_the_first(world: World) -> None:
    """No reply to a stranger holds an id of the owner."""
    leaks = []
    for route in world.routes:
        for who in ("another account", "token of another document"):
            _, text = await world.visit(route, who)
            if world.owner.account in text or world.owner.workspace in text:
                leaks.append(f"{route.method} {route.path} · {who}")

    assert not leaks, "\n".join(leaks)


async def test_a_viewer_writes_nowhere(world: World) -> None:
    """In a shared workspace a viewer reads and changes nothing."""
    name = f"{world.owner.workspace}:{NAME}"
    headers = world.headers["viewer"]
    socket = await world.web.request("GET", f"/ws/{name}", headers=headers | HANDSHAKE)
    socket.close()
    made = await world.web.request(
        "GET", f"/ws/{world.owner.workspace}:new", headers=headers | HANDSHAKE
    )

    assert (socket.status, made.status) == (101, 403)


async def test_what_a_document_token_opens(world: World) -> None:
    """Its document on every door, and nothing but that."""
    headers = world.headers["document token"]
    statuses = {
        path: (await world.web.request("GET", path, headers=headers | more)).status
        for path, more in (
            (f"/d/{NAME}/as-update", {}),
            (f"/ws/{NAME}", HANDSHAKE),
            (f"/d/{NAME}/ws/{NAME}", HANDSHAKE),
            ("/d/other/as-update", {}),
            ("/ws/other", HANDSHAKE),
            ("/d/other/ws/other", HANDSHAKE),
        )
    }

    assert list(statuses.values()) == [200, 101, 101, 404, 403, 403]
