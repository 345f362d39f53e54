"""Sync for devices that come and go: what changed, push, pull."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from auth.errors import Forbidden
from auth.principal import Principal, Role
from crdt.ids import spelled
from server.adapter import Routes, principal_of
from server.adapters.heaps import mapping_sync as mapping
from server.adapters.heaps import schema_sync as schema
from server.adapters.heaps.policy import READ, WRITE
from server.adapters.heaps.pulling import Pulling
from server.adapters.heaps.pushing import Pushing
from server.adapters.heaps.surrogates import without_lone
from server.budget import BODIES
from server.documents import DOCUMENTS
from server.errors import ApiError, BadBody
from server.feed import FEED
from server.http import NotJson, decoded, read_body, read_bytes, reply
from server.rights import RIGHTS, is_fit

ROUTES = Routes(section="Sync")

_AT_ONCE_BYTES: Final = 1 << 20
_Body = TypeVar("_Body", schema.Push, schema.Pull)
_PUSH: Final = msgspec.json.Decoder(schema.Push)
_PULL: Final = msgspec.json.Decoder(schema.Pull)


@ROUTES.get("/api/sync/delta", access=READ, query=schema.Since, reply=schema.Delta, errors=(403,))
async def delta(request: web.Request) -> web.Response:
    """Changed and deleted blocks of a workspace since a marker."""
    query = request.query
    scope = query.get("workspace_id") or query.get("heap_id")
    return await _delta(request, scope, query.get("since"), query.get("limit"))


@ROUTES.post("/api/sync/push", access=WRITE, body=schema.Push, reply=schema.Pushed)
async def push(request: web.Request) -> web.Response:
    """Push updates of up to 1,000 blocks; each has its own result."""
    async with _blocks(request, _PUSH) as blocks:
        return reply(await Pushing(request.app, principal_of(request)).push(blocks))


@ROUTES.post("/api/sync/pull", access=READ, body=schema.Pull, reply=schema.Pulled)
async def pull(request: web.Request) -> web.Response:
    """What is missing of up to 1,000 blocks, or their full state, or that they are deleted."""
    async with _blocks(request, _PULL) as blocks:
        return reply(await Pulling(request.app, principal_of(request)).pull(blocks))


@ROUTES.post("/api/heap/changed_blocks", access=READ, body=schema.ChangedBlocks, reply=schema.Delta)
async def changed_blocks(request: web.Request) -> web.Response:
    """The same feed as delta, asked for in a body."""
    body = await read_body(request, schema.ChangedBlocks)
    return await _delta(request, body.heap_id or body.workspace_id, body.since, body.limit)


async def _delta(
    request: web.Request, scope: str | None, since: object, limit: object
) -> web.Response:
    if not scope:
        raise BadBody("it names no workspace", "the request")
    scope = spelled(scope)
    await _admit(request, principal_of(request), scope)
    most = request.app[DOCUMENTS].settings.delta_entries_max
    page = await request.app[FEED].since(
        scope, mapping.marker(since), min(mapping.marker(limit) or most, most)
    )
    return reply(mapping.delta(scope, page))


async def _admit(request: web.Request, principal: Principal, scope: str) -> None:
    """Members only, also of a workspace that was deleted: its feed tells them so."""
    role = await request.app[RIGHTS].role_in(principal.account, scope)
    if min(role, principal.role_max) is not Role.NONE:
        return
    changes = request.app[FEED].changes
    if not is_fit(scope) or not await changes.outlived(scope, principal.account):
        raise Forbidden


@asynccontextmanager
async def _blocks(
    request: web.Request, whole: msgspec.json.Decoder[_Body]
) -> AsyncIterator[Sequence[mapping.Block]]:
    """The blocks in the body, while there is room for it in memory."""
    settings = request.app[DOCUMENTS].settings
    with request.app[BODIES].take(request.content_length or settings.push_bytes_max):
        data = await read_bytes(request, settings.push_bytes_max)
        blocks = _at_once(data, whole) or _unread(data)
        del data
        if len(blocks) > settings.push_blocks_max:
            raise ApiError(
                413, "too_many_blocks", f"more than {settings.push_blocks_max} blocks at a time"
            )
        yield blocks


def _at_once(data: bytes, whole: msgspec.json.Decoder[_Body]) -> Sequence[mapping.Block]:
    """All blocks, read; none where one of them cannot be, or they would hold up the loop."""
    if len(data) > _AT_ONCE_BYTES:
        return ()
    try:
        return whole.decode(data).blocks
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ()


def _unread(data: bytes) -> Sequence[mapping.Block]:
    """The blocks, each to be read by itself."""
    try:
        return decoded(data, schema.Blocks).blocks
    except NotJson:
        # Half a character in one block is no reason to refuse the others.
        mended = without_lone(data)
        if mended is None:
            raise
        return decoded(mended, schema.Blocks).blocks
