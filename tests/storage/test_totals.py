"""What is stored in all, counted in a real database."""

from storage.pool import Pool
from storage.totals import totals
from tests.storage.people import join
from tests.storage.test_usage import write_documents


async def test_totals_count_what_everybody_has(pool: Pool) -> None:
    """Accounts by their state, each file once, and the size of the database itself."""
    before = await totals(pool)
    owner, _ = await join(pool)
    other, _ = await join(pool)
    await pool.execute("UPDATE accounts SET state = 'pending' WHERE id = $1", other.id)
    await write_documents(pool, owner.default_workspace)
    await pool.execute(
        "INSERT INTO blobs (hash, size, ready, uses) VALUES"
        " (decode(repeat('ab', 32), 'hex'), 70, true, 3),"
        " (decode(repeat('cd', 32), 'hex'), 900, false, 0)"
    )
    after = await totals(pool)

    assert (after.accounts - before.accounts, after.accounts_pending) == (1, 1)
    assert (after.documents, after.log_bytes, after.snapshot_bytes) == (3, 30, 15)
    assert (after.files, after.file_bytes) == (1, 70)
    assert after.database_bytes > 1_000_000
