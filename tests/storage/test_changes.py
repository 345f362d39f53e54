"""The change feed: stamps, sides, pages, and what a chain of deltas sees."""

from storage.changes import _DIRTY_IN, _SINCE, Changes
from storage.documents import Documents
from storage.pool import Pool, transaction
from storage.relations import _TITLES
from storage.tallies import recount
from storage.workspaces import _CONTENTS, _COUNTS, _ONE, _PLACES, ANY, LIVE, TRASHED, Workspaces
from tests.storage.feeds import NOW_MS, follow, marked, settle, titled
from tests.storage.papers import make_scope, paper, write
from tests.storage.plans import explain, pages_of


async def test_each_document_gets_a_stamp_of_its_own_that_is_later_than_all_before(
    pool: Pool,
) -> None:
    """Strictly increasing in a scope, not before the clock, in order of the documents' ids."""
    made = [(await paper(pool)).id for _ in range(3)]

    first = await settle(pool)
    again = await settle(pool)
    newer = (await paper(pool)).id
    later = await settle(pool, now_ms=NOW_MS - 1000)

    assert [(s.document, s.stamp) for s in first] == [
        (document, NOW_MS + place) for place, document in enumerate(sorted(made))
    ]
    assert again == []
    assert [(s.document, s.stamp) for s in later] == [(newer, NOW_MS + 3)]


async def test_two_scopes_have_their_own_stamps(pool: Pool) -> None:
    """One settling may stamp in several; a marker says nothing about another scope."""
    one, two = await paper(pool, "A"), await paper(pool, "B")

    await settle(pool, "A")
    await settle(pool, "B")

    assert await Changes(pool).markers(["A", "B", "C"]) == {"A": NOW_MS, "B": NOW_MS}
    for scope, record in (("A", one), ("B", two)):
        entries, _ = await follow(pool, 0, scope)
        assert [entry.document for entry in entries] == [record.id]
    await paper(pool, "B")
    assert await Changes(pool).latest(["A", "B"]) == {"A": (NOW_MS, False), "B": (NOW_MS, True)}


async def test_a_page_ends_in_the_marker_of_its_last_entry_until_nothing_is_left(
    pool: Pool,
) -> None:
    """And the totals say how many match before paging."""
    for _ in range(5):
        await paper(pool)
    await settle(pool)
    changes = Changes(pool)

    first = await changes.since("W", 0, 2)
    second = await changes.since("W", first.marker, 2)
    third = await changes.since("W", second.marker, 2)

    assert [(p.changed, p.deleted, p.has_more) for p in (first, second, third)] == [
        (5, 0, True),
        (3, 0, True),
        (1, 0, False),
    ]
    assert [p.marker for p in (first, second, third)] == [NOW_MS + 1, NOW_MS + 3, NOW_MS + 4]
    empty = await changes.since("W", third.marker, 2)
    assert (empty.entries, empty.marker, empty.changed) == ([], NOW_MS + 4, 0)


async def test_the_marker_of_a_new_scope_is_its_creation(pool: Pool) -> None:
    """Not zero, and what comes later has a later stamp, even by a clock that is behind."""
    await make_scope(pool)
    page = await Changes(pool).since("W", 0, 10)
    assert page.marker > 1_700_000_000_000

    await paper(pool)
    await settle(pool, now_ms=5)

    entries, _ = await follow(pool, page.marker)
    assert len(entries) == 1


async def test_an_unknown_scope_has_an_empty_feed(pool: Pool) -> None:
    """Nothing to settle, nothing to list."""
    assert await settle(pool, "nowhere") == []
    assert (await Changes(pool).since("nowhere", 0, 10)).entries == []


async def test_trashed_and_restored_blocks_change_sides(pool: Pool, database: str) -> None:
    """The document itself says so; every change of it comes with a new stamp."""
    block = await paper(pool)
    sides = []
    marker = 0
    for data in (
        titled("Milk"),
        marked(6, deletedAt=NOW_MS),
        marked(9, deletedAt=None),
        marked(11, deleted_at="2026-09-21T00:00:00Z"),
    ):
        await write(database, block.id, data)
        entries, marker = await follow(pool, marker)
        sides += [(entry.title, entry.deleted, entry.trashed_at) for entry in entries]

    assert sides == [
        ("Milk", False, None),
        ("Milk", True, NOW_MS),
        ("Milk", False, None),
        ("Milk", True, 1_789_948_800_000),
    ]


async def test_a_document_in_the_stores_trash_counts_as_deleted_and_comes_back(
    pool: Pool, database: str
) -> None:
    """Also purged ones stay listed as deleted."""
    documents = Documents(pool)
    block = await paper(pool)
    await write(database, block.id, titled("Milk"))
    marker = 0
    sides = []
    for change in (documents.delete, documents.restore, documents.delete, documents.purge):
        await change(block.id)
        entries, marker = await follow(pool, marker)
        sides.append([entry.deleted for entry in entries])

    assert sides == [[True], [False], [True], [True]]


