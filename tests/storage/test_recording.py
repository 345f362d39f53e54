"""Stamps of single records, in the feed of their scope."""

from uuid import UUID

from crdt.tracking import Item
from storage.changes import Changed, Changes, Projected, Settled
from storage.documents import DocumentRecord
from storage.pool import Pool
from tests.storage.feeds import NOW_MS
from tests.storage.papers import paper

FILES = ("files",)


async def stamp(
    pool: Pool, record: DocumentRecord, *items: Item, sequence: int = 0, is_whole: bool = False
) -> list[Settled]:
    """Settle a document whose records became this."""
    await pool.execute("UPDATE heads SET dirty = true WHERE document = $1", record.id)
    changes = Changes(pool)
    dirty = [one for one in await changes.dirty(record.scope) if one.document == record.id]
    changed = Changed(items=items, collections=FILES, is_whole=is_whole)
    one = Projected(dirty=dirty[0], sequence=sequence, facts=None, records=changed)
    return await changes.settle([one], NOW_MS)


async def feed(pool: Pool, since: int = 0, document: UUID | None = None) -> list[tuple[str, bool]]:
    """All records of the feed after a marker, page by page, and on which side they are."""
    found = []
    while True:
        page = await Changes(pool).records_since("W", FILES, since, 2, document)
        assert [e.stamp for e in page.entries] == sorted({e.stamp for e in page.entries})
        found += [(entry.record, entry.deleted) for entry in page.entries]
        since = page.marker
        if not page.has_more:
            return found


def there(*names: str) -> list[Item]:
    """Records that stand in the collection."""
    return [Item("files", name, "there") for name in names]


async def test_each_record_has_a_stamp_of_its_own_after_its_document(pool: Pool) -> None:
    """So a page can end between any two, and the document's feed is what it was."""
    record = await paper(pool)

    (settled,) = await stamp(pool, record, *there("a", "b", "c"), sequence=1)
    page = await Changes(pool).since("W", 0, 10)

    assert settled.stamp == NOW_MS
    assert [(c.record, c.stamp - NOW_MS) for c in settled.records] == [("a", 1), ("b", 2), ("c", 3)]
    assert [entry.document for entry in page.entries] == [record.id]
    assert page.marker == NOW_MS + 3
    assert await feed(pool) == [("a", False), ("b", False), ("c", False)]


async def test_a_record_stands_in_the_feed_once_at_its_latest_stamp(pool: Pool) -> None:
    """And only where it changed: a marker from between sees the later one alone."""
    record = await paper(pool)
    await stamp(pool, record, *there("a", "b", "c"), sequence=1)
    marker = (await Changes(pool).records_since("W", FILES, 0, 10)).marker

    await stamp(pool, record, Item("files", "a", "deleted"), *there("d"), sequence=2)

    assert await feed(pool, marker) == [("a", True), ("d", False)]
    assert await feed(pool) == [("b", False), ("c", False), ("a", True), ("d", False)]


async def test_what_was_never_told_of_need_not_be_told_gone(pool: Pool) -> None:
    """A tombstone is told, because it is a record; what left nothing only if it was there."""
    record = await paper(pool)
    await stamp(pool, record, *there("a"), sequence=1)

    await stamp(
        pool, record, Item("files", "a", "gone"), Item("files", "x", "gone"),
        Item("files", "t", "deleted"), sequence=2,
    )  # fmt: skip

    assert await feed(pool) == [("a", True), ("t", True)]


async def test_of_a_whole_collection_what_is_missing_is_gone(pool: Pool) -> None:
    """Where nobody could say what changed, everything is told again."""
    record = await paper(pool)
    await stamp(pool, record, *there("a", "b"), sequence=1)

    await stamp(pool, record, *there("b", "c"), sequence=2, is_whole=True)

    assert await feed(pool) == [("b", False), ("c", False), ("a", True)]


async def test_who_read_less_than_was_stamped_already_stamps_no_record(pool: Pool) -> None:
    """Two settle at once: the later reading stands, and nothing is told twice for it."""
    record = await paper(pool)
    await stamp(pool, record, *there("a"), sequence=5)
    marker = (await Changes(pool).records_since("W", FILES, 0, 10)).marker

    await stamp(pool, record, Item("files", "a", "gone"), sequence=4)

    assert await feed(pool, marker) == []
    assert await Changes(pool).record_marks([record.id]) == {record.id: (1, 5)}


async def test_the_feed_of_one_document_leaves_out_the_others(pool: Pool) -> None:
    """And an unknown scope has none."""
    one, two = await paper(pool), await paper(pool)
    await stamp(pool, one, *there("a"), sequence=1)
    await stamp(pool, two, *there("b"), sequence=1)

    assert await feed(pool, 0, two.id) == [("b", False)]
    page = await Changes(pool).records_since("nowhere", FILES, 0, 10)
    assert (page.entries, page.marker, page.has_more) == ([], 0, False)
    assert await Changes(pool).record_marks([]) == {}
