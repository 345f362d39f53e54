"""Files and uploads: how files are read, whole or in ranges, by header or by token in the URL."""

from __future__ import annotations

import secrets
import time

from aiohttp import web

from auth.principal import Kind, Role
from server.adapter import DOCUMENT, FILE, Routes, principal_of
from server.adapters.heaps import schema_files as schema
from server.adapters.heaps.filing import file_asked_for, readable_block
from server.adapters.heaps.policy import API
from server.files import FILES
from server.http import read_query, reply
from server.identity import IDENTITY
from server.serving import GIVEN, Conditions, Shown, serve
from storage.blobs import Blob

ROUTES = Routes(section="Files and uploads")


@ROUTES.get(
    "/api/file/{key}/raw/{slug}",
    "/api/stream/{key}/{slug}",
    access=FILE.reading(API),
    query=schema.Shown,
    headers=Conditions,
    replies=GIVEN,
)
async def raw(request: web.Request) -> web.StreamResponse:
    """A file of a block, or one range of it.

    `key` is the block's id, or the file's. The slug says which file of the block, by its hash, id
    or name; any other slug means the newest.
    """
    query = read_query(request, schema.Shown)
    _, file = await file_asked_for(request)
    shown = Shown(
        name=file.name,
        mime_type=file.mime_type,
        modified=file.created_at,
        download=query.download not in {"", "0", "false"},
    )
    return await serve(request, Blob(file.hash, file.size), shown)


@ROUTES.post(
    "/api/file/{key}/token", access=DOCUMENT.reading(API), body=None, reply=schema.FileToken
)
async def token(request: web.Request) -> web.Response:
    """A token for `?token=` in the URLs of a block's files; it opens nothing else, for minutes."""
    block, principal = await readable_block(request), principal_of(request)
    now, seconds = time.time(), request.app[FILES].settings.file_token_s
    if principal.kind is not Kind.ACCESS and principal.expires_at is not None:
        seconds = max(1, min(seconds, int(principal.expires_at - now)))
    made = request.app[IDENTITY].tokens.mint_document(
        account=principal.account,
        document=block.id,
        scope=block.scope,
        name=block.name,
        role=Role.VIEWER,
        now=now,
        random_bytes=secrets.token_bytes(16),
        lifetime_s=seconds,
        via=principal.token if principal.kind is Kind.PERSONAL else principal.via,
        kind=Kind.FILE,
    )
    return reply(schema.FileToken(success=True, token=made, expires_in=seconds))
