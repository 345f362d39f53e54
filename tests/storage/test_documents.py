"""Documents by name, in the trash and beyond, and how they are loaded."""

import asyncio
from uuid import uuid4

import pytest

from storage import loading
from storage.compaction import Compactor
from storage.documents import Documents, make_id
from storage.errors import LogBroken, NameTaken, UnknownDocument
from storage.log import Fenced, Flusher, Stored
from storage.pool import Pool
from tests.storage.papers import append, make_scope, paper, text_of, typing, until_locked, write

ULID = "01J8ZQ4T9Y3K8M2N5P7R9S1T3V"


async def test_a_name_means_one_document_per_scope(pool: Pool) -> None:
    """Two workspaces' `notes` are two documents."""
    documents = Documents(pool)
    await make_scope(pool, "A")
    await make_scope(pool, "B")

    one = await documents.create("A", "notes", "ada")
    two = await documents.create("B", "notes", "bob")

    assert one.id != two.id
    assert await documents.resolve("A", "notes") == one
    assert await documents.resolve("A", "other") is None


async def test_creating_twice_answers_the_first(pool: Pool) -> None:
    """The owner stays who made it."""
    documents = Documents(pool)
    await make_scope(pool)

    first = await documents.create("W", "notes", "ada")

    assert await documents.create("W", "notes", "bob") == first


async def test_twenty_who_create_at_once_get_one_document(pool: Pool) -> None:
    """And it has one head."""
    documents = Documents(pool)
    await make_scope(pool)

    made = await asyncio.gather(*[documents.create("W", ULID, "ada") for _ in range(20)])

    assert len({record.id for record in made}) == 1
    assert await pool.fetchval("SELECT count(*) FROM heads") == 1


async def test_a_global_id_is_found_without_its_scope_and_in_any_case(pool: Pool) -> None:
    """Block ids are unique over all scopes."""
    documents = Documents(pool)
    await make_scope(pool)
    made = await documents.create("W", ULID, "ada")

    assert await documents.by_global_id(ULID.lower()) == made
    assert await documents.by_global_id("notes") is None


async def test_a_global_id_of_another_scope_is_taken(pool: Pool) -> None:
    """It is neither moved nor made twice; an ordinary name is free."""
    documents = Documents(pool)
    await make_scope(pool, "A")
    await make_scope(pool, "B")
    await documents.create("A", ULID, "ada")
    await documents.create("A", "notes", "ada")

    with pytest.raises(NameTaken):
        await documents.create("B", ULID, "bob")
    await documents.create("B", "notes", "bob")


def test_ids_grow_with_time() -> None:
    """Rows of new documents are near one another in every index."""
    ids = [make_id() for _ in range(100)]

    assert {each.version for each in ids} == {7}
    assert [each.int >> 80 for each in ids] == sorted(each.int >> 80 for each in ids)


async def test_a_scope_lists_its_documents_in_pages(pool: Pool) -> None:
    """Each once, oldest first, those in the trash too."""
    made = [await paper(pool) for _ in range(5)]
    documents = Documents(pool)
    await documents.delete(made[1].id)

    first = await documents.in_scope("W", limit=3)
    rest = await documents.in_scope("W", after=first[-1].id, limit=3)

    assert {record.id for record in first + rest} == {record.id for record in made}
    assert sum(record.deleted for record in first + rest) == 1


async def test_a_new_document_loads_empty(pool: Pool) -> None:
    """It has neither snapshot nor rows, and its head is 0."""
    loaded = await Documents(pool).load((await paper(pool)).id)

    assert (loaded.snapshot, loaded.rows, loaded.head, loaded.lineage) == (None, [], 0, 1)
    assert (loaded.deleted, loaded.sync_version, loaded.retired) == (False, 1, frozenset())


async def test_a_document_that_is_not_there_raises(pool: Pool) -> None:
    """It does not load as an empty one."""
    with pytest.raises(UnknownDocument):
        await Documents(pool).load(uuid4())


