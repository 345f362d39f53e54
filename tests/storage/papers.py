"""Makes documents, updates and waiting answers for tests of the log."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from uuid import UUID

import pycrdt

from storage.documents import DocumentRecord, Documents
from storage.log import Fenced, Flusher, Row, Stored
from storage.pool import Pool

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


async def until(true: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait for a condition that no event announces."""
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


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
    """Wait until somebody waits for a lock."""
    while not await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
