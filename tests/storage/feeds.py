"""Writers and readers of a change feed, one transaction at a time, for tests that choose orders."""

import asyncpg
import pycrdt

from crdt import blocks
from crdt.document import Document
from storage import loading
from storage.append import statements
from storage.changes import Changes, Dirty, Entry, Projected, Settled
from storage.pool import Pool

ONE = statements(1000, 1 << 30).one
NOW_MS = 2_000_000_000_000
"""Later than the creation of any scope of a test."""


class Writer:
    """One uncommitted append of one document, on a connection of its own."""

    def __init__(self, connection: asyncpg.Connection, document: object) -> None:
        self.connection = connection
        self.document = document
        self._transaction = connection.transaction()

    async def begin(self, data: bytes) -> None:
        """Append a row and stay in the transaction; waits while another holds the head."""
        await self._transaction.start()
        await self.connection.execute(
            ONE, self.document, 1, 7, 7, 1, len(data), [data], ["ada"], [None], [1.0]
        )

    async def commit(self) -> None:
        """Let everybody see it."""
        await self._transaction.commit()

    async def abort(self) -> None:
        """It never happened."""
        await self._transaction.rollback()


async def project(pool: Pool, dirty: list[Dirty]) -> list[Projected]:
    """What the committed rows of dirty documents say, read one after the other."""
    found = []
    for one in dirty:
        facts, sequence = None, one.head
        if not one.deleted and one.kind == "block":
            loaded = await loading.load(pool, one.document)
            sequence = loaded.head
            rows = [row.data for row in loaded.rows]
            start = [loaded.snapshot] if loaded.snapshot else []
            facts = blocks.read(Document.rebuild([*start, *rows]))
        found.append(Projected(dirty=one, sequence=sequence, facts=facts))
    return found


async def settle(pool: Pool, scope: str = "W", now_ms: int = NOW_MS) -> list[Settled]:
    """Stamp what is dirty in a scope."""
    changes = Changes(pool)
    return await changes.settle(await project(pool, await changes.dirty(scope)), now_ms)


async def follow(
    pool: Pool, since: int, scope: str = "W", limit: int = 3, now_ms: int = NOW_MS
) -> tuple[list[Entry], int]:
    """Everything after a marker, page by page, as a client asks for it; and the next marker."""
    entries: list[Entry] = []
    while True:
        await settle(pool, scope, now_ms)
        page = await Changes(pool).since(scope, since, limit)
        assert len(page.entries) <= limit
        assert page.changed + page.deleted >= len(page.entries)
        entries += page.entries
        since = page.marker
        if not page.has_more:
            return entries, since


def titled(title: str, client: int = 5) -> bytes:
    """An update that gives a block its title."""
    document = pycrdt.Doc(client_id=client)
    document.get("title_v0", type=pycrdt.XmlFragment).children.append(pycrdt.XmlText(title))
    return document.get_update()


def marked(client: int = 6, **marks: object) -> bytes:
    """An update that writes into a block's `meta_v0`."""
    document = pycrdt.Doc(client_id=client)
    meta = document.get("meta_v0", type=pycrdt.Map)
    for key, value in marks.items():
        meta[key] = value
    return document.get_update()
