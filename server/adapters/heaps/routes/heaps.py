"""Heaps: workspaces listed, made, counted, deleted and restored."""

from __future__ import annotations

import secrets
import time

from aiohttp import web

from auth.principal import Role
from crdt.ids import DocumentName, is_global_id, make_ulid, spelled
from crdt.projection import entitle
from server.adapter import ADMINISTRATOR, Routes, principal_of
from server.adapters.heaps import mapping_heaps as mapping
from server.adapters.heaps import schema_heaps as schema
from server.adapters.heaps.admission import admit, heap_of, named
from server.adapters.heaps.policy import READ, WRITE
from server.blocks import BLOCKS
from server.catalogue import CATALOGUE
from server.documents import DOCUMENTS
from server.errors import ApiError, BadBody, NotFound
from server.feed import FEED
from server.http import read_body, reply
from server.rights import is_fit
from storage.workspaces import Listed

ROUTES = Routes(section="Heaps")


@ROUTES.post(
    "/api/heaps",
    "/api/workspaces",
    access=READ,
    body=schema.ListHeaps,
    reply=list[schema.Heap],
)
async def heaps(request: web.Request) -> web.Response:
    """List the workspaces that the caller owns, with include_shared the others too."""
    body = await read_body(request, schema.ListHeaps)
    workspaces = request.app[CATALOGUE].workspaces
    account = principal_of(request).account

    async def listed() -> list[Listed]:
        return await workspaces.of(
            account,
            shared=body.include_shared,
            limit=body.limit or schema.LISTED_MAX,
            offset=body.offset,
        )

    found = await listed()
    for one in found:
        if one.index_block is None and one.owner == account:
            # It came with its account, before anybody needed a root block.
            await _index_of(request, one.id, account, one.id)
    is_news = await request.app[FEED].settle_all([one.id for one in found])
    if is_news or any(one.index_block is None for one in found):
        found = await listed()
    return reply([mapping.heap(one, one.role) for one in found])


@ROUTES.post(
    "/api/heap",
    access=READ,
    body=schema.Contents,
    reply=schema.HeapContents,
    errors=(404,),
)
async def heap(request: web.Request) -> web.Response:
    """The contents of a workspace, or its blocks of one type, last changed first."""
    body = await read_body(request, schema.Contents)
    scope = named(body)
    role = await admit(request, scope, Role.VIEWER)
    found = await _one(request, scope)
    await request.app[CATALOGUE].extracting.catch_up(scope)
    workspaces, which = request.app[CATALOGUE].workspaces, mapping.WHICH[body.type]
    limit = body.limit or schema.LISTED
    rows = await workspaces.contents(scope, which, limit, body.offset)
    total = await workspaces.count(scope, which)
    return reply(
        schema.HeapContents(
            success=True,
            heap_id=scope,
            workspace_id=scope,
            heap=mapping.heap(found, role.word),
            blocks=[mapping.block_row(scope, row) for row in rows],
            total=total,
            has_more=body.offset + len(rows) < total,
        )
    )


@ROUTES.post(
    "/api/heap_count",
    access=READ,
    body=schema.Contents,
    reply=schema.HeapCount,
    errors=(404,),
)
async def heap_count(request: web.Request) -> web.Response:
    """How many blocks a workspace has, in all or of one type."""
    body = await read_body(request, schema.Contents)
    scope = named(body)
    await admit(request, scope, Role.VIEWER)
    await request.app[CATALOGUE].extracting.catch_up(scope)
    count = await request.app[CATALOGUE].workspaces.count(scope, mapping.WHICH[body.type])
    return reply(schema.HeapCount(success=True, heap_id=scope, workspace_id=scope, count=count))


@ROUTES.post(
    "/api/heap/add",
    access=WRITE,
    body=schema.AddHeap,
    reply=schema.HeapAdded,
    errors={
        409: "The id belongs to another workspace or a deleted one, or the caller has too many."
    },
)
async def add(request: web.Request) -> web.Response:
    """Make a workspace with its root block; the same id again is the same workspace."""
    body = await read_body(request, schema.AddHeap)
    said = {_global(one) for one in (body.id, body.heap_id, body.workspace_id) if one}
    if len(said) > 1:
        raise BadBody("id, heap_id and workspace_id are names of one id, and differ")
    scope = said.pop() if said else _new_id()
    index, title = _global(body.block_id or scope), body.title or body.name or ""
    account = principal_of(request).account
    workspaces = request.app[CATALOGUE].workspaces
    if await workspaces.owner(scope) is None:
        await _room_for_one_more(request, account)
    block = await workspaces.add(scope, account, title, index)
    if block is None:
        if await workspaces.deleted_at(scope, account) is not None:
            raise ApiError(409, "workspace_deleted", "this workspace of yours was deleted")
        raise ApiError(409, "id_taken", "this id belongs to another workspace")
    block = block or await _index_of(request, scope, account, _new_id())
    if title:
        await _entitle(request, scope, block, title)
    found = mapping.heap(await _one(request, scope), Role.OWNER.word)
    return reply(
        schema.HeapAdded(
            success=True,
            id=scope,
            heap_id=scope,
            workspace_id=scope,
            block_id=block,
            title=found.title,
            heap=found,
        )
    )


