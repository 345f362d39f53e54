"""What an adapter is: its name, its routes with who may use them, and how it words an error.

Every route declares its policy where it is written down. From the table come the checks at the
door, the tests that send strangers to every route, and the OpenAPI document; a route that is not
in the table is found by `undeclared`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from auth.errors import Forbidden, Unauthorized
from auth.principal import Kind, Principal, Role
from crdt.layout import Layout
from server.cors import Cors, preflight
from server.describe import Content, Problem
from server.errors import Fault, Handler
from server.hosts import HOSTS
from server.identify import IDENTIFY
from server.limits import LIMITS
from server.routing import Decorator, Route, Routes
from server.session import cookie
from storage.pool import Pool

__all__ = ["Decorator", "Route", "Routes"]
"""Named here too, so that an adapter finds in one place what it needs."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """A policy: who may use a route, and how often one address may."""

    name: str
    kinds: frozenset[Kind] = frozenset()
    """The credentials that open it; none: whoever comes, or whom the handler itself admits."""
    optional: bool = False
    """Whether the route also answers those who show nothing, or something that does not hold."""
    admin: bool = False
    """Whether the account must be an administrator."""
    query_token: bool = False
    """Whether `?token=` counts (DECISIONS: file routes and sockets only)."""
    limit: str | None = None
    """The name of the limit in LIMITS that counts its requests."""
    schemes: tuple[str, ...] = ()
    """Security schemes that the description names besides those of `kinds` (Adapter.schemes)."""
    api: str | None = None
    """The API whose scope a personal token needs; None: no personal token opens the route."""
    writes: bool = False
    """Whether that scope must be the one to write."""

    def limited(self, name: str) -> Access:
        """The same policy under a limit."""
        return replace(self, limit=name)

    def reading(self, api: str) -> Access:
        """The same policy, that also takes personal tokens with any scope for an API."""
        return replace(self, api=api, kinds=self.kinds | {Kind.PERSONAL})

    def scoped(self, api: str) -> Access:
        """The same policy of a socket, whose handler takes personal tokens for an API."""
        return replace(self, api=api)

    def or_session(self) -> Access:
        """The same policy, that also takes the session cookie of a browser."""
        return replace(self, kinds=self.kinds | {Kind.SESSION})

    def writing(self, api: str) -> Access:
        """The same policy, that also takes personal tokens which may write to an API."""
        return replace(self.reading(api), writes=True)


ANYONE = Access(name="anyone")
"""No credential is looked at."""
OPTIONAL = Access(name="optional", kinds=frozenset({Kind.ACCESS}), optional=True)
"""An access token adds something to the reply; the route answers without a good one too."""
ACCOUNT = Access(name="account", kinds=frozenset({Kind.ACCESS}))
"""An access token of an active account."""
ADMINISTRATOR = Access(name="administrator", kinds=frozenset({Kind.ACCESS}), admin=True)
"""An access token of an administrator."""
DOCUMENT = Access(name="document", kinds=frozenset({Kind.ACCESS, Kind.DOCUMENT}))
"""An access token, or a token for the document in question; the handler asks `Rights`."""
FILE = Access(
    name="file", kinds=frozenset({Kind.ACCESS, Kind.DOCUMENT, Kind.FILE}), query_token=True
)
"""As DOCUMENT, or a token for the document's files; in the query too, where a player puts it."""
PERSONAL = Access(name="personal", kinds=frozenset())
"""Personal tokens and nothing else, once an API is named; whatever else is shown gets 401."""
SESSION = Access(name="session", kinds=frozenset({Kind.SESSION}))
"""The session cookie of a browser and nothing else; whatever else is shown gets 401."""
REFRESH = Access(name="refresh")
"""A refresh token, which the handler reads: it is the only route that takes one."""
SOCKET = Access(name="socket", kinds=frozenset())
"""A WebSocket: the handler takes a token from header, query, subprotocol or a frame."""
PASSWORD = Access(name="password", schemes=("passwordHash",))
"""A password of the thing in question, in body or query, which the handler compares."""
OPERATOR = Access(name="operator")
"""The operator's own token from the settings, which the handler compares."""


async def bearer(request: web.Request, access: Access) -> Principal | None:
    """The way most APIs say who is asking: a bearer token, and `?token=` where that is allowed.

    Raises Unauthorized, or Forbidden for a personal token of another API.
    """
    identify = request.app[IDENTIFY]
    if Kind.SESSION in access.kinds and (
        access.kinds == {Kind.SESSION} or not request.headers.getall("Authorization", [])
    ):
        return await _by_cookie(request, access)
    is_only_personal = access.kinds == {Kind.PERSONAL}
    try:
        principal = await identify.from_request(
            request, query_token=access.query_token, api=access.api
        )
    except Unauthorized:
        if access.optional:
            return None
        raise
    except Forbidden:
        if access.optional:
            return None
        if is_only_personal:
            raise Unauthorized("token_type") from None
        raise
    if is_only_personal and principal.kind is not Kind.PERSONAL:
        raise Unauthorized("token_type")
    return principal


async def _by_cookie(request: web.Request, access: Access) -> Principal | None:
    """Who a browser is logged in as; None where nobody need be. Raises as `bearer`."""
    try:
        text = cookie.of(request)
        principal = None if text is None else await request.app[IDENTIFY].from_cookie(text)
        if principal is not None:
            cookie.check_write(request)
    except (Unauthorized, Forbidden):
        if access.optional:
            return None
        raise
    if principal is None and not access.optional:
        raise Unauthorized("token_missing")
    return principal


