"""From a document's name and a token to who enters it: the same for every dialect of `/ws`.

Names whose first part an adapter has taken (`difflog/…`, `ascently/…`) lead to its documents, by
its own credential. Every other name is the caller's, by an access, document or personal token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import NamedTuple, TypeAlias

from aiohttp import web

from auth.principal import Kind, Principal, Role
from crdt.ids import DocumentName
from server.identify import Identify
from server.rights import Rights
from storage.documents import DocumentRecord

API = "heaps"
"""The API whose scope a personal token needs at a socket: with `heaps:read` it is a viewer."""


class Entry(NamedTuple):
    """Somebody who may enter a document."""

    principal: Principal
    record: DocumentRecord
    role: Role


Door: TypeAlias = Callable[[str, str], Awaitable[Entry]]
"""From the rest of a name and a token to who enters. Raises Unauthorized, Forbidden or
TooManyRequests, and the same for what is foreign and what is not there."""


class Entrance:
    """Lets people into documents."""

    def __init__(self, identify: Identify, rights: Rights) -> None:
        self._identify = identify
        self._rights = rights
        self.doors: dict[str, Door] = {}
        """By the first part of a name."""

    async def enter(self, name: DocumentName, shown: str | Principal, *, create: bool) -> Entry:
        """Who enters, by a token, or by who showed one at the handshake. Raises as `Door`."""
        prefix, slash, rest = name.name.partition("/")
        door = self.doors.get(prefix) if slash and name.workspace is None else None
        if isinstance(shown, str):
            if door is not None:
                return await door(rest, shown)
            shown = await self._identify.from_token(shown, API)
        create = create and door is None
        record, role = await self._rights.open_document(shown, name, create=create)
        return Entry(shown, record, role)

    def peek(self, name: DocumentName, token: str) -> Entry | None:
        """Who enters with this token, if that needs no question; a login's only."""
        if "/" in name.name and name.name.partition("/")[0] in self.doors:
            return None
        principal = self._identify.peek(sha256(token.encode()).digest())
        if principal is None or principal.kind is not Kind.ACCESS:
            return None
        found = self._rights.peek(principal, name)
        return None if found is None else Entry(principal, *found)


ENTRANCE = web.AppKey("entrance", Entrance)
