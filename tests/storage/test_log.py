"""The flusher on a healthy database: order, sequences, fences, lanes, poisoned rows."""

import asyncio
import random
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from storage.documents import Documents
from storage.log import FAST_ROWS_MAX, LARGE_ENTRY_BYTES, Fenced, Flusher, Stored
from storage.pool import Pool
from tests.storage.papers import append, paper, papers, read_log, row, until, until_locked


@pytest.fixture
async def flusher(database: str) -> AsyncIterator[Flusher]:
    """A flusher that runs."""
    made = Flusher(database)
    await made.start()
    yield made
    await made.close()


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


async def test_what_arrives_during_a_commit_goes_into_the_next_one(
    pool: Pool, flusher: Flusher
) -> None:
    """Nothing waits for a timer, and nothing is committed alone that could go together."""
    documents = await papers(pool, 20)
    await append(flusher, documents[0], b"connects")
    before = flusher.statistics.commits

    first = append(flusher, documents[0], b"1")
    await asyncio.sleep(0)  # The lane wakes, and the first commit is in the air.
    await asyncio.sleep(0)
    rest = [append(flusher, document, b"2") for document in documents]
    await asyncio.gather(first, *rest)

    assert flusher.statistics.commits - before == 2


async def test_a_commit_is_seen_before_it_is_told(pool: Pool, flusher: Flusher) -> None:
    """When `done` is called another connection can read the row."""
    document = (await paper(pool)).id

    await append(flusher, document, b"a")

    assert await read_log(pool, document) == [b"a"]


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


@pytest.mark.parametrize("count", [1, 100])
async def test_a_document_keeps_its_order_through_all_lanes(
    pool: Pool, flusher: Flusher, count: int
) -> None:
    """Small rows, large ones and small ones again, each called in the order of the appends."""
    documents = await papers(pool, count)
    chance = random.Random(7)
    sent: dict[UUID, list[bytes]] = {document: [] for document in documents}
    told: list[tuple[UUID, int]] = []
    for number in range(600):
        document = documents[chance.randrange(count)]
        size = LARGE_ENTRY_BYTES + 1 if chance.random() < 0.02 else 5
        data = b"%05d" % number + b"." * (size - 5)
        sent[document].append(data)
        flusher.append(document, 1, [row(data)], lambda s, d=document: told.append((d, s.first)))
        if chance.random() < 0.05:
            await asyncio.sleep(0.001)

    assert await flusher.drain(10)
    for document in documents:
        assert await read_log(pool, document) == sent[document]
        order = [first for d, first in told if d == document]
        assert order == list(range(1, len(order) + 1))


async def test_a_large_push_does_not_hold_up_small_ones(pool: Pool, flusher: Flusher) -> None:
    """It goes through a lane of its own, whole and in one commit."""
    big, small = await papers(pool, 2)
    await append(flusher, small, b"connects")

    push = append(flusher, big, *[b"x" * 100_000] * 100)
    quick = append(flusher, small, b"y")
    done, _ = await asyncio.wait([push, quick], return_when=asyncio.FIRST_COMPLETED)

    assert done == {quick}
    assert await push == Stored(1, 100, 1, True)


async def test_a_fast_commit_holds_no_more_rows_than_its_bound(
    pool: Pool, flusher: Flusher
) -> None:
    """The rest waits for the next one."""
    documents = await papers(pool, 3)
    told = [append(flusher, documents[n % 3], b"x") for n in range(FAST_ROWS_MAX + 1)]

    await asyncio.gather(*told)

    assert flusher.statistics.commits == 2


@pytest.mark.parametrize(
    "poison",
    [
        row(b"x", "nul\0in the name"),
        row(b"x", "half a surrogate \ud800"),
        row(b"x", at=float("nan")),
        row(b"x", at=1e300),
        row("not bytes"),  # type: ignore[arg-type]
    ],
    ids=["nul", "surrogate", "nan", "far-future", "text"],
)
async def test_a_row_the_database_refuses_does_not_block_the_others(
    pool: Pool, flusher: Flusher, poison: object
) -> None:
    """What came before it in its document is stored, what came after is refused with it."""
    bad, *others = await papers(pool, 4)

    before = append(flusher, bad, b"before")
    poisoned, after = append(flusher, bad, poison), append(flusher, bad, b"after")  # type: ignore[arg-type]
    told = [append(flusher, other, b"fine") for other in others]

    assert await before == Stored(1, 1, 1, False)
    assert await poisoned == await after == Fenced("poisoned")
    assert await asyncio.gather(*told) == [Stored(1, 1, 1, False)] * 3
    assert await append(flusher, bad, b"later") == Stored(2, 2, 1, False)
    assert flusher.unsaved_rows == flusher.unsaved_bytes == flusher.aside == 0
    assert flusher.failing is None


