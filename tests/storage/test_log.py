"""The flusher: groups without a timer, order, lanes, what is unsaved."""

import asyncio
import random
from uuid import UUID

import pytest

from storage.log import FAST_ROWS_MAX, LARGE_ENTRY_BYTES, Flusher, Stored
from storage.pool import Pool
from tests.storage.papers import (
    append,
    paper,
    papers,
    read_log,
    row,
)
from tests.storage.wire_cutter import WireCutter


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


async def test_a_drain_that_cannot_end_says_so(
    pool: Pool, wire: WireCutter, wired: Flusher
) -> None:
    """With the database away it gives up in time, and what is unsaved was never told of."""
    document = (await paper(pool)).id
    wire.open = False
    told = append(wired, document, b"1")

    assert not await wired.drain(0.1)
    assert not told.done()
    wire.open = True
    assert await wired.drain(5)
    assert told.done()
