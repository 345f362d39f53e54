"""Auth and session: the login by signed challenge, refreshing it, and who one is."""

from __future__ import annotations

from aiohttp import web

from auth.errors import ApprovalRequired
from server.adapter import ANYONE, REFRESH, Routes
from server.adapters.heaps import schema
from server.hosts import HOSTS
from server.http import read_body, reply
from server.identify import bearer_of
from server.identity import IDENTITY
from server.logins import Attempt, LoggedIn

ROUTES = Routes(section="Auth and session")

_BODY_BYTES_MAX = 16 * 1024
_LOGIN = ANYONE.limited("auth")
_REFUSED = {
    401: "The signature is wrong, or the challenge is not one of this server that is still open.",
    403: "The account waits for approval, is disabled, or the server takes no new ones.",
}


@ROUTES.post(
    "/api/auth/verify_key",
    access=_LOGIN,
    body=schema.VerifyKey,
    reply=schema.KeyVerified | schema.KeyPending,
    errors=_REFUSED,
)
async def verify_key(request: web.Request) -> web.Response:
    """Verify a signed challenge; tokens when the account is approved."""
    body = await read_body(request, schema.VerifyKey, bytes_max=_BODY_BYTES_MAX)
    attempt = Attempt(
        public_key=body.public_key,
        message=body.message,
        signature=body.signed_message,
        server_challenge=body.server_challenge,
        setup_code=body.setup_code,
        is_local=request.app[HOSTS].is_local(request),
    )
    try:
        done = await request.app[IDENTITY].logins.log_in(attempt)
    except ApprovalRequired:
        return reply(schema.KeyPending(success=True, verified=True, approval_required=True))
    return reply(_key_verified(request, done))


@ROUTES.post(
    "/api/auth/create_session",
    access=_LOGIN,
    body=schema.CreateSession,
    reply=schema.SessionCreated,
)
async def create_session(request: web.Request) -> web.Response:
    """Issue a challenge to sign, alike for known and unknown keys."""
    body = await read_body(request, schema.CreateSession, bytes_max=_BODY_BYTES_MAX)
    challenge = request.app[IDENTITY].logins.challenge(body.public_key)
    return reply(schema.SessionCreated(success=True, challenge=challenge))


@ROUTES.post(
    "/api/auth/verify_session",
    access=_LOGIN,
    body=schema.VerifySession,
    reply=schema.SessionVerified,
    errors=_REFUSED,
)
async def verify_session(request: web.Request) -> web.Response:
    """Complete a login: tokens for a signed challenge."""
    body = await read_body(request, schema.VerifySession, bytes_max=_BODY_BYTES_MAX)
    done = await request.app[IDENTITY].logins.log_in(
        Attempt(
            public_key=body.public_key,
            message=body.message,
            signature=body.signature,
            server_challenge=body.server_challenge,
            email=body.email or "",
            setup_code=body.setup_code,
            is_local=request.app[HOSTS].is_local(request),
        )
    )
    return reply(_session_verified(request, done))


@ROUTES.post(
    "/api/auth/refresh_token", access=REFRESH.limited("auth"), body=None, reply=schema.Renewed
)
async def refresh_token(request: web.Request) -> web.Response:
    """Exchange a refresh token, shown as bearer, for a new pair."""
    pair = await request.app[IDENTITY].logins.renew(bearer_of(request))
    return reply(schema.Renewed(success=True, access_token=pair.access, refresh_token=pair.refresh))


def _key_verified(request: web.Request, done: LoggedIn) -> schema.KeyVerified:
    return schema.KeyVerified(
        success=True,
        verified=True,
        approval_required=False,
        access_token=done.pair.access,
        refresh_token=done.pair.refresh,
        server_public_key=request.app[IDENTITY].keyring.identity.public_text,
        server_signature=done.server_signature,
        signed_server_challenge=done.server_signature,
        user_id=done.account.id,
        workspace_id=done.account.default_workspace,
        is_admin=done.account.is_admin,
    )


def _session_verified(request: web.Request, done: LoggedIn) -> schema.SessionVerified:
    identity = request.app[IDENTITY]
    return schema.SessionVerified(
        success=True,
        access_token=done.pair.access,
        refresh_token=done.pair.refresh,
        server_public_key=identity.keyring.identity.public_text,
        server_signature=done.server_signature,
        signed_server_challenge=done.server_signature,
        server_name=identity.settings.name,
        server_url=identity.hosts.public_url,
        user_id=done.account.id,
        workspace_id=done.account.default_workspace,
        is_admin=done.account.is_admin,
    )