async def test_a_caller_that_fails_does_not_stop_the_others(pool: Pool, flusher: Flusher) -> None:
    """What its `done` raises goes to the loop's exception handler."""
    first, second = await papers(pool, 2)
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, c: reported.append(c["exception"]))

    flusher.append(first, 1, [row(b"a")], lambda _: {}["missing"])

    assert await append(flusher, second, b"b") == Stored(1, 1, 1, False)
    assert await append(flusher, first, b"c") == Stored(2, 2, 1, False)
    assert [type(error) for error in reported] == [KeyError]


async def test_what_is_unsaved_is_counted_and_its_age_grows(pool: Pool, database: str) -> None:
    """Rows, bytes, and how long the oldest waits; all zero once everything is told."""
    document = (await paper(pool)).id
    flusher = Flusher(database)
    told = append(flusher, document, b"four")

    assert (flusher.unsaved_rows, flusher.unsaved_bytes) == (1, 4)
    assert flusher.oldest_age() > 0
    await flusher.start()
    await told

    assert (flusher.unsaved_rows, flusher.unsaved_bytes, flusher.oldest_age()) == (0, 0, 0)
    await flusher.close()


async def test_statistics_count_commits_rows_and_bytes(pool: Pool, flusher: Flusher) -> None:
    """Every commit falls into one bucket of latency and one of size."""
    document = (await paper(pool)).id

    await append(flusher, document, b"a", b"b")
    await append(flusher, document, b"c")

    statistics = flusher.statistics
    assert (statistics.commits, statistics.rows, statistics.bytes) == (2, 3, 3)
    assert sum(statistics.latency_buckets) == sum(statistics.rows_buckets) == 2
    assert statistics.rows_buckets[:2] == [1, 1]


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


async def test_a_locked_document_goes_aside_and_the_others_go_on(
    pool: Pool, flusher: Flusher
) -> None:
    """Its own rows stay in order behind it and are stored when the lock is let go."""
    locked, *others = await papers(pool, 5)
    await append(flusher, others[0], b"connects")
    async with pool.acquire() as holder:
        holding = holder.transaction()
        await holding.start()
        await holder.execute("SELECT FROM heads WHERE document = $1 FOR UPDATE", locked)

        waiting = [append(flusher, locked, b"1"), append(flusher, locked, b"2")]
        first = [append(flusher, other, b"x") for other in others]
        await asyncio.wait_for(asyncio.gather(*first), 2)
        waiting.append(append(flusher, locked, b"3"))
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*[append(flusher, other, b"y") for other in others])
        took = asyncio.get_running_loop().time() - started

        assert flusher.aside == 1
        assert took < 0.05  # Only the commit that first met the lock waited for it.
        assert not any(told.done() for told in waiting)
        await holding.rollback()
    await asyncio.gather(*waiting)
    assert await read_log(pool, locked) == [b"1", b"2", b"3"]
    assert flusher.aside == 0


async def test_several_locked_documents_do_not_wait_for_each_other(
    pool: Pool, flusher: Flusher
) -> None:
    """The side lane goes round: the one that is let go first is stored first."""
    long, short = await papers(pool, 2)
    async with pool.acquire() as one, pool.acquire() as two:
        holds = [one.transaction(), two.transaction()]
        for hold, connection, document in zip(holds, (one, two), (long, short), strict=True):
            await hold.start()
            await connection.execute("SELECT FROM heads WHERE document = $1 FOR UPDATE", document)
        waiting = [append(flusher, long, b"long"), append(flusher, short, b"short")]
        await until(lambda: flusher.aside == 2)

        await holds[1].rollback()
        assert isinstance(await asyncio.wait_for(waiting[1], 2), Stored)
        assert not waiting[0].done()
        await holds[0].rollback()
    assert isinstance(await asyncio.wait_for(waiting[0], 2), Stored)


async def test_a_deadlock_is_tried_again(pool: Pool, database: str) -> None:
    """Somebody who locks heads in the wrong order costs a retry, never a refusal."""
    one, two = await papers(pool, 2)
    name = await pool.fetchval("SELECT current_database()")
    await pool.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '20ms'")
    flusher = Flusher(database)
    await flusher.start()
    async with pool.acquire() as other:
        await other.execute("SET deadlock_timeout = '10s'")
        holding = other.transaction()
        await holding.start()
        await other.execute("SELECT FROM heads WHERE document = $1 FOR UPDATE", two)
        told = [append(flusher, one, b"1"), append(flusher, two, b"2")]
        await until_locked(pool)
        await other.execute("SELECT FROM heads WHERE document = $1 FOR UPDATE", one)
        await holding.rollback()

    assert all(isinstance(answer, Stored) for answer in await asyncio.gather(*told))
    await flusher.close()
