"""Settling under writers that are not done: a chain of deltas misses nothing, in any order."""

import asyncio
import os
import random
from uuid import UUID

import asyncpg
import pytest

from crdt import blocks
from crdt.document import Document
from storage import loading
from storage.changes import Changes, Dirty, Projected
from storage.documents import Documents
from storage.pool import Pool, close_pool, open_pool
from tests.patience import PATIENCE_S
from tests.storage.feeds import NOW_MS, Writer, follow, marked, project, settle, titled
from tests.storage.papers import paper, until_locked, write

SEEDS = 400 if os.environ.get("PLAIT_TEST_FULL") else 10
STEPS = 90


async def test_a_writer_who_is_not_done_is_not_waited_for_and_not_forgotten(
    pool: Pool, database: str
) -> None:
    """What is committed of the document is stamped; the rest has the next stamp."""
    block = await paper(pool)
    await write(database, block.id, titled("one"))
    connection = await asyncpg.connect(database)
    writer = Writer(connection, block.id)
    await writer.begin(marked(deletedAt=NOW_MS))

    async with asyncio.timeout(PATIENCE_S):
        before, marker = await follow(pool, 0)
    await writer.commit()
    after, _ = await follow(pool, marker)
    await connection.close()

    assert [(e.title, e.deleted) for e in before] == [("one", False)]
    assert [(e.title, e.deleted) for e in after] == [("one", True)]


async def test_rows_that_come_between_reading_and_stamping_stay_dirty(
    pool: Pool, database: str
) -> None:
    """The stamp is for what was read; the next settling stamps again."""
    block = await paper(pool)
    await write(database, block.id, titled("one"))
    changes = Changes(pool)
    projected = await project(pool, await changes.dirty("W"))
    await write(database, block.id, marked(deletedAt=NOW_MS))

    first = await changes.settle(projected, NOW_MS)
    second = await settle(pool)

    assert [s.deleted for s in first] == [False]
    assert [s.deleted for s in second] == [True]
    assert await settle(pool) == []


async def test_of_two_who_settle_the_one_who_read_less_changes_nothing(
    pool: Pool, database: str
) -> None:
    """An older reading never overwrites a newer one."""
    block = await paper(pool)
    await write(database, block.id, titled("one"))
    changes = Changes(pool)
    old = await project(pool, await changes.dirty("W"))
    await write(database, block.id, marked(deletedAt=NOW_MS))
    newer = await project(pool, await changes.dirty("W"))
    await write(database, block.id, titled("two"))

    assert [s.deleted for s in await changes.settle(newer, NOW_MS)] == [True]
    assert await changes.settle(old, NOW_MS) == []
    entries, _ = await follow(pool, 0)
    assert [entry.deleted for entry in entries] == [True]


async def test_a_document_that_was_deleted_when_it_was_read_is_read_again_when_it_is_back(
    pool: Pool, database: str
) -> None:
    """Nothing was read of it, so what was written before it went must not be taken as told."""
    block = await paper(pool)
    await write(database, block.id, titled("one"))
    await settle(pool)
    await write(database, block.id, marked(deletedAt=NOW_MS))
    await Documents(pool).delete(block.id)
    changes = Changes(pool)
    unread = await project(pool, await changes.dirty("W"))
    await Documents(pool).restore(block.id)
    await changes.settle(unread, NOW_MS)

    entries, _ = await follow(pool, 0)
    assert [entry.deleted for entry in entries] == [True]


async def test_settlings_of_one_scope_wait_for_each_other_unless_they_may_pass(
    pool: Pool, database: str
) -> None:
    """The sweeper passes a scope that somebody is settling; a delta waits for its turn."""
    await paper(pool)
    changes = Changes(pool)
    projected = await project(pool, await changes.dirty("W"))
    connection = await asyncpg.connect(database)
    held = connection.transaction()
    await held.start()
    await connection.execute("SELECT FROM scopes WHERE id = 'W' FOR NO KEY UPDATE")

    assert await changes.settle(projected, NOW_MS, wait=False) == []
    waiting = asyncio.create_task(changes.settle(projected, NOW_MS))
    await until_locked(pool)
    assert not waiting.done()
    await held.commit()
    await connection.close()

    assert len(await waiting) == 1


async def test_a_document_can_be_made_and_written_while_its_scope_is_settled(
    pool: Pool, database: str
) -> None:
    """The scope's lock is one that lets its key be shared."""
    await paper(pool)
    connection = await asyncpg.connect(database)
    held = connection.transaction()
    await held.start()
    await connection.execute("SELECT FROM scopes WHERE id = 'W' FOR NO KEY UPDATE")

    async with asyncio.timeout(PATIENCE_S):
        other = await paper(pool)
        await write(database, other.id, titled("x"))
    await held.rollback()
    await connection.close()