@ROUTES.get("/api/heap/stats/{heap_id}", access=READ, reply=schema.Stats)
async def stats(request: web.Request) -> web.Response:
    """Blocks, files, bytes and members of a workspace."""
    scope = heap_of(request)
    await admit(request, scope, Role.VIEWER)
    await request.app[CATALOGUE].extracting.catch_up(scope)
    found = await _one(request, scope)
    return reply(mapping.stats(found, await request.app[CATALOGUE].workspaces.counts(scope)))


@ROUTES.delete(
    "/api/heap/{heap_id}",
    access=WRITE,
    reply=schema.HeapDeleted,
    errors={409: "An account's default workspace stays."},
)
async def delete(request: web.Request) -> web.Response:
    """Delete a workspace: its sockets close, and an administrator can restore it for a while.

    Who deleted it and asks again, because the answer was lost, gets the same answer.
    """
    scope = heap_of(request)
    catalogue, principal = request.app[CATALOGUE], principal_of(request)
    if not await _was_deleted(request, scope):
        await admit(request, scope, Role.OWNER)
        if await catalogue.workspaces.is_default(scope):
            raise ApiError(409, "default_workspace", "an account's default workspace stays")
        await catalogue.set_deleted(scope, deleted=True)
    at = await catalogue.workspaces.deleted_at(scope, principal.account)
    since = time.time() if at is None else at.timestamp()
    until = since + request.app[DOCUMENTS].settings.workspace_restore_s
    return reply(_deleted(scope, int(until * 1000)))


@ROUTES.post(
    "/api/heap/{heap_id}/restore", access=ADMINISTRATOR, body=None, reply=schema.HeapDeleted
)
async def restore(request: web.Request) -> web.Response:
    """Bring a deleted workspace back, while its time to be restored is not over."""
    scope = heap_of(request)
    catalogue = request.app[CATALOGUE]
    since = catalogue.restorable_since()
    if not is_fit(scope) or not await catalogue.workspaces.is_restorable(scope, since):
        raise NotFound
    await catalogue.set_deleted(scope, deleted=False)
    return reply(_deleted(scope, None))


async def _was_deleted(request: web.Request, scope: str) -> bool:
    """Whether it is the caller's own workspace and deleted already."""
    principal = principal_of(request)
    if principal.role_max < Role.OWNER or not is_fit(scope):
        return False
    workspaces = request.app[CATALOGUE].workspaces
    return await workspaces.deleted_at(scope, principal.account) is not None


def _deleted(scope: str, until: int | None) -> schema.HeapDeleted:
    return schema.HeapDeleted(
        success=True, heap_id=scope, workspace_id=scope, restorable_until=until
    )


async def _one(request: web.Request, scope: str) -> Listed:
    found = await request.app[CATALOGUE].workspaces.one(scope)
    if found is None:
        raise NotFound
    return found


async def _index_of(request: web.Request, scope: str, owner: str, wanted: str) -> str:
    """The root block of a workspace, under a new id where the one that was wanted is taken."""
    ensure = request.app[CATALOGUE].workspaces.ensure_index
    return await ensure(scope, owner, wanted) or await ensure(scope, owner, _new_id())


async def _entitle(request: web.Request, scope: str, block: str, title: str) -> None:
    principal = principal_of(request)
    blocks = request.app[BLOCKS]
    (found,) = await blocks.find(principal, [DocumentName(scope, block)])
    if found.block is None or found.block.record.deleted:
        return
    await request.app[DOCUMENTS].edit(
        found.block.record, entitle(title), account=principal.account, device=principal.device
    )
    await request.app[FEED].settle(scope)


async def _room_for_one_more(request: web.Request, account: str) -> None:
    most = request.app[DOCUMENTS].settings.workspaces_listed_max
    last = await request.app[CATALOGUE].workspaces.of(
        account, shared=False, limit=1, offset=most - 1
    )
    if last:
        raise ApiError(409, "too_many_workspaces", f"an account has {most} workspaces at most")


def _new_id() -> str:
    return make_ulid(int(time.time() * 1000), secrets.token_bytes(10))


def _global(text: str) -> str:
    if not is_global_id(text):
        raise BadBody("an id is a ULID or a UUID")
    return spelled(text)
