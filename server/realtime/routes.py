"""The doors for editors: /ws (Hocuspocus), /ws/{document} (y-websocket), /d/… (Y-Sweet)."""

from __future__ import annotations

from urllib.parse import unquote

from aiohttp import web

from auth.errors import AuthError, Unauthorized
from auth.principal import Principal, Role
from crdt.errors import BadName
from crdt.ids import DocumentName
from server.adapter import SOCKET, Routes
from server.entrance import API
from server.errors import NotFound
from server.hosts import HOSTS
from server.limits import network_of
from server.realtime import upgrade
from server.realtime.hocuspocus import HocuspocusConnection
from server.realtime.register import REALTIME
from server.realtime.y import YConnection
from server.realtime.ysweet_socket import YSweetConnection
from server.session import cookie

ROUTES = Routes()

ABOUT = """\
The doors for editors: WebSockets in three dialects, which meet in the same documents.

The dialect is told by the address: `/ws` speaks Hocuspocus, `/ws/{document}` y-websocket,
`/d/{document}/ws/{document}` Y-Sweet. A request that is no WebSocket handshake gets 426."""

_SOCKET = SOCKET.scoped(API)

_TOKEN_PREFIXES = ("yauth-", "plait-")


def credential(request: web.Request, *, query: bool) -> tuple[str | None, str | None]:
    """The token of a handshake and the subprotocol to answer with.

    Looked for in the Authorization header, `?token=` (also `?yauth=`) where `query` allows it, and
    the subprotocols, where browsers can put one: `yauth-TOKEN` or `plait-TOKEN`. A client that
    offers subprotocols must be answered with one of them.
    """
    offered = [
        part.strip()
        for header in request.headers.getall("Sec-WebSocket-Protocol", [])
        for part in header.split(",")
        if part.strip()
    ]
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    token = bearer.strip() if scheme.lower() == "bearer" else None
    if query:
        token = token or request.query.get("token") or request.query.get("yauth")
    chosen = offered[0] if offered else None
    for part in offered:
        if part.startswith(_TOKEN_PREFIXES):
            chosen = part
            token = token or part.split("-", 1)[1]
            break
    return token or None, chosen


@ROUTES.get("/ws", access=_SOCKET, replies={101: None})
async def hocuspocus(request: web.Request) -> web.StreamResponse:
    """Live sync by the Hocuspocus protocol: many documents, each with its token in a frame.

    Notices: the stateless message `{"type": "subscribe", "workspace_id": "…"}` of an open document
    is answered with `{"type": "subscribed", "workspace_id": …, "stamp": …}` or
    `{"type": "refused", "error": …}`, and from that stamp on each change in the workspace is told
    in a stateless message: `{"type": "block_changed", "kind": "changed", "workspace_id": …,
    "block_id": …, "stamp": …, "sync_version": …, "title": …}`, likewise `block_created`,
    `block_trashed`, `block_deleted` and `block_restored`.

    `{"type": "member_changed", "kind": "added", "user_id": …, "role": …, "stamp": …}` tells of
    members (`added`, `changed`, `removed`). `{"type": "resync", "since": …, "stamp": …}` stands for
    more changes than are told one by one: ask delta. `unsubscribe` ends it; who loses the right to
    hear is told `{"type": "unsubscribed", "reason": "forbidden"}`.
    """
    realtime = request.app[REALTIME]
    remote = network_of(request.app[HOSTS].remote(request))
    upgrade.admit(realtime, remote)
    key = upgrade.accept_key(request)
    # A URL ends up in logs; providers of this protocol have a frame for the token.
    token, subprotocol = credential(request, query=False)
    principal = await realtime.identify.from_token(token, API) if token else None
    if principal is None and "Cookie" in request.headers:
        principal = await _in_browser(request, insists=False)
    upgrade.has_room(realtime, remote)
    connection = HocuspocusConnection(
        realtime,
        upgrade.transport_of(request),
        remote,
        principal,
        request.query.get("workspaceId"),
    )
    connection.opened(authenticated=False)
    return upgrade.take_over(request, key, subprotocol, connection)


def document_of(request: web.Request) -> str:
    """The document's name in the path, percent-decoded once."""
    raw = request.rel_url.raw_path.removeprefix("/ws/")
    try:
        return unquote(raw, errors="strict")
    except UnicodeDecodeError:
        raise BadName("bad-utf8") from None


@ROUTES.get("/ws/{document:.+}", access=_SOCKET, replies={101: None})
async def y_websocket(request: web.Request) -> web.StreamResponse:
    """Live sync by the y-websocket protocol; a new document is made in the caller's workspace.

    `difflog/PROFILE` is a profile's document, with the hash of its password as the token;
    `ascently/ACCOUNT` is the caller's own dataset.
    """
    name = DocumentName.parse(document_of(request), request.query.get("workspaceId"))
    return await _enter(request, name, YConnection)


@ROUTES.get("/d/{document}/ws/{again}", access=_SOCKET, replies={101: None})
async def y_sweet(request: web.Request) -> web.StreamResponse:
    """Live sync of a Y-Sweet client with its document token."""
    if request.match_info["document"] != request.match_info["again"]:
        raise NotFound
    return await _enter(request, DocumentName.parse(request.match_info["again"]), YSweetConnection)


async def _in_browser(request: web.Request, *, insists: bool) -> Principal | None:
    """Who a page of ours is logged in as, by the cookie; None where no cookie is shown.

    Raises Unauthorized and, for pages of others, Forbidden; None instead where the dialect has
    frames to show a token in, so that nobody `insists`.
    """
    try:
        text = cookie.of(request)
        if text is None:
            return None
        principal = await request.app[REALTIME].identify.from_cookie(text)
        cookie.check_origin(request)
    except AuthError:
        if insists:
            raise
        return None
    return principal


async def _enter(
    request: web.Request, name: DocumentName, dialect: type[YConnection]
) -> web.StreamResponse:
    """Check the token and the right, then let the socket into the document's room."""
    realtime = request.app[REALTIME]
    remote = network_of(request.app[HOSTS].remote(request))
    upgrade.admit(realtime, remote)
    key = upgrade.accept_key(request)
    token, subprotocol = credential(request, query=True)
    shown = token if token is not None else await _in_browser(request, insists=True)
    if shown is None:
        raise Unauthorized("token_missing")
    create = dialect is YConnection
    principal, record, role = await realtime.entrance.enter(name, shown, create=create)
    # While an HTTP answer can still say that there is no room for one more.
    upgrade.has_room(realtime, remote)
    realtime.documents.guard.admit(principal)
    realtime.documents.room(record)
    transport = upgrade.transport_of(request)
    connection = dialect(realtime, transport, remote, principal, can_write=role >= Role.EDITOR)
    # First: a client's first frame may have come right behind its handshake.
    connection.enter(record)
    return upgrade.take_over(request, key, subprotocol, connection)
