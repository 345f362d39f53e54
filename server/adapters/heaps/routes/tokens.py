"""Personal access tokens: made, listed and revoked by somebody who is logged in.

A token itself opens none of these routes, so that a stolen one makes no others.
"""

from __future__ import annotations

from aiohttp import web

from auth.personal import read_scopes
from server.adapter import Routes, principal_of
from server.adapters.heaps import schema_tokens as schema
from server.adapters.heaps.moments import spelled
from server.adapters.heaps.policy import LOGIN
from server.errors import ApiError, BadBody, NotFound
from server.http import read_body, reply
from server.identity import IDENTITY
from server.personal import make_token
from server.rights import is_fit
from storage.access_tokens import AccessToken

ROUTES = Routes(section="Personal access tokens")


@ROUTES.post(
    "/api/access-tokens",
    access=LOGIN.limited("auth"),
    body=schema.MakeToken,
    replies={201: schema.TokenMade},
    errors={409: "The account has as many tokens as it may have, or is not active."},
)
async def make(request: web.Request) -> web.Response:
    """Make a personal access token; the reply is the only place where it is shown."""
    body = await read_body(request, schema.MakeToken)
    identity = request.app[IDENTITY]
    most = identity.settings.access_tokens_per_account_max
    made = await make_token(
        identity.personal,
        account=principal_of(request).account,
        name=body.name,
        scopes=read_scopes(body.scopes),
        now=identity.clock(),
        lifetime_s=body.expires_in,
        most=most,
    )
    if made is None:
        raise ApiError(409, "too_many_tokens", f"an account has {most} tokens at most")
    token, text = made
    shown = schema.TokenMade(success=True, token=text, access_token=_shown(token, token.created_at))
    return reply(shown, 201, {"Cache-Control": "no-store"})


@ROUTES.get("/api/access-tokens", access=LOGIN, reply=schema.TokenList)
async def listed(request: web.Request) -> web.Response:
    """List the caller's personal access tokens, without their secrets."""
    identity = request.app[IDENTITY]
    await identity.identify.uses.flush()
    tokens = await identity.personal.listed(principal_of(request).account)
    now = identity.clock()
    return reply(
        schema.TokenList(success=True, access_tokens=[_shown(each, now) for each in tokens])
    )


@ROUTES.delete(
    "/api/access-tokens/{token_id}",
    access=LOGIN,
    body=None,
    reply=schema.TokensRevoked,
    errors=(404,),
)
async def revoke(request: web.Request) -> web.Response:
    """Revoke one token; what is open with it ends within two seconds."""
    return await _revoke(request, request.match_info["token_id"])


@ROUTES.delete(
    "/api/access-tokens",
    access=LOGIN,
    body=schema.RevokeToken,
    reply=schema.TokensRevoked,
    errors=(404,),
)
async def revoke_named(request: web.Request) -> web.Response:
    """Revoke the token that the body names, or all of the caller's."""
    body = await read_body(request, schema.RevokeToken)
    if (body.id is None) is not body.all:
        raise BadBody("it names either an id or all")
    return await _revoke(request, body.id)


async def _revoke(request: web.Request, token: str | None) -> web.Response:
    identity = request.app[IDENTITY]
    if token is not None and not is_fit(token):
        raise NotFound
    revoked = await identity.personal.revoke(principal_of(request).account, token)
    if token is not None and not revoked:
        raise NotFound
    await identity.take_in()
    return reply(schema.TokensRevoked(success=True, revoked=revoked))


def _shown(token: AccessToken, now: float) -> schema.Token:
    return schema.Token(
        id=token.id,
        name=token.name,
        prefix=token.prefix,
        scopes=token.scopes,
        created_at=spelled(token.created_at),
        expires_at=spelled(token.expires_at),
        last_used_at=spelled(token.used_at),
        is_expired=token.expires_at is not None and token.expires_at <= now,
    )
