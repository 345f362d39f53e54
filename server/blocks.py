"""Blocks for somebody who asks: many found at once, each with the right that the asker has to it.

The rules are those of `Rights.open_document`: a global id means one block wherever it is, any other
name belongs to the workspace that is named with it, else to the asker's default one. A block that
is foreign, or said to be in another workspace than it is, is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiohttp import web

from auth.principal import Principal, Role
from crdt.ids import DocumentName, is_global_id
from server.asked import Found
from storage.blocks import Name

if TYPE_CHECKING:
    from server.recalling import Recalling
    from server.rights import Rights
    from storage.blocks import Block
    from storage.blocks import Blocks as Store


class Blocks:
    """Finds and makes blocks. Every method may raise Unavailable."""

    def __init__(self, store: Store, rights: Rights) -> None:
        self.store = store
        self._rights = rights
        self.recalling: Recalling | None = None
        """What is known without asking the store, once the feed is there."""

    async def find(self, principal: Principal, names: Sequence[DocumentName]) -> list[Found]:
        """What each name means to the asker, in their order."""
        wanted = [_name(principal, name) for name in names]
        return await self._judged(principal, wanted, await self.store.find(wanted))

    async def find_to_write(
        self, principal: Principal, names: Sequence[DocumentName]
    ) -> list[Found]:
        """`find` for whoever then writes: of what is open here only what that needs is known."""
        if self.recalling is None:
            return await self.find(principal, names)
        wanted = [_name(principal, name) for name in names]
        blocks = await self.recalling.find(self.store, wanted)
        return await self._judged(principal, wanted, blocks)

    async def _judged(
        self, principal: Principal, wanted: Sequence[Name], blocks: Sequence[Block | None]
    ) -> list[Found]:
        """With the asker's role on each, and without what is none of the asker's business."""
        none = Role.NONE
        roles: dict[str | None, Role] = {None: none}
        found = []
        for name, block in zip(wanted, blocks, strict=True):
            said = name.scope
            scope = (said or principal.default_workspace) if block is None else block.record.scope
            role = roles.get(scope)
            if role is None:
                member = await self._rights.role_in(principal.account, scope or "")
                role = roles[scope] = min(member, principal.role_max)
            is_elsewhere = said is not None and said != scope and block is not None
            if is_elsewhere or role is none:
                found.append(Found(name, None, none))
            else:
                found.append(Found(name, block, role))
        return found

    async def create(self, principal: Principal, names: Sequence[DocumentName]) -> list[Found]:
        """Make the blocks that are not there and that the asker may make; what is there then."""
        wanted = [_home(principal, name) for name in names]
        await self.store.create([_name(principal, name) for name in wanted], principal.account)
        return await self.find(principal, wanted)


def _home(principal: Principal, name: DocumentName) -> DocumentName:
    """The name with the workspace in which a new block of that name is made."""
    return DocumentName(name.workspace or principal.default_workspace, name.name)


def _name(principal: Principal, name: DocumentName) -> Name:
    scope = name.workspace
    if scope is None and not is_global_id(name.name):
        scope = principal.default_workspace
    return Name(scope, name.name)


BLOCKS = web.AppKey("blocks", Blocks)
