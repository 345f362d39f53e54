"""What breaks a document is kept, and kept out."""

from storage.compaction import Compactor
from storage.documents import Documents
from storage.pool import Pool
from tests.storage.papers import paper, text_of, typing, write


async def test_a_quarantined_row_keeps_its_sequence_and_its_bytes(
    pool: Pool, database: str
) -> None:
    """The document opens without it, and later rows are numbered on."""
    document = (await paper(pool)).id
    await write(database, document, b"a", b"bad", b"c")
    documents = Documents(pool)

    await documents.quarantine_row(document, 2, "panic")

    loaded = await documents.load(document)
    assert [(row.sequence, row.data) for row in loaded.rows] == [(1, b"a"), (3, b"c")]
    kept = await pool.fetchrow("SELECT sequence, data, reason, author FROM quarantine")
    assert tuple(kept) == (2, b"bad", "panic", "ada")


async def test_a_quarantined_snapshot_falls_back_to_the_whole_log(
    pool: Pool, database: str
) -> None:
    """Compaction deletes no row, so nothing is missing."""
    document = (await paper(pool)).id
    await write(database, document, *typing("abc"))
    await Compactor(pool).compact(document)
    documents = Documents(pool)

    await documents.quarantine_row(document, 0, "damaged")

    loaded = await documents.load(document)
    assert loaded.snapshot is None
    assert text_of([row.data for row in loaded.rows]) == "abc"


async def test_refused_updates_are_kept_once_and_not_without_end(pool: Pool) -> None:
    """Whoever sends poison again and again fills nothing."""
    document = (await paper(pool)).id
    documents = Documents(pool)

    for number in range(110):
        await documents.quarantine_update(document, b"%d" % number, "panic", "eve", None)
        await documents.quarantine_update(document, b"%d" % number, "panic", "eve", None)

    assert await pool.fetchval("SELECT count(*) FROM quarantine") == 100
