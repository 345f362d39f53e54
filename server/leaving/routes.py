"""One's data: all of it as an archive, and the account gone with all that is its own.

An export is a tar archive: `account.json`, `records/TABLE.jsonl`, a Yjs update for each document
(`workspaces/ID/documents/NAME.yjs`, blocks as `.md` too), and `files/HASH`. Secrets are left out,
and so is what one wrote in workspaces of others.

A removal takes one's workspaces with everything in them (one that has another owner becomes that
owner's), logins, tokens, links, images, sites. In workspaces of others one's words stay, without
one's name.
"""

from __future__ import annotations

import asyncio
import logging
import time

import msgspec
from aiohttp import web

from server.adapter import ACCOUNT, ADMINISTRATOR, Adapter, Routes, principal_of
from server.cors import Cors
from server.describe import Binary
from server.documents import DOCUMENTS
from server.errors import ApiError, NotFound
from server.files import FILES
from server.http import read_body, reply
from server.identity import IDENTITY
from server.leaving.archive import tar
from server.rights import is_fit
from storage.leaving.export import entries
from storage.leaving.removal import remove_account
from storage.pool import Pool

log = logging.getLogger("plait.accounts")

ROUTES = Routes(section="One's data")
POOL = web.AppKey("pool of leaving", Pool)
BUSY = web.AppKey("exports and removals under way", set[str])


def _install(app: web.Application, pool: Pool) -> None:
    app[POOL] = pool
    app[BUSY] = set()


LEAVING = Adapter(
    name="leaving", routes=ROUTES, cors=Cors.MIRROR, about=__doc__ or "", install=_install
)

_TAR = Binary(media="application/x-tar", about="The archive.")
_ONE = "An export or removal of this account is under way."


class Leave(msgspec.Struct, kw_only=True):
    """Body of the routes that remove an account."""

    confirm: str = ""
    """The account's id, so that nobody removes an account by mistake."""


class Left(msgspec.Struct, kw_only=True):
    """What went."""

    success: bool
    workspaces: int
    handed_over: int
    """Workspaces that have another owner, and are that owner's now."""
    documents: int


@ROUTES.get("/api/me/export", access=ACCOUNT, reply=_TAR, errors={409: _ONE})
async def export(request: web.Request) -> web.StreamResponse:
    """Everything that is the caller's, as a tar archive."""
    return await _export(request, principal_of(request).account)


@ROUTES.get(
    "/api/admin/accounts/{account_id}/export",
    access=ADMINISTRATOR,
    reply=_TAR,
    errors={404: "", 409: _ONE},
)
async def export_of(request: web.Request) -> web.StreamResponse:
    """Everything that is an account's, as a tar archive."""
    return await _export(request, await _named(request))


@ROUTES.delete(
    "/api/me",
    access=ACCOUNT,
    body=Leave,
    reply=Left,
    errors={400: "It was not confirmed.", 409: "It is the last administrator, or is going."},
)
async def leave(request: web.Request) -> web.Response:
    """Remove the caller's account with everything of its own, for good."""
    return await _leave(request, principal_of(request).account)


@ROUTES.delete(
    "/api/admin/accounts/{account_id}",
    access=ADMINISTRATOR,
    body=Leave,
    reply=Left,
    errors={
        400: "It was not confirmed.",
        404: "",
        409: "It is the last administrator, or is going.",
    },
)
async def remove(request: web.Request) -> web.Response:
    """Remove an account with everything of its own, for good."""
    return await _leave(request, await _named(request))


async def _named(request: web.Request) -> str:
    name = request.match_info["account_id"]
    found = await request.app[IDENTITY].accounts.get(name) if is_fit(name) else None
    if found is None:
        raise NotFound
    return found.id


async def _export(request: web.Request, account: str) -> web.StreamResponse:
    app = request.app
    busy, blobs = app[BUSY], app[FILES].blobs
    _begin(busy, account)
    try:
        run = app[DOCUMENTS].workers.in_background
        response = web.StreamResponse()
        response.content_type = "application/x-tar"
        name = f'attachment; filename="plait-{account}.tar"'
        response.headers["Content-Disposition"] = name
        response.headers["Cache-Control"] = "no-store"
        await response.prepare(request)
        if request.method != "HEAD":
            async for piece in tar(entries(app[POOL], blobs, account, run), blobs, time.time()):
                async with asyncio.timeout(app[FILES].settings.transfer_stuck_s):
                    await response.write(piece)
        await response.write_eof()
    finally:
        busy.discard(account)
    return response


async def _leave(request: web.Request, account: str) -> web.Response:
    body = await read_body(request, Leave)
    if body.confirm != account:
        raise ApiError(400, "not_confirmed", "confirm must be the account's id")
    app, who = request.app, principal_of(request).account
    _begin(app[BUSY], account)
    try:
        # Whoever asked may be gone before it is done; it goes on.
        done = await asyncio.shield(_remove(app, account))
    finally:
        app[BUSY].discard(account)
    if done is None:
        raise NotFound
    log.info("%s removed account %s: %d documents", who, account, done.documents)
    return reply(done)


async def _remove(app: web.Application, account: str) -> Left | None:
    documents = app[DOCUMENTS]
    done = await remove_account(app[POOL], account, lambda gone: documents.end(gone, "deleted"))
    await app[IDENTITY].take_in()
    if done is None:
        return None
    return Left(
        success=True,
        workspaces=done.workspaces,
        handed_over=done.handed_over,
        documents=done.documents,
    )


def _begin(busy: set[str], account: str) -> None:
    if account in busy:
        raise ApiError(409, "under_way", "an export or removal of this account is under way")
    busy.add(account)
