"""Makes documents, updates and waiting answers for tests of the log."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from uuid import UUID

import pycrdt

from crdt.document import Document
from storage.documents import DocumentRecord, Documents
from storage.loading import Loaded
from storage.log import Fenced, Flusher, Row, Stored
from storage.pool import Pool
from tests.crdt.samples import insert
from tests.patience import until

BREAKS = insert(7, (1 << 31) + 5, "x")
"""A letter with a clock that makes pycrdt panic once it has something of client 7."""
NOW = 1_790_000_000.0
_names = itertools.count(1)


async def make_scope(pool: Pool, scope: str = "W") -> str:
    """A scope, unless it is there."""
    await pool.execute("INSERT INTO scopes (id) VALUES ($1) ON CONFLICT DO NOTHING", scope)
    return scope


async def paper(pool: Pool, scope: str = "W") -> DocumentRecord:
    """A new empty document."""
    await make_scope(pool, scope)
    return await Documents(pool).create(scope, f"paper {next(_names)}", "ada")


async def papers(pool: Pool, count: int) -> list[UUID]:
    """Some of them, in order of their ids."""
    return sorted([(await paper(pool)).id for _ in range(count)])


def row(data: bytes, author: str | None = "ada", at: float = NOW) -> Row:
    """One row; the log does not care what is in it."""
    return Row(data, author, "laptop", at)


def append(
    flusher: Flusher, document: UUID, *data: bytes | Row, lineage: int = 1
) -> asyncio.Future[Stored | Fenced]:
    """Append rows and answer what will be told of them."""
    told: asyncio.Future[Stored | Fenced] = asyncio.get_running_loop().create_future()
    rows = [item if isinstance(item, Row) else row(item) for item in data]
    flusher.append(document, lineage, rows, told.set_result)
    return told


async def write(database: str, document: UUID, *data: bytes | Row) -> None:
    """Commit rows of one document."""
    flusher = Flusher(database)
    await flusher.start()
    assert isinstance(await append(flusher, document, *data), Stored)
    await flusher.close()


async def read_log(pool: Pool, document: UUID) -> list[bytes]:
    """All stored rows in order; fails if their sequences have a gap."""
    rows = await pool.fetch(
        "SELECT sequence, data FROM updates WHERE document = $1 ORDER BY sequence", document
    )
    assert [r["sequence"] for r in rows] == list(range(1, len(rows) + 1))
    return [r["data"] for r in rows]


def typing(text: str, client: int = 7) -> list[bytes]:
    """The updates of somebody who types `text`, one letter each."""
    document = pycrdt.Doc(client_id=client)
    shared = document.get("text", type=pycrdt.Text)
    updates: list[bytes] = []
    subscription = document.observe(lambda event: updates.append(event.update))
    for letter in text:
        shared += letter
    document.unobserve(subscription)
    return updates


def text_of(updates: Sequence[bytes]) -> str:
    """What the updates spell, by pycrdt alone."""
    document = pycrdt.Doc()
    for update in updates:
        document.apply_update(update)
    return str(document.get("text", type=pycrdt.Text))


async def until_locked(pool: Pool) -> None:
    """Wait until somebody in this database waits for a lock."""
    waiting = """
    SELECT count(*) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database()
    """
    await until(lambda: pool.fetchval(waiting))


def drawing(seed: int, steps: int = 120) -> list[bytes]:
    """The updates of three people who type, delete and set keys, seeing each other now and then."""
    chance = random.Random(seed)
    people = [pycrdt.Doc(client_id=100 + n) for n in range(3)]
    updates: list[bytes] = []
    for _ in range(steps):
        mine = chance.choice(people)
        new: list[bytes] = []
        subscription = mine.observe(lambda event, new=new: new.append(event.update))
        text, keys = mine.get("text", type=pycrdt.Text), mine.get("keys", type=pycrdt.Map)
        if len(text) > 4 and chance.random() < 0.3:
            at = chance.randrange(len(text) - 2)
            del text[at : at + 2]
        elif chance.random() < 0.8:
            text.insert(chance.randrange(len(text) + 1), chance.choice("abcdef") * 3)
        else:
            keys[chance.choice("xyz")] = chance.random()
        mine.unobserve(subscription)
        updates += new
        for other in people:
            if other is not mine and chance.random() < 0.6:
                other.apply_update(mine.get_update(other.get_state()))
    return updates


def rebuilt(loaded: Loaded) -> Document:
    """The document as a server would open it."""
    rows = [row.data for row in loaded.rows]
    return Document.rebuild([loaded.snapshot, *rows] if loaded.snapshot else rows)
