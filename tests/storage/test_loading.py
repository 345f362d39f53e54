"""What a load answers, and what it refuses to answer."""

import re
from uuid import uuid4

import pytest

from storage import loading
from storage.compaction import Compactor
from storage.documents import Documents
from storage.errors import LogBroken, Unavailable, UnknownDocument
from storage.pool import Pool, close_pool, open_pool
from tests.crdt.rooms import Editor
from tests.storage.papers import paper, typing, write
from tests.storage.wire_cutter import WireCutter


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


async def test_reading_with_the_database_away_is_an_error(
    pool: Pool, database: str, wire: WireCutter
) -> None:
    """It never looks like a document that is not there."""
    document = (await paper(pool)).id
    through = await open_pool(wire.dsn, connections_max=1)
    documents = Documents(through)
    wire.open = False
    wire.cut()

    for question in (
        documents.load(document),
        documents.resolve("W", "x"),
        documents.by_id(document),
    ):
        with pytest.raises(Unavailable):
            await question
    await close_pool(through)


async def test_a_load_reads_nothing_of_what_lies_below_the_snapshot(
    pool: Pool, database: str
) -> None:
    """Its cost does not grow with the history, even in tables that were never analysed."""
    document = (await paper(pool)).id
    await write(database, document, *typing("x" * 5000))
    await Compactor(pool).compact(document)

    plan = "\n".join(
        line[0]
        for line in await pool.fetch(
            "EXPLAIN (ANALYZE, BUFFERS) " + _inlined(loading._LOAD, document, 1 << 22, 4096)
        )
    )

    assert "Rows Removed" not in plan
    blocks = re.search(r"shared hit=(\d+)", plan)
    assert blocks is not None
    assert int(blocks[1]) < 40


def _inlined(sql: str, *values: object) -> str:
    for number, value in enumerate(values, 1):
        sql = sql.replace(f"${number}", f"'{value}'")
    return sql


async def test_a_whole_snapshot_alone_says_its_state_vector(pool: Pool, database: str) -> None:
    """Where a checksum proves it; not where it is stored plain, and not what rows make of it."""
    documents, compactor = Documents(pool), Compactor(pool)
    vectors = []
    for text in ("words that repeat " * 300, "abc"):
        document = (await paper(pool)).id
        row = Editor(7).type(text)
        await write(database, document, row)
        vectors.append((await documents.load(document)).vector)
        await compactor.compact(document)
        loaded = await documents.load(document)
        assert not loaded.rows
        assert loaded.snapshot is not None
        vectors.append(loaded.vector)
        await write(database, document, row)
        assert len((await documents.load(document)).rows) == 1

    assert vectors == [None, b"\1\7\x98\x2a", None, None]
