"""Work at the store in a process of its own: here a thread, which has no loop either."""

import asyncio
from uuid import uuid4

import pytest

from storage import apart
from storage.compaction import compact
from storage.documents import Documents
from storage.errors import Unavailable, UnknownDocument
from storage.pool import Pool
from tests.storage.papers import paper, text_of, typing, write

BACKEND = "SELECT pg_backend_pid()"


async def backend(pool: Pool) -> int:
    """The PostgreSQL process behind the connection."""
    found: int = await pool.fetchval(BACKEND)
    return found


async def gone(pool: Pool) -> None:
    """The database goes away in the middle of the work."""
    await pool.fetchval(BACKEND)
    raise Unavailable("gone")


async def test_a_document_is_read_and_compacted_there(pool: Pool, database: str) -> None:
    """What comes back is the result alone, with the row up to which it holds."""
    document = (await paper(pool)).id
    await write(database, document, *typing("abc"))

    read = await asyncio.to_thread(apart.run, database, apart.over, document, text_of)
    done = await asyncio.to_thread(apart.run, database, compact, document, 60.0)

    assert read == ("abc", 3)
    assert done is not None
    assert (done.sequence, done.is_whole) == (3, True)
    assert text_of([(await Documents(pool).load(document)).snapshot or b""]) == "abc"


async def test_the_connection_is_kept_until_it_may_be_broken(database: str) -> None:
    """One for all work; a new one after the database was away."""
    first = await asyncio.to_thread(apart.run, database, backend)
    with pytest.raises(UnknownDocument):
        await asyncio.to_thread(apart.run, database, apart.over, uuid4(), text_of)
    second = await asyncio.to_thread(apart.run, database, backend)
    with pytest.raises(Unavailable):
        await asyncio.to_thread(apart.run, database, gone)
    third = await asyncio.to_thread(apart.run, database, backend)

    assert second == first != third
