"""Who may do what to a workspace or block that a request names.

Where the API page is silent, what is foreign is answered like what is not there: 404. Who may see a
thing and not do this to it gets 403.
"""

from __future__ import annotations

from aiohttp import web

from auth.errors import Forbidden
from auth.principal import Role
from crdt.errors import BadName
from crdt.ids import DocumentName, spelled
from server.adapter import principal_of
from server.adapters.heaps.schema_heaps import Which
from server.blocks import BLOCKS
from server.errors import BadBody, NotFound
from server.feed import FEED
from server.rights import RIGHTS, is_fit
from storage.blocks import Block


def named(body: Which) -> str:
    """The workspace that a body names under any of its names. Raises BadBody."""
    scope = body.heap_id or body.workspace_id
    if not scope:
        raise BadBody("it names no heap_id")
    return spelled(scope)


def heap_of(request: web.Request) -> str:
    """The workspace that a request's path names."""
    return spelled(request.match_info["heap_id"])


async def admit(request: web.Request, scope: str, least: Role) -> Role:
    """The caller's role in a workspace. Raises NotFound without any, Forbidden below `least`."""
    principal = principal_of(request)
    role = Role.NONE
    if is_fit(scope):
        role = min(await request.app[RIGHTS].role_in(principal.account, scope), principal.role_max)
    if role is Role.NONE:
        raise NotFound
    if role < least:
        raise Forbidden
    return role


async def may_edit(request: web.Request, scope: str) -> bool:
    """Whether the caller may edit what is in a workspace."""
    principal = principal_of(request)
    role = await request.app[RIGHTS].role_in(principal.account, scope)
    return min(role, principal.role_max) >= Role.EDITOR


async def block_of(request: web.Request, least: Role) -> Block:
    """The block that a request's path names, as of everything committed by now.

    Raises NotFound (unknown, foreign, deleted for good, no name at all) and Forbidden.
    """
    key = request.match_info["block_key"]
    try:
        name = DocumentName.parse(key)
    except BadName:
        raise NotFound from None
    blocks = request.app[BLOCKS]
    (found,) = await blocks.find(principal_of(request), [name])
    if found.block is None:
        raise NotFound
    await request.app[FEED].settle(found.block.record.scope)
    block = (await blocks.store.look_up([found.block.record.id]))[found.block.record.id]
    if block.record.deleted or (block.known is not None and block.known.removed_at is not None):
        raise NotFound
    if found.role < least:
        raise Forbidden
    return block
