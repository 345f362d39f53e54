"""The session of a browser: a signed challenge becomes a cookie, and that ends on the server.

`GET /api/sessions` lists it among the other logins, and ends it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from auth.errors import Unauthorized
from server.adapter import ANYONE, SESSION, Adapter, Routes, principal_of
from server.hosts import HOSTS
from server.http import read_body, reply
from server.identity import IDENTITY
from server.logins import Attempt
from server.session import cookie, schema

ROUTES = Routes(section="Session of a browser")

_CLIENT_LETTERS_MAX = 200
_BODY_BYTES_MAX = 16 * 1024
_PRIVATE = {"Cache-Control": "no-store"}


@ROUTES.post(
    "/api/session",
    access=ANYONE.limited("auth"),
    body=schema.Open,
    reply=schema.Opened,
    errors={
        401: "The signature is wrong, or the challenge is not one of this server that is open.",
        403: "The account waits for approval, is disabled, or a foreign page asks.",
    },
)
async def open_session(request: web.Request) -> web.Response:
    """Exchange a signed challenge for the session cookie.

    The challenge comes from `/api/auth/create_session`. A page of another origin may not ask.
    """
    if "Origin" in request.headers:
        # Else a foreign page could log its reader in as somebody else.
        cookie.check_origin(request)
    body = await read_body(request, schema.Open, bytes_max=_BODY_BYTES_MAX)
    identity = request.app[IDENTITY]
    attempt = Attempt(
        public_key=body.public_key,
        message=body.message,
        signature=body.signature or body.signed_message,
        server_challenge=body.server_challenge,
        email=body.email or "",
        setup_code=body.setup_code,
        register=body.register,
        is_local=request.app[HOSTS].is_local(request),
    )
    made = await identity.logins.open_session(attempt, _client(request))
    answer = schema.Opened(
        success=True,
        user_id=made.account.id,
        workspace_id=made.account.default_workspace,
        is_admin=made.account.is_admin,
        session_id=made.family,
        expires_at=_moment(made.expires_at),
        server_public_key=identity.keyring.identity.public_text,
        server_signature=made.server_signature,
    )
    response = reply(answer, headers=_PRIVATE)
    cookie.give(request, response, made.cookie, identity.settings.session_s)
    return response


@ROUTES.get("/api/session", access=SESSION, reply=schema.Current)
async def current(request: web.Request) -> web.Response:
    """Who the browser is logged in as."""
    principal = principal_of(request)
    answer = schema.Current(
        success=True,
        user_id=principal.account,
        workspace_id=principal.default_workspace or "",
        is_admin=principal.is_admin,
        session_id=principal.family or "",
        expires_at=_moment(principal.expires_at or 0.0),
    )
    return reply(answer, headers=_PRIVATE)


@ROUTES.delete("/api/session", access=SESSION, body=None, reply=schema.Ended)
async def log_out(request: web.Request) -> web.Response:
    """End the session on the server, and have the browser forget the cookie."""
    identity, principal = request.app[IDENTITY], principal_of(request)
    await identity.credentials.revoke(principal.account, principal.family or "")
    await identity.take_in()
    response = reply(schema.Ended(success=True), headers=_PRIVATE)
    cookie.give(request, response, "", 0)
    return response


@ROUTES.post("/api/session/token", access=SESSION, body=None, reply=schema.Token)
async def token(request: web.Request) -> web.Response:
    """An access token of the same login, for the routes that take no cookie."""
    identity, principal = request.app[IDENTITY], principal_of(request)
    if principal.family is None:
        raise Unauthorized("token_revoked")
    made = schema.Token(
        success=True,
        access_token=identity.logins.access_for(principal.account, principal.family),
        expires_in=identity.settings.access_token_s,
    )
    return reply(made, headers=_PRIVATE)


def _client(request: web.Request) -> str:
    said = request.headers.get("User-Agent", "")
    shown = "".join(letter for letter in said if letter.isprintable())
    return shown.encode("utf-8", "replace").decode()[:_CLIENT_LETTERS_MAX] or "browser"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


SESSIONS = Adapter(name="session", routes=ROUTES, about=__doc__ or "")
