"""Policies at the door. Strangers of every kind are sent to every route in tests/stories."""

import pytest
from aiohttp import web

from server.adapter import (
    ACCOUNT,
    ADMINISTRATOR,
    ANYONE,
    DOCUMENT,
    OPTIONAL,
    PERSONAL,
    PRINCIPAL,
    SOCKET,
    Adapter,
    Routes,
    mount,
    parameters,
    undeclared,
)
from server.adapters import heaps
from server.door import setup_http
from server.errors import Fault, NotFound
from server.http import reply
from server.identity import Identity
from storage.documents import Documents
from storage.pool import Pool
from tests.server.conftest import Connect
from tests.server.person import Client, Clock, Person
from tests.server.test_identify import document_token


async def test_the_whole_application_has_policies(app: web.Application) -> None:
    """Every route of the application came through the table."""
    assert undeclared(app) == []


async def test_a_route_without_a_policy_is_found(app: web.Application) -> None:
    """What was put beside the table is named."""

    async def forgotten(_request: web.Request) -> web.Response:
        return web.Response()

    app.router.add_get("/forgotten/{id}", forgotten)

    assert undeclared(app) == ["HEAD /forgotten/{id}", "GET /forgotten/{id}"]


def test_a_policy_cannot_be_left_out() -> None:
    """Declaring a route without one fails where it is written."""
    with pytest.raises(TypeError, match="access"):
        Routes().get("/x")  # type: ignore[call-arg]


def test_a_route_without_a_docstring_fails_where_it_is_written() -> None:
    """The docstring is what the OpenAPI document says."""

    async def silent(_request: web.Request) -> web.Response:
        return web.Response()

    with pytest.raises(AssertionError, match="docstring"):
        Routes().get("/x", access=ANYONE)(silent)


ZOO = Routes()


async def who(request: web.Request) -> web.Response:
    """Who is asking, if that is known."""
    principal = request.get(PRINCIPAL)
    return reply({"kind": None if principal is None else principal.kind})


ZOO.get("/phone", access=PERSONAL.reading("ascently"))(who)
ZOO.post("/phone", access=PERSONAL.writing("ascently"))(who)


for _policy in (ACCOUNT, DOCUMENT, ADMINISTRATOR, OPTIONAL, SOCKET):
    ZOO.get(f"/{_policy.name}", access=_policy)(who)


@ZOO.get("/missing", access=ANYONE)
async def missing(_request: web.Request) -> web.Response:
    """Nothing."""
    raise NotFound


def other_words(fault: Fault) -> dict[str, object]:
    """Errors as this API words them."""
    return {"oops": fault.code}


@pytest.fixture
async def zoo(aiohttp_client: Connect, identity: Identity) -> Client:
    """An application with one route for each policy, and errors in other words."""
    app = web.Application()
    setup_http(app)
    identity.install(app)
    mount(app, Adapter(name="zoo", routes=ZOO, error_body=other_words))
    mount(app, heaps.ADAPTER)
    return await aiohttp_client(app)


async def test_each_policy_admits_its_own(
    zoo: Client, identity: Identity, pool: Pool, clock: Clock
) -> None:
    """The table of who gets in where."""
    admin = await Person().log_in(zoo)
    plain = await Person().log_in(zoo)
    record = await Documents(pool).create(plain.workspace, "notes", plain.account)
    tokens = {
        "admin": admin.access,
        "plain": plain.access,
        "document": document_token(identity, plain, record, clock),
        "none": "",
    }
    got = {
        path: {
            who: (
                await zoo.get(
                    f"/{path}", headers={"Authorization": f"Bearer {token}"} if token else {}
                )
            ).status
            for who, token in tokens.items()
        }
        for path in ("account", "document", "administrator", "optional", "socket")
    }

    assert got == {
        "account": {"admin": 200, "plain": 200, "document": 403, "none": 401},
        "document": {"admin": 200, "plain": 200, "document": 200, "none": 401},
        "administrator": {"admin": 200, "plain": 403, "document": 403, "none": 401},
        "optional": {"admin": 200, "plain": 200, "document": 200, "none": 200},
        "socket": {"admin": 200, "plain": 200, "document": 200, "none": 200},
    }


async def test_an_api_of_personal_tokens_takes_nothing_else(zoo: Client) -> None:
    """Neither a login nor another API's token: 401, as for no token; a read token reads."""
    person = await Person().log_in(zoo)
    tokens = {"login": person.access}
    for scope in ("ascently:read", "ascently:write", "heaps:write"):
        body = {"name": scope, "scopes": [scope]}
        made = await zoo.post("/api/access-tokens", headers=person.bearer, json=body)
        tokens[scope] = (await made.json())["token"]
    got = {}
    for name, token in tokens.items():
        headers = {"Authorization": f"Bearer {token}"}
        got[name] = [
            (await zoo.get("/phone", headers=headers)).status,
            (await zoo.post("/phone", headers=headers)).status,
        ]

    assert got == {
        "login": [401, 401],
        "ascently:read": [200, 403],
        "ascently:write": [200, 200],
        "heaps:write": [401, 401],
    }


async def test_an_adapter_words_its_errors(zoo: Client) -> None:
    """Those of its handlers and those of its policies; others keep the common words."""
    missing = await zoo.get("/missing")
    refused = await zoo.get("/account")
    foreign = await zoo.post("/api/me")

    assert await missing.json() == {"oops": "not_found"}
    assert await refused.json() == {"oops": "token_missing"}
    assert (await foreign.json())["error"] == "token_missing"


async def test_other_adapters_allow_no_other_origin(zoo: Client) -> None:
    """Only an adapter that says so is open to pages of other origins."""
    response = await zoo.get("/missing", headers={"Origin": "https://x.example"})
    preflight = await zoo.options("/missing", headers={"Origin": "https://x.example"})

    assert "Access-Control-Allow-Origin" not in response.headers
    assert preflight.status == 405


def test_the_parameters_of_a_path_are_found() -> None:
    """With and without a pattern."""
    assert parameters("/api/{a}/x/{b:.+}") == ["a", "b"]
    assert parameters("/api") == []