class Chain:
    """A client that follows the feed: what it knows of each document after each round."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.marker = 0
        self.known: dict[UUID, int] = {}
        self.sides: dict[UUID, bool] = {}
        self.floor: dict[UUID, int] = {}
        self.next = self.start

    async def start(self) -> None:
        """Ask: from now on everything committed before must come."""
        if not self.floor:
            self.floor = await self.world.heads()
        self.dirty: list[Dirty] = await Changes(self.world.pool).dirty(self.world.scope)
        self.next = self.read

    async def read(self) -> None:
        """The server reads what is dirty."""
        self.projected: list[Projected] = await project(self.world.pool, self.dirty)
        self.next = self.stamp

    async def stamp(self) -> None:
        """The server settles."""
        async with asyncio.timeout(PATIENCE_S):
            await Changes(self.world.pool).settle(self.projected, NOW_MS)
        self.next = self.page

    async def page(self) -> None:
        """One page; at the end of the chain nothing committed before its start is missing."""
        page = await Changes(self.world.pool).since(self.world.scope, self.marker, 2)
        self.marker = page.marker
        heads = await self.world.heads()
        for entry in page.entries:
            self.known[entry.document] = heads[entry.document]
            self.sides[entry.document] = entry.deleted
        self.next = self.start
        if not page.has_more:
            missed = {d: h for d, h in self.floor.items() if self.known.get(d, -1) < h}
            assert not missed
            self.floor = {}


class World:
    """A few documents with at most one open writer each, and some clients."""

    def __init__(self, pool: Pool, scope: str, chance: random.Random) -> None:
        self.pool, self.scope, self.chance = pool, scope, chance
        self.documents: list[UUID] = []
        self.writers: dict[UUID, Writer] = {}
        self.gone: set[UUID] = set()
        self.clients = [Chain(self) for _ in range(3)]
        self._numbers = iter(range(100, 10_000))

    async def heads(self) -> dict[UUID, int]:
        """The committed head of each document."""
        rows = await self.pool.fetch(
            "SELECT document, head FROM heads WHERE scope = $1", self.scope
        )
        return {row["document"]: row["head"] for row in rows}

    async def step(self) -> None:
        """Somebody does something."""
        chance = self.chance
        free = [d for d in self.documents if d not in self.writers]
        doing = chance.choice(["begin", "begin", "end", "end", "ask", "ask", "ask", "ask", "life"])
        if doing == "begin" and free:
            await self._begin(chance.choice(free))
        elif doing == "end" and self.writers:
            await self._end(chance.choice(list(self.writers)))
        elif doing == "life" and free:
            await self._live_or_die(chance.choice(free))
        elif doing == "ask":
            await chance.choice(self.clients).next()

    async def _begin(self, document: UUID) -> None:
        client = next(self._numbers)
        data = self.chance.choice(
            [titled("t", client), marked(client, deletedAt=7), marked(client, deletedAt=None)]
        )
        writer = Writer(await self.pool.acquire(), document)
        await writer.begin(data)
        self.writers[document] = writer

    async def _end(self, document: UUID) -> None:
        writer = self.writers.pop(document)
        if self.chance.random() < 0.2:
            await writer.abort()
        else:
            await writer.commit()
        await self.pool.release(writer.connection)

    async def _live_or_die(self, document: UUID) -> None:
        if document in self.gone:
            await Documents(self.pool).restore(document)
            self.gone.remove(document)
        elif self.chance.random() < 0.5:
            await Documents(self.pool).delete(document)
            self.gone.add(document)
        else:
            self.documents.append((await paper(self.pool, self.scope)).id)

    async def truth(self) -> dict[UUID, bool]:
        """Which documents are deleted, by their rows."""
        sides = {}
        for document in self.documents:
            loaded = await loading.load(self.pool, document)
            facts = blocks.read(Document.rebuild([row.data for row in loaded.rows]))
            sides[document] = loaded.deleted or facts.trashed_at is not None
        return sides


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_chain_of_deltas_is_complete_whatever_commits_meanwhile(
    database: str, seed: int
) -> None:
    """Three clients follow; writers begin, commit and abort between any two of their statements."""
    pool = await open_pool(database, connections_max=20)
    world = World(pool, f"W{seed}", random.Random(seed))
    world.documents = [(await paper(pool, world.scope)).id for _ in range(4)]
    for _ in range(STEPS):
        await world.step()
    for document in list(world.writers):
        await world._end(document)
    truth = await world.truth()
    for client in world.clients:
        while client.next != client.start:
            await client.next()
        client.floor = await world.heads()
        entries, _ = await follow(pool, client.marker, world.scope)
        client.sides.update({entry.document: entry.deleted for entry in entries})

        assert {d: client.sides.get(d) for d in truth} == truth
    await close_pool(pool)


async def test_a_storm_of_writers_and_settlers_stays_complete_and_never_deadlocks(
    database: str,
) -> None:
    """Real concurrency: every commit is in the chain that began after it."""
    pool = await open_pool(database, connections_max=16)
    documents = [(await paper(pool)).id for _ in range(6)]
    done = asyncio.Event()

    async def write_on(number: int) -> None:
        chance = random.Random(number)
        async with pool.acquire() as connection:
            for _ in range(25):
                writer = Writer(connection, chance.choice(documents))
                await writer.begin(b"\0\0")
                await asyncio.sleep(chance.choice([0, 0, 0.002]))
                await (writer.commit() if chance.random() < 0.9 else writer.abort())

    async def read_on() -> None:
        marker, known = 0, dict.fromkeys(documents, -1)
        while not done.is_set():
            floor = dict(await pool.fetch("SELECT document, head FROM heads"))
            entries, marker = await follow(pool, marker)
            heads = dict(await pool.fetch("SELECT document, head FROM heads"))
            known |= {entry.document: heads[entry.document] for entry in entries}
            assert all(known[document] >= head for document, head in floor.items())

    async def write_all() -> None:
        try:
            await asyncio.gather(*(write_on(number) for number in range(5)))
        finally:
            done.set()

    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(write_all(), read_on(), read_on())
    await close_pool(pool)
