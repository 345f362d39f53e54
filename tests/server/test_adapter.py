"""Policies at the door: every route declares one, and strangers of every kind meet it."""

from collections.abc import Iterator

import pytest
from aiohttp import web

from auth.principal import Role
from server.adapter import (
    ACCOUNT,
    ADMINISTRATOR,
    ANYONE,
    DOCUMENT,
    OPTIONAL,
    PRINCIPAL,
    SOCKET,
    Adapter,
    Route,
    Routes,
    mount,
    parameters,
    principal_of,
    undeclared,
)
from server.adapters import ADAPTERS, heaps
from server.door import setup_http
from server.errors import Fault, NotFound
from server.http import reply
from server.identity import Identity
from storage.documents import Documents
from storage.pool import Pool
from tests.server.conftest import Connect
from tests.server.person import Client, Clock, Person
from tests.server.test_identify import document_token

NAMELESS = "01J00000000000000000000000"


def every_route() -> Iterator[Route]:
    """All declared routes of all adapters."""
    for adapter in ADAPTERS:
        yield from adapter.routes


def shown(route: Route) -> str:
    """A route's id in the list of tests."""
    return f"{route.method} {route.path}"


def address(route: Route) -> str:
    """The route's path with something in the place of each parameter."""
    path = route.path
    for name in parameters(path):
        path = path.replace(f"{{{name}}}", NAMELESS)
    return path


GUARDED = [r for r in every_route() if r.access.kinds and not r.access.optional]
READS_REFRESH = [r for r in every_route() if r.access.name == "refresh"]


@pytest.fixture
async def strangers(
    client: Client, identity: Identity, pool: Pool, clock: Clock
) -> dict[str, dict[str, str]]:
    """A header for each kind of stranger; one database serves all routes."""
    person = await Person().log_in(client)
    second = await Person().log_in(client)
    record = await Documents(pool).create(person.workspace, "notes", person.account)
    document = document_token(identity, person, record, clock, role=Role.EDITOR)
    revoked = await Person().log_in(client)
    await identity.accounts.disable(revoked.account)
    await identity.watch.look()

    def bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    return {
        "anonymous": {},
        "refresh token": bearer(person.refresh),
        "document token": bearer(document),
        "disabled account": bearer(revoked.access),
        "basic password": {"Authorization": "Basic YTpi"},
        "another account": bearer(second.access),
        "owner": bearer(person.access),
    }


async def test_every_guarded_route_refuses_every_stranger(
    client: Client, strangers: dict[str, dict[str, str]]
) -> None:
    """401 without a good credential, 403 with a good one of the wrong kind; never more."""
    wrong: list[str] = []
    for route in GUARDED:
        admits_documents = route.access.name == DOCUMENT.name
        for who in set(strangers) - {"owner", "another account"}:
            expected = {401}
            if who == "document token":
                expected = {403, 404} if admits_documents else {403}
            response = await client.request(route.method, address(route), headers=strangers[who])
            body = await response.json()
            if response.status not in expected or body["success"] is not False:
                wrong.append(f"{shown(route)} {who}: {response.status} {body}")

    assert wrong == []


async def test_no_guarded_route_takes_a_token_from_the_query(
    client: Client, strangers: dict[str, dict[str, str]]
) -> None:
    """`?token=` counts on sockets and files only."""
    token = strangers["owner"]["Authorization"].partition(" ")[2]
    statuses = {
        shown(route): (
            await client.request(route.method, address(route), params={"token": token})
        ).status
        for route in GUARDED
        if not route.access.query_token
    }

    assert set(statuses.values()) == {401}, statuses


async def test_another_account_sees_nothing_of_the_first(
    client: Client, strangers: dict[str, dict[str, str]]
) -> None:
    """Routes about oneself answer about oneself; all others know of nothing."""
    leaks = []
    own = await client.post("/api/me", headers=strangers["owner"])
    owner = (await own.json())["user_id"]
    for route in GUARDED:
        response = await client.request(
            route.method, address(route), headers=strangers["another account"]
        )
        if owner in await response.text() or response.status >= 500:
            leaks.append(f"{shown(route)}: {response.status}")

    assert leaks == []


@pytest.mark.parametrize("route", READS_REFRESH, ids=shown)
async def test_only_a_refresh_token_refreshes(
    client: Client, strangers: dict[str, dict[str, str]], route: Route
) -> None:
    """No other kind of credential does, and the account's own access token neither."""
    for who in ("anonymous", "owner", "document token", "basic password"):
        response = await client.request(route.method, route.path, headers=strangers[who])

        assert response.status == 401, who


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


@pytest.fixture
async def zoo(aiohttp_client: Connect, identity: Identity) -> Client:
    """An application with one route for each policy, and errors in other words."""
    routes = Routes()

    @routes.get("/account", access=ACCOUNT)
    async def account(request: web.Request) -> web.Response:
        """Who is asking."""
        return reply({"kind": principal_of(request).kind})

    @routes.get("/document", access=DOCUMENT)
    async def document(request: web.Request) -> web.Response:
        """Who is asking."""
        return reply({"kind": principal_of(request).kind})

    @routes.get("/administrator", access=ADMINISTRATOR)
    async def administrator(request: web.Request) -> web.Response:
        """Who is asking."""
        return reply({"kind": principal_of(request).kind})

    @routes.get("/optional", access=OPTIONAL)
    async def optional(request: web.Request) -> web.Response:
        """Whether anybody is asking."""
        return reply({"known": request.get(PRINCIPAL) is not None})

    @routes.get("/missing", access=ANYONE)
    async def missing(_request: web.Request) -> web.Response:
        """Nothing."""
        raise NotFound

    @routes.get("/socket", access=SOCKET)
    async def socket(_request: web.Request) -> web.Response:
        """A door that looks after itself."""
        return reply({})

    def word(fault: Fault) -> dict[str, object]:
        return {"oops": fault.code}

    app = web.Application()
    setup_http(app)
    identity.install(app)
    mount(app, Adapter(name="zoo", routes=routes, error_body=word))
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
