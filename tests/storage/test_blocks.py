"""Blocks by the hundred: found, made once, and what is known of them."""

import asyncio
from uuid import UUID

from storage.blocks import Blocks, Name
from storage.documents import Documents
from storage.errors import LogBroken, UnknownDocument
from storage.loading import Loaded, load_many
from storage.pool import Pool
from tests.storage.feeds import NOW_MS, marked, settle, titled
from tests.storage.papers import make_scope, paper, rebuilt, typing, write

ULID = "01J8ZQ4T9Y3K8M2N5P7R9S1T3V"
OTHER = "01J8ZQ4T9Y3K8M2N5P7R9S1T3W"


async def test_blocks_are_found_by_id_anywhere_and_by_name_in_their_scope(pool: Pool) -> None:
    """In the order of the question; ids in any case; what is not there is None."""
    documents, blocks = Documents(pool), Blocks(pool)
    await make_scope(pool, "A")
    await make_scope(pool, "B")
    by_id = await documents.create("A", ULID, "ada")
    in_a = await documents.create("A", "notes", "ada")
    in_b = await documents.create("B", "notes", "bob")

    found = await blocks.find(
        [
            Name("B", "notes"),
            Name(None, ULID.lower()),
            Name("A", "nothing"),
            Name("A", "notes"),
            Name("B", ULID),
            Name(None, OTHER),
            Name(None, "notes"),
        ]
    )

    records = [None if block is None else block.record for block in found]
    assert records == [in_b, by_id, None, in_a, by_id, None, None]
    assert await blocks.find([]) == []


async def test_deleted_blocks_are_found_and_purged_ones_by_their_id_only(pool: Pool) -> None:
    """A name that was purged is free again."""
    documents, blocks = Documents(pool), Blocks(pool)
    await make_scope(pool)
    for name in (ULID, "notes"):
        record = await documents.create("W", name, "ada")
        await documents.delete(record.id)
    deleted = await blocks.find([Name(None, ULID), Name("W", "notes")])
    for block in deleted:
        assert block is not None
        await documents.purge(block.record.id)

    purged = await blocks.find([Name(None, ULID), Name("W", "notes")])

    assert [block is not None and block.record.deleted for block in deleted] == [True, True]
    assert [block is not None for block in purged] == [True, False]


async def test_many_who_create_overlapping_names_make_each_once(pool: Pool) -> None:
    """In whatever order they name them; the id of another scope stays where it is."""
    blocks = Blocks(pool)
    await make_scope(pool, "A")
    await make_scope(pool, "B")
    names = [Name("A", f"n{number}") for number in range(40)] + [Name("A", ULID)]
    others = [Name("A", ULID.lower()), *reversed(names), Name("A", "n1")]

    await asyncio.gather(*(blocks.create(some, "ada") for some in (names, others, names, others)))
    await blocks.create([Name("B", ULID)], "bob")

    assert await pool.fetchval("SELECT count(*) FROM heads") == 41
    (found,) = await blocks.find([Name(None, ULID)])
    assert found is not None
    assert (found.record.scope, found.record.owner) == ("A", "ada")


async def test_what_is_known_is_fresh_until_something_is_written(pool: Pool, database: str) -> None:
    """Title, trash, state vector and deletions are there after the settling."""
    record = await paper(pool)
    blocks = Blocks(pool)
    await write(database, record.id, titled("Milk"), marked(deletedAt=NOW_MS))
    unknown = (await blocks.look_up([record.id]))[record.id]
    await settle(pool)
    fresh = (await blocks.look_up([record.id]))[record.id]
    await write(database, record.id, titled("Honey", client=8))
    stale = (await blocks.look_up([record.id]))[record.id]

    assert (unknown.known, unknown.is_fresh, unknown.head) == (None, False, 2)
    assert fresh.is_fresh
    assert fresh.known is not None
    assert (fresh.known.title, fresh.known.trashed_at) == ("Milk", NOW_MS)
    assert fresh.known.delete_only == b"\0\0"
    loaded = (await load_many(pool, [record.id]))[record.id]
    assert isinstance(loaded, Loaded)
    assert (stale.is_fresh, stale.head) == (False, 3)


async def test_many_documents_are_loaded_at_once_and_bad_ones_alone_fail(
    pool: Pool, database: str
) -> None:
    """A hole in one log, or an unknown id, is an error of that document and of no other."""
    good, empty, broken = [(await paper(pool)).id for _ in range(3)]
    await write(database, good, *typing("hello"))
    await write(database, broken, *typing("hello"))
    await pool.execute("DELETE FROM updates WHERE document = $1 AND sequence = 3", broken)
    unknown = UUID(int=7)

    found = await load_many(pool, [good, empty, broken, unknown])

    loaded, nothing = found[good], found[empty]
    assert isinstance(loaded, Loaded)
    assert isinstance(nothing, Loaded)
    assert loaded.head == 5
    assert rebuilt(loaded).encode() != b"\0\0"
    assert (nothing.head, nothing.rows) == (0, [])
    assert isinstance(found[broken], LogBroken)
    assert isinstance(found[unknown], UnknownDocument)


async def test_a_long_tail_is_loaded_with_the_others(pool: Pool, database: str) -> None:
    """Pieces of it are read one after the other, and nothing is missing."""
    record = await paper(pool)
    await write(database, record.id, *typing("x" * 4200))

    found = await load_many(pool, [record.id])

    loaded = found[record.id]
    assert isinstance(loaded, Loaded)
    assert len(loaded.rows) == 4200