async def test_a_load_answers_every_row_in_order(pool: Pool, database: str) -> None:
    """With their sequences."""
    document = (await paper(pool)).id
    await write(database, document, b"a", b"b", b"c")

    loaded = await Documents(pool).load(document)

    assert [(row.sequence, row.data) for row in loaded.rows] == [(1, b"a"), (2, b"b"), (3, b"c")]
    assert (loaded.head, loaded.tail_rows, loaded.tail_bytes) == (3, 3, 3)


@pytest.mark.parametrize(
    "rows",
    [[b"%d" % n for n in range(loading.TAIL_ROWS + 500)], [b"x" * (1 << 20)] * 5],
    ids=["many", "large"],
)
async def test_a_long_tail_is_read_in_pieces(pool: Pool, database: str, rows: list[bytes]) -> None:
    """Too many rows or too many bytes for one answer; it comes whole all the same."""
    document = (await paper(pool)).id
    await write(database, document, *rows)

    loaded = await Documents(pool).load(document)

    assert [row.data for row in loaded.rows] == rows
    assert [row.sequence for row in loaded.rows] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("missing", [1, 2, 3], ids=["first", "middle", "last"])
async def test_a_missing_row_refuses_the_load(pool: Pool, database: str, missing: int) -> None:
    """Whichever it is; a document with a hole must not be opened."""
    document = (await paper(pool)).id
    await write(database, document, b"a", b"b", b"c")
    await pool.execute("DELETE FROM updates WHERE sequence = $1", missing)

    with pytest.raises(LogBroken):
        await Documents(pool).load(document)


async def test_a_lost_snapshot_refuses_the_load(pool: Pool, database: str) -> None:
    """The rows above it are not the document."""
    document = (await paper(pool)).id
    await write(database, document, *typing("abc"))
    await Compactor(pool).compact(document)
    await pool.execute("DELETE FROM snapshots")

    with pytest.raises(LogBroken):
        await Documents(pool).load(document)


async def test_rows_after_a_sequence_are_read_alone(pool: Pool, database: str) -> None:
    """For a node that saw a gap."""
    document = (await paper(pool)).id
    await write(database, document, b"a", b"b", b"c")
    documents = Documents(pool)

    assert [row.data for row in await documents.rows_after(document, 1)] == [b"b", b"c"]
    assert [row.data for row in await documents.rows_after(document, 1, limit=1)] == [b"b"]
    assert await documents.rows_after(document, 3) == []


async def test_rows_that_were_thinned_away_are_not_skipped(pool: Pool, database: str) -> None:
    """Who asks for them must load the snapshot."""
    document = (await paper(pool)).id
    await write(database, document, b"a", b"b", b"c")
    await pool.execute("DELETE FROM updates WHERE sequence = 2")

    with pytest.raises(LogBroken):
        await Documents(pool).rows_after(document, 1)


async def test_a_deleted_document_stays_loadable_and_says_so(pool: Pool, database: str) -> None:
    """The trash keeps the content; deleting twice keeps the first moment."""
    document = (await paper(pool)).id
    await write(database, document, b"a")
    documents = Documents(pool)

    first = await documents.delete(document)
    again = await documents.delete(document)

    assert first.deleted_at is not None
    assert first.deleted_at == again.deleted_at
    assert (await documents.load(document)).deleted
    assert await pool.fetchval("SELECT rights_version FROM scopes") == 3


async def test_a_restored_document_takes_updates_again(pool: Pool, database: str) -> None:
    """Its log goes on where it was."""
    document = (await paper(pool)).id
    await write(database, document, b"a")
    documents = Documents(pool)
    await documents.delete(document)

    record = await documents.restore(document)
    await write(database, document, b"b")

    assert record.deleted_at is None
    assert [row.data for row in (await documents.load(document)).rows] == [b"a", b"b"]


