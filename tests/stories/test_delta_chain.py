"""A device that follows the delta misses nothing, in whatever order transactions commit.

Writers hold real transactions open and commit or roll back in any order, as other nodes do; pushes
and the trash come in between. A device asks for small pages and passes `server_time` on. At the end
it knows of each block what the store knows, and no page ever went back.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import pytest

from server.feed import FEED
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.asking import ask, made
from tests.server.adapters.heaps.device import Device, meta, new_id, replica
from tests.server.realtime.conftest import ada, inside

__all__ = ["ada", "inside"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

SEEDS = 200 if os.environ.get("PLAIT_TEST_FULL") else 8
STEPS = 60
BLOCKS, WRITERS = 6, 4
APPEND = """
WITH moved AS (
    UPDATE heads SET head = head + 1, log_bytes = log_bytes + octet_length($2::bytea), dirty = true
    WHERE document = $1 RETURNING head
)
INSERT INTO updates (document, sequence, at, writer, batch, data)
SELECT $1, head, now(), 1, head, $2::bytea FROM moved
"""


class Writer:
    """Another node: a connection whose transactions stay open for a while."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.held: set[UUID] = set()
        """Documents whose heads its open transaction has locked."""
        self.transaction: asyncpg.transaction.Transaction | None = None

    async def write(self, document: UUID, update: bytes) -> None:
        """Append to a document's log; not committed yet."""
        if self.transaction is None:
            self.transaction = self.connection.transaction()
            await self.transaction.start()
        await self.connection.execute(APPEND, document, update)
        self.held.add(document)

    async def end(self, *, commit: bool) -> None:
        """Commit, or roll back, whatever is open."""
        if self.transaction is not None:
            await (self.transaction.commit() if commit else self.transaction.rollback())
        self.transaction = None
        self.held.clear()


@dataclass
class Follower:
    """A device that follows the delta, a small page at a time."""

    device: Device
    known: dict[str, tuple[int, bool]] = field(default_factory=dict)
    """Block → the stamp and the side that it was last told."""
    marker: int = 0

    async def ask(self, limit: int) -> bool:
        """One page; whether there is more."""
        page = await self.device.page(self.marker, limit=limit)
        entries = [(one, False) for one in page["changed_blocks"]]
        entries += [(one, True) for one in page["deleted_blocks"]]
        assert len(entries) <= limit
        for one, gone in entries:
            stamp = one["updated_at"]
            assert stamp > self.marker, "told before"
            assert stamp > self.known.get(one["block_id"], (0, False))[0], "went back"
            assert stamp <= page["server_time"], "would be told again"
            self.known[one["block_id"]] = (stamp, gone)
        self.marker = page["server_time"]
        return bool(page["has_more"])


class Play:
    """One run: a workspace of its own, writers, a follower, and what a seed makes them do."""

    def __init__(self, inside: Inside, ada: Guest, heap: str, seed: int) -> None:
        self.inside, self.ada, self.heap = inside, ada, heap
        self.chance = random.Random(seed)
        self.device = Device(ada, heap)
        self.follower = Follower(self.device)
        self.writers: list[Writer] = []
        self.blocks: dict[str, UUID] = {}

    async def run(self) -> None:
        """All steps, then everything committed and followed to its end."""
        for _ in range(BLOCKS):
            record = await self.inside.store.create(self.heap, new_id(), self.ada.account)
            self.blocks[record.name] = record.id
        for _ in range(STEPS):
            await self.step()
        for writer in self.writers:
            await writer.end(commit=True)
        while await self.follower.ask(2):
            pass
        await self.check()

    async def step(self) -> None:
        """Something happens."""
        writer, block = self.chance.choice(self.writers), self.chance.choice(list(self.blocks))
        is_held = any(self.blocks[block] in one.held for one in self.writers)
        match self.chance.choice(("write", "write", "write", "end", "end", "ask", "push", "trash")):
            case "write" if not is_held:
                await writer.write(self.blocks[block], replica().insert("x"))
            case "end":
                await writer.end(commit=self.chance.random() < 0.8)
            case "ask":
                await self.follower.ask(self.chance.randint(1, 4))
            case "push":
                await self.device.push(self.device.write("y"))
            case "trash" if self.device.blocks:
                await self.turn(self.chance.choice(list(self.device.blocks)))
            case _:
                await self.inside.app[FEED].sweep()

    async def turn(self, block: str) -> None:
        """Into the trash, or out of it again."""
        if self.follower.known.get(block, (0, False))[1]:
            await ask(self.ada, f"/api/trash/{self.heap}/restore", block_id=block)
        else:
            meta(self.device.blocks[block], deletedAt=self.chance.randint(1, 1 << 40))
            await self.device.push(block)

    async def check(self) -> None:
        """The follower knows the whole feed, and the feed knows all that is committed."""
        fresh = Follower(self.device)
        while await fresh.ask(1000):
            pass
        assert self.follower.known == fresh.known
        async with self.inside.pool.acquire() as connection:
            behind = await connection.fetch(
                "SELECT h.document FROM heads h LEFT JOIN blocks b USING (document)"
                " WHERE h.scope = $1 AND h.head > 0"
                " AND (h.dirty OR coalesce(b.sequence, 0) <> h.head)",
                self.heap,
            )
            written = await connection.fetchval(
                "SELECT count(DISTINCT h.document) FROM heads h JOIN updates u USING (document)"
                " WHERE h.scope = $1",
                self.heap,
            )
        assert not behind
        assert written <= len(fresh.known)


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_the_chain_of_deltas_skips_nothing(
    inside: Inside, ada: Guest, database_url: str, seed: int
) -> None:
    """Transactions commit out of order and some never do; pages are small."""
    play = Play(inside, ada, await made(ada), seed)
    for _ in range(WRITERS):
        play.writers.append(Writer(await asyncpg.connect(database_url)))
    try:
        await play.run()
    finally:
        for writer in play.writers:
            writer.connection.terminate()


@pytest.fixture
def database_url(inside: Inside) -> str:
    """The database of the server."""
    url = inside.settings.database_url
    assert url
    return url
