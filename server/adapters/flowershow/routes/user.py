"""Who one is: the account as the addresses of its sites show it, and its tokens."""

from __future__ import annotations

from aiohttp import web

from server.adapter import SESSION, Routes, principal_of
from server.adapters.flowershow import mapping, schema
from server.adapters.flowershow.policy import READ, WRITE, Complaint, invalid
from server.adapters.flowershow.stores import STORES
from server.http import read_body, reply
from server.identity import IDENTITY
from server.rights import is_fit
from server.sites.names import is_username

ROUTES = Routes("User")

_NAME_LETTERS_MAX = 100


@ROUTES.get("/api/user", access=READ.or_session(), reply=schema.User, errors=(404,))
async def user(request: web.Request) -> web.Response:
    """Who the caller is."""
    return await _user(request)


@ROUTES.patch(
    "/api/user",
    access=WRITE.or_session(),
    body=schema.ChangeUser,
    reply=schema.User,
    errors={400: "invalid_username or invalid_name.", 409: "username_taken."},
)
async def change(request: web.Request) -> web.Response:
    """Choose a username, which is part of the addresses of one's sites, or a name to show.

    A username has 3 to 39 letters and digits with single hyphens between; the addresses of all
    sites follow it.
    """
    body = await read_body(request, schema.ChangeUser)
    if body.username is not None and not is_username(body.username):
        raise Complaint(
            400, "invalid_username", "3 to 39 letters and digits, with single hyphens between"
        )
    name = body.name
    if name is not None:
        name = "".join(letter for letter in name if letter.isprintable()).strip()
        if len(name) > _NAME_LETTERS_MAX:
            raise Complaint(400, "invalid_name", f"at most {_NAME_LETTERS_MAX} letters")
    account = principal_of(request).account
    if not await request.app[STORES].people.change(account, body.username, name):
        raise Complaint(409, "username_taken", "somebody else has that username")
    return await _user(request)


@ROUTES.post(
    "/api/tokens/revoke",
    access=SESSION,
    body=schema.RevokeToken,
    reply=schema.Done,
    errors={400: "invalid_request.", 404: "not_found."},
)
async def revoke(request: web.Request) -> web.Response:
    """Revoke one of the caller's tokens; with a token itself nobody revokes any."""
    body = await read_body(request, schema.RevokeToken)
    if not body.token_id:
        raise invalid("token_id is needed")
    identity, account = request.app[IDENTITY], principal_of(request).account
    if not is_fit(body.token_id) or not await identity.personal.revoke(account, body.token_id):
        raise Complaint(404, "not_found", "there is no such token")
    await identity.take_in()
    return reply(schema.Done())


async def _user(request: web.Request) -> web.Response:
    profile = await request.app[STORES].people.find(principal_of(request).account)
    if profile is None:
        raise Complaint(404, "not_found", "there is no such account")
    return reply(mapping.user(profile), headers={"Cache-Control": "no-store"})
