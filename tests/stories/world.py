"""The whole server in this process, with people in it: for stories about who may do what."""

import base64
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from auth.keys import decode_base58
from auth.links import Links
from auth.opaque import SECRET_BYTES
from auth.personal import mint_personal, read_scopes
from auth.principal import Role
from server.adapter import TABLE, Route
from server.app import Server
from server.describe import Json
from server.identity import Identity
from tests.server.person import Person

NAME = "01J9ZV3M8Q4R5S6T7V8W9X0YZA"
"""The document of the first person: a global id, so that it means the same to everybody."""
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
ENDS_THE_LOGIN = ("/api/auth/logout", "/api/session", "/api/sessions")
"""Routes after which a caller is one no more: visited last."""


class Web:
    """A client of the running server, with paths instead of URLs."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, method: str, path: str, **more: Any) -> aiohttp.ClientResponse:
        """Any request."""
        return await self._session.request(method, path, allow_redirects=False, **more)

    async def websocket(self, path: str, token: str) -> aiohttp.ClientWebSocketResponse:
        """A WebSocket with a token in the query, as y-websocket opens it."""
        return await self._session.ws_connect(path, params={"token": token})

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

    def error_fields(self, route: Route) -> set[str]:
        """The fields that every error of a route's API has, as its adapter declares them."""
        assert self.server.app is not None
        table = self.server.app[TABLE].values()
        error = next(each.adapter.error for each in table if each.route is route)
        shape = error.schema if isinstance(error, Json) else error
        return {each.encode_name for each in msgspec.structs.fields(shape) if each.required}

    async def visit(self, route: Route, who: str) -> tuple[int, str]:
        """Status and text of a route for one kind of caller; a handshake is only begun."""
        path = re.sub(r"\{\w+(:[^}]*)?\}", NAME, route.path)
        headers = dict(self.headers[who])
        if route.access.name == "socket":
            headers |= HANDSHAKE
        response = await self.web.request(route.method, path, headers=headers, data=b"{}")
        text = "" if response.status == 101 else await response.text(errors="replace")
        response.close()
        return response.status, text


async def token_for(world: World, person: Person, document: str) -> str:
    """A document token, from the route that hands them out."""
    response = await world.web.post(f"/doc/{document}/auth", headers=person.bearer, json={})
    assert response.status == 200, await response.text(errors="replace")
    return str((await response.json())["token"])


async def personal_token(world: World, person: Person, scope: str) -> str:
    """A personal token, from the route that makes them."""
    body = {"name": scope, "scopes": [scope]}
    response = await world.web.post("/api/access-tokens", headers=person.bearer, json=body)
    assert response.status == 201, await response.text(errors="replace")
    return str((await response.json())["token"])


async def session_cookie(world: World, person: Person) -> str:
    """The cookie of a browser that somebody is logged in with."""
    web: Any = world.web
    message = await person.challenge(web)
    body = {"public_key": person.public_key, "message": message, "signature": person.sign(message)}
    response = await world.web.post("/api/session", json=body)
    assert response.status == 200, await response.text(errors="replace")
    return response.cookies["next-auth.session-token"].value


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


async def cookies(world: World, owner: Person) -> dict[str, dict[str, str]]:
    """What browsers show: cookies that open nothing, and those of the owner's session."""
    # What opens a site with a password, in the place of what opens an account, too.
    links = Links(world.identity.keyring.signing, "site-access")
    visit = links.mint({"sid": "site_x", "ver": 1}, now=time.time(), lifetime_s=3600)
    session = f"next-auth.session-token={await session_cookie(world, owner)}"
    public = world.identity.hosts.origin
    return {
        "cookie": {"Cookie": f"next-auth.session-token={owner.access}; token={owner.access}"},
        "site cookie": {"Cookie": f"site_access_site_x={visit}; next-auth.session-token={visit}"},
        "browser": {"Origin": public, "Content-Type": "application/json", "Cookie": session},
        "foreign page": {"Origin": "https://evil.example", "Cookie": session},
    }


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
            "read token": await personal_token(world, owner, "heaps:read"),
            "write token": await personal_token(world, owner, "heaps:write"),
            "token of another scope": await personal_token(world, owner, "ascently:write"),
            "token never made": mint_personal(read_scopes(["heaps:write"]), bytes(SECRET_BYTES)),
            "nonsense": "a.b.c",
            "signed challenge": await signed_challenge(world, owner),
        }.items()
    }
    world.headers["anonymous"] = {}
    world.headers |= await cookies(world, owner)