async def test_a_block_that_says_it_is_deleted_for_good_takes_no_more(
    pool: Pool, database: str
) -> None:
    """Its document is closed once, in the settling; whoever restores it is not overruled."""
    block = await paper(pool)
    documents = Documents(pool)
    await write(database, block.id, marked(permanentlyDeletedAt=NOW_MS))
    before = await pool.fetchval("SELECT rights_version FROM scopes")

    settled = await settle(pool)
    record = await documents.by_id(block.id)
    await documents.restore(block.id)
    after = await settle(pool)

    assert [(s.closed, s.deleted) for s in settled] == [(True, True)]
    assert record is not None
    assert record.deleted
    assert await pool.fetchval("SELECT rights_version FROM scopes") == before + 2
    assert [(s.closed, s.deleted, s.was_deleted) for s in after] == [(False, True, True)]
    restored = await documents.by_id(block.id)
    assert restored is not None
    assert not restored.deleted


async def test_deleting_a_scope_turns_all_of_it_and_restoring_turns_it_back(
    pool: Pool, database: str
) -> None:
    """Each document is in the next delta, on its side; rights move; twice is once."""
    live, trashed = await paper(pool), await paper(pool)
    await write(database, trashed.id, marked(deletedAt=NOW_MS))
    _, marker = await follow(pool, 0)
    changes = Changes(pool)
    told = []
    for deleted in (True, True, False):
        told.append(await changes.set_scope_deleted("W", NOW_MS, deleted=deleted))
        entries, marker = await follow(pool, marker)
        told.append([(entry.document, entry.deleted) for entry in entries])

    assert told == [
        True, [(live.id, True), (trashed.id, True)],
        False, [],
        True, [(live.id, False), (trashed.id, True)],
    ]  # fmt: skip
    assert await pool.fetchval("SELECT rights_version FROM scopes") == 3


async def test_what_is_written_in_a_deleted_scope_counts_as_deleted(
    pool: Pool, database: str
) -> None:
    """A push that was under way when the workspace was deleted brings nothing back."""
    block = await paper(pool)
    await settle(pool)
    await Changes(pool).set_scope_deleted("W", NOW_MS, deleted=True)
    await write(database, block.id, titled("late"))

    entries, _ = await follow(pool, NOW_MS + 1)

    assert [(entry.title, entry.deleted) for entry in entries] == [("late", True)]


async def test_a_page_reads_few_rows_however_large_the_scope(pool: Pool) -> None:
    """Totals are counted beforehand, a page comes from the index, and no table is read through.

    A delta of 20 matches, one from the start, one from the middle, what waits for its stamp and the
    trash touch as many pages among 2,000 blocks as among 40,000, but for the deeper indexes; also
    where the statistics are of a moment when everything was dirty.
    """
    first = "'00000000-0000-0000-0000-000000000000'"
    trash = _CONTENTS.format(places=_PLACES[TRASHED])
    pages, plans = [], []
    for size in (2_000, 40_000):
        await grow(pool, size)
        plans = [
            await explain(pool, _SINCE, "'W'", str(NOW_MS + size - 20), "10"),
            await explain(pool, _SINCE, "'W'", "0", "10"),
            await explain(pool, _SINCE, "'W'", str(NOW_MS + size // 2), "10"),
            await explain(pool, _DIRTY_IN, "'W'", first, "9"),
            await explain(pool, trash, "'W'", "10", "0"),
            await explain(pool, _COUNTS, "'W'"),
            await explain(pool, _ONE, "'W'"),
            await explain(pool, _TITLES, "'W'", "'{n5,n9}'"),
            await explain(pool, _CONTENTS.format(places=_PLACES[ANY]), "'W'", "10", "0"),
        ]
        assert plans[0].count("Index Only Scan using changes_by_stamp on changes") == 2, plans[0]
        pages.append([pages_of(plan) for plan in plans])

    for plan in plans:
        for table in ("changes", "documents", "heads"):
            assert f"Seq Scan on {table}" not in plan, plan
    for few, many in zip(*pages, strict=True):
        assert many <= few + 50, pages
    for since, left in ((NOW_MS + 40_000 - 20, 20), (NOW_MS, 40_000), (NOW_MS + 9_000, 31_000)):
        page = await Changes(pool).since("W", since, 10)
        assert (len(page.entries), page.changed + page.deleted) == (10, left)
    workspaces = Workspaces(pool)
    assert [await workspaces.count("W", which) for which in (LIVE, TRASHED)] == [39_997, 3]
    assert len(await workspaces.contents("W", TRASHED, 10, 0)) == 3


async def grow(pool: Pool, size: int) -> None:
    """A scope of so many settled blocks, one of them dirty."""
    await make_scope(pool)
    await pool.execute(
        """
        WITH made AS (
            INSERT INTO documents (id, scope, name)
            SELECT gen_random_uuid(), 'W', 'n' || n
            FROM generate_series((SELECT count(*) FROM documents) + 1, $1) n
            RETURNING id, substr(name, 2)::bigint AS n
        ), heads AS (INSERT INTO heads (document, scope, head) SELECT id, 'W', n FROM made)
        INSERT INTO changes (scope, document, stamp, deleted, trashed)
        SELECT 'W', id, $2::bigint + n, n <= 3, n <= 3 FROM made
        """,
        size,
        NOW_MS,
    )
    async with transaction(pool) as connection:
        await recount(connection, "W")
    await pool.execute("UPDATE heads SET dirty = true")
    await pool.execute("VACUUM ANALYZE")
    await pool.execute("UPDATE heads SET dirty = false WHERE head <> 7")
    await pool.execute("VACUUM")