async def test_an_append_that_waits_for_a_delete_is_fenced_by_it(pool: Pool, database: str) -> None:
    """The fence is judged under the head's lock, not before it."""
    document = (await paper(pool)).id
    flusher = Flusher(database)
    await flusher.start()
    async with pool.acquire() as connection:
        deleting = connection.transaction()
        await deleting.start()
        await connection.execute("UPDATE heads SET deleted = true WHERE document = $1", document)
        told = append(flusher, document, b"late")
        await until_locked(pool)
        await deleting.commit()

    assert await told == Fenced("deleted")
    await flusher.close()


async def test_a_purged_document_leaves_only_its_tombstone(pool: Pool, database: str) -> None:
    """No content in any table; what comes late is still fenced."""
    document = (await paper(pool)).id
    await write(database, document, *typing("secret"))
    await Compactor(pool).compact(document)
    documents = Documents(pool)
    await documents.delete(document)

    record = await documents.purge(document)

    assert record.purged_at is not None
    for table in ("updates", "snapshots", "history", "quarantine", "retired_lineages"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0
    flusher = Flusher(database)
    await flusher.start()
    assert await append(flusher, document, b"late") == Fenced("deleted")
    await flusher.close()


async def test_only_what_is_in_the_trash_can_be_purged(pool: Pool, database: str) -> None:
    """A live document keeps everything."""
    document = (await paper(pool)).id
    await write(database, document, b"a")
    documents = Documents(pool)

    with pytest.raises(UnknownDocument):
        await documents.purge(document)

    assert len((await documents.load(document)).rows) == 1


async def test_a_purged_name_is_free_and_a_purged_global_id_is_not(pool: Pool) -> None:
    """A block id never means another block."""
    documents = Documents(pool)
    await make_scope(pool)
    for name in ("notes", ULID):
        record = await documents.create("W", name, "ada")
        await documents.delete(record.id)
        await documents.purge(record.id)

    again = await documents.create("W", "notes", "ada")

    assert not again.deleted
    with pytest.raises(NameTaken):
        await documents.create("W", ULID, "ada")


async def test_a_document_that_was_restored_after_its_purge_is_unknown(pool: Pool) -> None:
    """There is nothing to restore."""
    documents = Documents(pool)
    document = (await paper(pool)).id
    await documents.delete(document)
    await documents.purge(document)

    with pytest.raises(UnknownDocument):
        await documents.restore(document)


async def test_a_new_lineage_fences_the_old_one_and_remembers_its_clients(
    pool: Pool, database: str
) -> None:
    """Its content is the given update alone; both versions move together."""
    document = (await paper(pool)).id
    await write(database, document, *typing("old", client=7))
    documents = Documents(pool)

    record = await documents.replace(document, typing("n", client=8)[0], "ada")

    loaded = await documents.load(document)
    assert (record.lineage, record.sync_version) == (loaded.lineage, loaded.sync_version) == (2, 2)
    assert text_of([loaded.snapshot or b"", *[row.data for row in loaded.rows]]) == "n"
    assert loaded.retired == {7}
    flusher = Flusher(database)
    await flusher.start()
    assert await append(flusher, document, b"late") == Fenced("lineage")
    assert await append(flusher, document, b"new", lineage=2) == Stored(5, 5, 1, False)
    await flusher.close()


async def test_sizes_tell_what_a_document_takes(pool: Pool, database: str) -> None:
    """Before and after compaction."""
    document = (await paper(pool)).id
    updates = typing("hello")
    await write(database, document, *updates)
    documents = Documents(pool)
    before = await documents.sizes(document)
    await Compactor(pool).compact(document)
    after = await documents.sizes(document)

    size = sum(map(len, updates))
    assert (before.snapshot, before.tail, before.log, before.rows) == (0, size, size, 5)
    assert (after.tail, after.log) == (0, size)
    assert 0 < after.snapshot < size


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
