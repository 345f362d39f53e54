"""What is deleted for good and still holds content."""

from datetime import UTC, datetime, timedelta

from storage.changes import Changes
from storage.documents import Documents
from storage.leftovers import Leftovers
from storage.pool import Pool
from tests.storage.feeds import NOW_MS
from tests.storage.shelves import block, extract, keep


async def test_blocks_that_are_gone_by_their_own_words(pool: Pool, database: str) -> None:
    """Until they were purged; those in the trash stay."""
    gone = await block(pool, database, "gone", deletedAt=5, permanentlyDeletedAt=5)
    await block(pool, database, "trashed", deletedAt=5)
    leftovers = Leftovers(pool)

    assert await leftovers.removed(10) == [gone.id]
    await Documents(pool).purge(gone.id)
    assert await leftovers.removed(10) == []


async def test_documents_of_workspaces_whose_time_is_over(pool: Pool, database: str) -> None:
    """Not of those that can still be restored, nor of those that are there."""
    record = await block(pool, database, "a")
    leftovers = Leftovers(pool)
    now = datetime.now(UTC)
    assert await leftovers.of_ended_scopes(now + timedelta(days=1), 10) == []
    await Changes(pool).set_scope_deleted("W", NOW_MS, deleted=True)

    assert await leftovers.of_ended_scopes(now - timedelta(days=1), 10) == []
    assert await leftovers.of_ended_scopes(now + timedelta(days=1), 10) == [record.id]


async def test_nothing_that_was_read_is_left(pool: Pool, database: str) -> None:
    """Words, relations, copies, title."""
    record = await block(pool, database, "a", "Secret")
    await keep(pool, extract(record, "secret", relations=[("tag", "T", "")]))
    await Leftovers(pool).forget(record.id)

    for table in ("block_texts", "relations", "named_versions"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0
    assert await pool.fetchval("SELECT title FROM blocks") == ""
