"""The statement of a commit: sequences, fences, and what it answers."""

import asyncio
import random
from uuid import uuid4

import pytest

from storage.append import Entry
from storage.documents import Documents
from storage.flights import Flight, Line
from storage.log import Fenced, Flusher, Stored
from storage.pool import Pool
from tests.storage.papers import (
    append,
    paper,
    papers,
    read_log,
    row,
    until_locked,
)


def waiting(*entries: tuple[int, int, int]) -> Line:
    """A line with entries of (lineage, rows, bytes in all)."""
    line = Line(uuid4(), None)
    for lineage, rows, size in entries:
        line.entries.append(Entry(lineage, [row(b"")] * rows, print, size, 0.0))
    return line


@pytest.mark.parametrize(
    ("entries", "taken"),
    [
        ([(1, 3, 10), (1, 3, 10)], 2),
        ([(1, 3, 10), (2, 3, 10)], 1),
        ([(2, 3, 10)], 0),
        ([(1, 3, 60), (1, 3, 41)], 1),
        ([(1, 3, 60), (1, 3, 40)], 2),
        ([(1, 6, 10), (1, 5, 10)], 1),
        ([(1, 6, 10), (1, 4, 10)], 2),
        ([(1, 11, 101), (1, 1, 1)], 1),
    ],
    ids=[
        "all", "another-lineage", "none-of-it", "too-many-bytes", "just-enough-bytes",
        "too-many-rows", "just-enough-rows", "first-is-never-split",
    ],
)  # fmt: skip
def test_a_flight_takes_whole_entries_up_to_its_bounds(
    entries: list[tuple[int, int, int]], taken: int
) -> None:
    """The rest stays on its line, in order. The bounds here: 10 rows, 100 bytes."""
    line = waiting(*entries)
    queued = list(line.entries)
    flight = Flight(1)

    assert flight.take(line, 10, 100) is (taken > 0)
    assert (line.aloft, line.entries) == (queued[:taken], queued[taken:])
    assert len(flight.rows) == sum(rows for _, rows, _ in entries[:taken])


def test_what_is_put_back_comes_first_again() -> None:
    """Before all that was queued since."""
    line = waiting((1, 1, 1), (1, 1, 1))
    first = line.entries[0]
    line.suspects = 1

    Flight(1).take(line, 10, 10)
    line.put_back()

    assert (line.entries[0], len(line.entries), line.aloft) == (first, 2, [])


async def test_rows_are_numbered_from_one_without_a_gap(pool: Pool, flusher: Flusher) -> None:
    """Each append is told the sequences of its own rows."""
    document = (await paper(pool)).id

    told = [append(flusher, document, b"a"), append(flusher, document, b"b", b"c")]

    assert await asyncio.gather(*told) == [Stored(1, 1, 1, False), Stored(2, 3, 1, False)]
    assert await read_log(pool, document) == [b"a", b"b", b"c"]


async def test_a_row_keeps_who_sent_it_and_when(pool: Pool, flusher: Flusher) -> None:
    """Account, device and time stand on every row; an unknown account is none."""
    document = (await paper(pool)).id

    await append(flusher, document, row(b"a", "ada", 1_700_000_000.25), row(b"b", None))

    rows = await pool.fetch(
        "SELECT author, device, extract(epoch FROM at)::float8 AS at FROM updates ORDER BY sequence"
    )
    assert tuple(rows[0]) == ("ada", "laptop", 1_700_000_000.25)
    assert rows[1]["author"] is None


async def test_an_append_marks_its_head_dirty_and_counts_its_bytes(
    pool: Pool, flusher: Flusher
) -> None:
    """The change feed finds the head, and loads know how much the tail holds."""
    document = (await paper(pool)).id
    await pool.execute("UPDATE heads SET dirty = false")

    await append(flusher, document, b"four", b"more")

    head = await pool.fetchrow("SELECT head, dirty, log_bytes FROM heads")
    assert tuple(head) == (2, True, 8)


async def test_a_deleted_document_fences_what_comes_late(pool: Pool, flusher: Flusher) -> None:
    """Its neighbours in the same commit are stored."""
    gone, kept = await papers(pool, 2)
    await Documents(pool).delete(gone)

    told = await asyncio.gather(append(flusher, gone, b"late"), append(flusher, kept, b"in time"))

    assert told == [Fenced("deleted"), Stored(1, 1, 2, False)]
    assert await read_log(pool, gone) == []


async def test_a_deleted_document_alone_in_its_commit_is_fenced(
    pool: Pool, flusher: Flusher
) -> None:
    """The statement for one document has the fence too."""
    document = (await paper(pool)).id
    await Documents(pool).delete(document)

    assert await append(flusher, document, b"late") == Fenced("deleted")


