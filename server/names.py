"""Finds documents by name, and tells which are gone, with few questions to the database.

A name's answer is remembered for a second, so a storm of people who join one document asks once. A
second is short enough: whether the document is deleted is asked again when its room is loaded, and
fenced with every write.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from uuid import UUID

from storage.documents import DocumentRecord, Documents
from storage.grants import Grants

KEEP_S = 1.0
NAMES_MAX = 10_000
GATHER_S = 0.005
"""How long questions about deletion are gathered into one."""

_Key: TypeAlias = tuple[str | None, str]


class Names:
    """Documents by (workspace, name), or by a global id alone."""

    def __init__(self, documents: Documents, clock: Callable[[], float] = time.monotonic) -> None:
        self._documents = documents
        self._clock = clock
        self._found: dict[_Key, tuple[DocumentRecord, float]] = {}

    async def find(self, scope: str, name: str) -> DocumentRecord | None:
        """The document of that name in a workspace."""
        return await self._remember((scope, name), lambda: self._documents.resolve(scope, name))

    async def find_global(self, name: str) -> DocumentRecord | None:
        """The document with a global id."""
        return await self._remember((None, name), lambda: self._documents.by_global_id(name))

    def forget(self, record: DocumentRecord) -> None:
        """Do not answer from memory for this document any more."""
        self._found.pop((record.scope, record.name), None)
        self._found.pop((None, record.name), None)

    def prune(self) -> None:
        """Drop what is too old."""
        oldest = self._clock() - KEEP_S
        self._found = {key: found for key, found in self._found.items() if found[1] > oldest}

    async def _remember(
        self, key: _Key, ask: Callable[[], Awaitable[DocumentRecord | None]]
    ) -> DocumentRecord | None:
        known = self._found.get(key)
        now = self._clock()
        if known is not None and now - known[1] < KEEP_S:
            return known[0]
        record = await ask()
        if record is not None:
            # The time before the question: what happened while it was answered may be missing.
            self._found[key] = (record, now)
            while len(self._found) > NAMES_MAX:
                del self._found[next(iter(self._found))]
        return record


class Deletions:
    """Whether documents are deleted, asked for many at once.

    When one document of a workspace is deleted, every session in that workspace asks whether it was
    its own.
    """

    def __init__(self, grants: Grants) -> None:
        self._grants = grants
        self._wanted: set[UUID] = set()
        self._asking: asyncio.Task[set[UUID]] | None = None

    async def includes(self, document: UUID) -> bool:
        """Whether a document is in the trash or gone, judged after this call was made."""
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._ask())
            self._asking.add_done_callback(_take_error)
        self._wanted.add(document)
        return document in await asyncio.shield(self._asking)

    async def _ask(self) -> set[UUID]:
        await asyncio.sleep(GATHER_S)
        # Whoever asks from now on needs an answer that begins later than this one.
        wanted, self._wanted, self._asking = self._wanted, set(), None
        return await self._grants.deleted_among(wanted)


def _take_error(task: asyncio.Task[set[UUID]]) -> None:
    """Everybody who waits sees the error; where nobody waits any more, nobody needs it."""
    if not task.cancelled():
        task.exception()
