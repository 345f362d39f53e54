"""Documents by name, in the trash and beyond."""

import asyncio

import pytest

from storage.compaction import Compactor
from storage.documents import Documents, make_id
from storage.errors import NameTaken, UnknownDocument
from storage.log import Fenced, Flusher
from storage.pool import Pool
from tests.storage.papers import (
    append,
    make_scope,
    paper,
    typing,
    until_locked,
    write,
)

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