async def test_a_document_that_never_was_is_fenced(pool: Pool, flusher: Flusher) -> None:
    """Alone or among others."""
    document = (await paper(pool)).id
    told = await asyncio.gather(
        append(flusher, uuid4(), b"x"),
        append(flusher, document, b"y"),
        append(flusher, uuid4(), b"z"),
    )

    assert told == [Fenced("deleted"), Stored(1, 1, 1, False), Fenced("deleted")]


@pytest.mark.parametrize("neighbours", [0, 3])
async def test_rows_of_an_old_lineage_are_fenced(
    pool: Pool, flusher: Flusher, neighbours: int
) -> None:
    """Rows of the present lineage that stand behind them are stored."""
    document = (await paper(pool)).id
    others = await papers(pool, neighbours)
    await pool.execute("UPDATE heads SET lineage = 2 WHERE document = $1", document)

    told = [append(flusher, other, b"x") for other in others]
    old, new = append(flusher, document, b"o"), append(flusher, document, b"n", lineage=2)

    assert (await old, await new) == (Fenced("lineage"), Stored(1, 1, 1, False))
    assert await asyncio.gather(*told) == [Stored(1, 1, 1, False)] * neighbours


@pytest.mark.parametrize(
    ("change", "reason"), [("lineage = 2", "lineage"), ("deleted = true", "deleted")]
)
@pytest.mark.parametrize("count", [1, 2], ids=["each", "many"])
async def test_fences_are_judged_as_they_are_once_the_lock_is_had(
    pool: Pool, database: str, change: str, reason: str, count: int
) -> None:
    """Somebody who held the head changed it while the commit waited: its neighbours are stored."""
    document, *others = await papers(pool, 3)
    flusher = Flusher(database, lock_ms=10_000)
    await flusher.start()
    async with pool.acquire() as other:
        holding = other.transaction()
        await holding.start()
        await other.execute(f"UPDATE heads SET {change} WHERE document = $1", document)
        late = [append(flusher, document, b"%d" % n) for n in range(count)]
        told = [append(flusher, one, b"x") for one in others]
        await until_locked(pool)
        await holding.commit()

    assert await asyncio.gather(*late) == [Fenced(reason)] * count
    assert await asyncio.gather(*told) == [Stored(1, 1, 1, False)] * 2
    await flusher.close()


async def test_the_answer_carries_the_present_rights_version(pool: Pool, flusher: Flusher) -> None:
    """A grant that changed is seen with the next write."""
    document = (await paper(pool)).id
    await pool.execute("UPDATE scopes SET rights_version = 9")

    assert await append(flusher, document, b"a") == Stored(1, 1, 9, False)


async def test_a_long_tail_asks_for_compaction(pool: Pool, database: str) -> None:
    """By rows or by bytes, whichever comes first; behind a large snapshot it may be longer."""
    by_rows, by_bytes, large = await papers(pool, 3)
    await pool.execute("UPDATE heads SET snapshot_bytes = 1000 WHERE document = $1", large)
    flusher = Flusher(database, compact_rows=3, compact_bytes=100)
    await flusher.start()

    told = [
        await append(flusher, by_rows, b"a", b"b"),
        await append(flusher, by_rows, b"c"),
        await append(flusher, by_bytes, b"x" * 100),
        await append(flusher, large, b"x" * 100, b"y", b"z"),
    ]
    await flusher.close()

    assert [isinstance(t, Stored) and t.compact for t in told] == [False, True, True, False]


async def test_two_writers_on_the_same_documents_leave_no_gap(pool: Pool, database: str) -> None:
    """Two flushers, 40 documents in different orders: gap-free, in order, nothing twice."""
    documents = await papers(pool, 40)

    async def write(writer: int) -> list[Stored | Fenced]:
        flusher, chance = Flusher(database), random.Random(writer)
        await flusher.start()
        told = []
        for step in range(1500):
            document = documents[chance.randrange(len(documents))]
            told.append(append(flusher, document, b"%d:%05d" % (writer, step)))
            if step % 50 == 0:
                await asyncio.sleep(0)
        answers = await asyncio.gather(*told)
        await flusher.close()
        return answers

    answers = await asyncio.gather(write(0), write(1))

    assert all(isinstance(answer, Stored) for answer in answers[0] + answers[1])
    logs = [await read_log(pool, document) for document in documents]
    assert len({data for log in logs for data in log}) == sum(map(len, logs)) == 3000
    for log in logs:
        for writer in (b"0", b"1"):
            own = [data for data in log if data.startswith(writer)]
            assert own == sorted(own)