def plain_body(fault: Fault) -> dict[str, Any]:
    """The wording of errors where an API has none: success, error, message."""
    return fault.body()


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """One API: the folder of that name, seen from the composition root."""

    name: str
    routes: Iterable[Route]
    identify: Callable[[web.Request, Access], Awaitable[Principal | None]] = bearer
    error_body: Callable[[Fault], dict[str, Any]] = plain_body
    cors: Cors = Cors.NONE
    records: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By kind of document: the collections of records whose changes the feed tells
    (`Feed.records_since`)."""
    about: str = ""
    """What the API is, for the OpenAPI document: the package's docstring."""
    error: Content = Problem
    """What `error_body` makes, as a type or one of `server.describe`'s words."""
    schemes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """OpenAPI security schemes of its own by name, such as a cookie or a password header."""
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    """By kind of document: what it may hold; what a peer sends that breaks it is refused."""
    part_of: str = ""
    """The adapter with which it is switched off, where that is another one."""
    is_closed: bool = False
    """Whether a wrong method on one of its paths, too, is only told to whom the path lets in."""
    install: Callable[[web.Application, Pool], None] | None = None
    """Puts into an application what the routes look up; what is shared stands there by then."""


PRINCIPAL = web.RequestKey("principal", Principal)


def principal_of(request: web.Request) -> Principal:
    """Who is asking, on a route whose policy asks for it."""
    return request[PRINCIPAL]


@dataclass(frozen=True, kw_only=True)
class Mounted:
    """A route in a running application, with the adapter that it belongs to."""

    adapter: Adapter
    route: Route


TABLE = web.AppKey("route table", dict[Any, Mounted])
"""From the handler that aiohttp calls to the route it stands for."""

CLOSED = web.AppKey("closed paths", dict[str, Mounted])
"""The paths of closed adapters, and a route of each."""


def mount(app: web.Application, adapter: Adapter) -> None:
    """Put an adapter's routes into an application, each behind its policy."""
    table = app[TABLE]
    for route in adapter.routes:
        handler = guarded(adapter, route)
        table[handler] = Mounted(adapter=adapter, route=route)
        app.router.add_route(route.method, route.path, handler)
        if adapter.is_closed:
            app[CLOSED].setdefault(route.path, table[handler])
        if route.method == "GET" and route.access is not SOCKET:
            app.router.add_route("HEAD", route.path, handler)
    if adapter.cors is not Cors.NONE:
        for path in dict.fromkeys(route.path for route in adapter.routes):
            app.router.add_route("OPTIONS", path, _preflight_of(adapter, path, table))


def guarded(adapter: Adapter, route: Route) -> Handler:
    """A route's handler behind its policy: limit, then identity, then the handler."""
    access = route.access

    async def handle(request: web.Request) -> web.StreamResponse:
        limits = request.app[LIMITS]
        remote = request.app[HOSTS].remote(request)
        limits["address"].take(remote)
        if access.limit is not None:
            limits[access.limit].take(remote)
        if access.kinds:
            principal = await adapter.identify(request, access)
            if principal is not None and _is_admitted(principal, access):
                limits["account"].take(principal.account)
                request[PRINCIPAL] = principal
        return await route.handler(request)

    return handle


def _is_admitted(principal: Principal, access: Access) -> bool:
    reason = "forbidden"
    if principal.kind in access.kinds:
        if access.admin and not principal.is_admin:
            reason = "admin_required"
        elif access.writes and principal.role_max < Role.EDITOR and principal.scopes:
            reason = "token_read_only"
        else:
            return True
    if access.optional:
        return False
    raise Forbidden(reason)


def _preflight_of(adapter: Adapter, path: str, table: dict[Any, Mounted]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        # Adapters may share a path.
        here = (one.route.method for one in table.values() if one.route.path == path)
        return preflight(request, set(here) - {"OPTIONS"})

    route = Route(
        method="OPTIONS", path=path, handler=answer, access=ANYONE, summary="CORS preflight."
    )
    table[answer] = Mounted(adapter=adapter, route=route)
    return answer


def mounted(request: web.Request) -> Mounted | None:
    """The table's entry for the route of a request; None where no route fits."""
    found = request.app[TABLE].get(request.match_info.handler)
    return request.app[CLOSED].get(request.path) if found is None else found


async def check_closed(request: web.Request) -> None:
    """Of a wrong method on a path of a closed adapter: raise Unauthorized for strangers first."""
    closed = request.app[CLOSED].get(request.path)
    if closed is not None and isinstance(
        request.match_info.http_exception, web.HTTPMethodNotAllowed
    ):
        await closed.adapter.identify(request, closed.route.access)


def undeclared(app: web.Application) -> list[str]:
    """The routes of an application that did not come through `mount`, so have no policy."""
    return [
        f"{route.method} {route.resource.canonical if route.resource else '?'}"
        for route in app.router.routes()
        if route.handler not in app[TABLE]
    ]


def parameters(path: str) -> list[str]:
    """The names of a path's parameters, in order."""
    return re.findall(r"\{(\w+)", path)
