"""Finds documents by name, and tells which are gone, with few questions to the database.

A name's answer is remembered for a second, so a storm of people who join one document asks once. A
second is short enough: whether the document is deleted is asked again when its room is loaded, and
fenced with every write. Where the workspace is watched, because somebody is in it, the answer holds
a minute: whoever deletes a document moves the version of its workspace's rights.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias
from uuid import UUID

from storage.documents import DocumentRecord, Documents
from storage.grants import Grants

KEEP_S, WATCHED_S = 1.0, 60.0
NAMES_MAX = 10_000
GATHER_S = 0.005
"""How long questions about deletion are gathered into one."""

_Key: TypeAlias = tuple[str | None, str]
Version: TypeAlias = Callable[[str], int | None]
"""The version of a workspace's rights, if that is known and was looked at just now."""


class _Found(NamedTuple):
    record: DocumentRecord
    at: float
    version: int | None
    """Of its workspace's rights, before the question."""


class Names:
    """Documents by (workspace, name), or by a global id alone."""

    def __init__(
        self,
        documents: Documents,
        clock: Callable[[], float] = time.monotonic,
        version: Version = lambda _: None,
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._version = version
        self._found: dict[_Key, _Found] = {}

    async def find(self, scope: str, name: str) -> DocumentRecord | None:
        """The document of that name in a workspace."""
        return await self._remember((scope, name), lambda: self._documents.resolve(scope, name))

    async def find_global(self, name: str) -> DocumentRecord | None:
        """The document with a global id."""
        return await self._remember((None, name), lambda: self._documents.by_global_id(name))

    async def create(self, scope: str, name: str, account: str) -> DocumentRecord:
        """A new document. Raises NameTaken."""
        now, version = self._clock(), self._version(scope)
        record = await self._documents.create(scope, name, account)
        self._keep((scope, name), _Found(record, now, version))
        return record

    def peek(self, scope: str | None, name: str) -> DocumentRecord | None:
        """The document of that name in a workspace, or with that global id, if that is known."""
        known = self._found.get((scope, name))
        if known is None:
            return None
        age = self._clock() - known.at
        version = self._version(known.record.scope)
        if known.version is None or version is None:
            return known.record if age < KEEP_S else None
        return known.record if age < WATCHED_S and known.version == version else None

    def forget(self, record: DocumentRecord) -> None:
        """Do not answer from memory for this document any more."""
        self._found.pop((record.scope, record.name), None)
        self._found.pop((None, record.name), None)

    def prune(self) -> None:
        """Drop what is too old."""
        oldest = self._clock() - WATCHED_S
        self._found = {key: found for key, found in self._found.items() if found.at > oldest}

    async def _remember(
        self, key: _Key, ask: Callable[[], Awaitable[DocumentRecord | None]]
    ) -> DocumentRecord | None:
        record = self.peek(*key)
        if record is not None:
            return record
        former = self._found.get(key)
        scope = key[0] if former is None else former.record.scope
        # The time and the version before: what happened while it was answered may be missing.
        now, version = self._clock(), None if scope is None else self._version(scope)
        record = await ask()
        if record is not None:
            self._keep(key, _Found(record, now, version if record.scope == scope else None))
        return record

    def _keep(self, key: _Key, found: _Found) -> None:
        self._found[key] = found
        while len(self._found) > NAMES_MAX:
            del self._found[next(iter(self._found))]


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
