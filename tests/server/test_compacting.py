"""Documents whose log is long are compacted one by one, each queued once."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

from msgspec import structs

from server.compacting import Compacting
from server.metrics import Metrics
from storage.compaction import Compacted
from storage.errors import Unavailable
from tests.patience import PATIENCE_S, until


class Work:
    """A compaction that waits until it may go on."""

    def __init__(self) -> None:
        self.begun: list[UUID] = []
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.fail_with: Exception | None = None
        self.answers: list[Compacted] = []

    async def __call__(self, document: UUID) -> Compacted | None:
        """Begin, wait, end."""
        self.begun.append(document)
        self.has_begun.set()
        await self.may_end.wait()
        error, self.fail_with = self.fail_with, None
        if error is not None:
            raise error
        return self.answers.pop() if self.answers else None


async def test_a_document_that_asks_twice_is_compacted_once() -> None:
    """Commits ask again and again until it is done; one turn answers all of them."""
    work, metrics = Work(), Metrics()
    compacting = Compacting(work, metrics, waiting_max=10)
    first, second = uuid4(), uuid4()

    compacting.start()
    for document in (first, first, second, first):
        compacting.ask(document)
    work.may_end.set()
    await until(lambda: metrics.compactions == 2)
    await compacting.stop()

    assert work.begun == [first, second]


async def test_who_asks_last_is_not_answered_by_what_began_before() -> None:
    """Commits during a compaction ask again later; a document that fell quiet in it does not."""
    work, metrics = Work(), Metrics()
    compacting = Compacting(work, metrics, waiting_max=10)
    busy, quiet = uuid4(), uuid4()

    compacting.start()
    for document, is_last in ((busy, False), (quiet, True)):
        compacting.ask(document)
        await until(lambda of=document: work.begun[-1:] == [of])
        compacting.ask(document, is_last=is_last)
        done = metrics.compactions
        work.may_end.set()
        await until(lambda before=done: metrics.compactions > before)
        work.may_end.clear()
    work.may_end.set()
    await until(lambda: metrics.compactions == 3)
    await compacting.stop()

    assert work.begun == [busy, quiet, quiet]


async def test_a_document_with_more_to_do_goes_to_the_end_of_the_queue() -> None:
    """After a piece of a long log the others have their turn, then the next piece."""
    work, metrics = Work(), Metrics()
    piece = Compacted(sequence=1, rows=1, tail_bytes=1, snapshot_bytes=1, pending=0, quarantined=0,
                      is_whole=False)  # fmt: skip
    work.answers = [structs.replace(piece, is_whole=True), piece]
    compacting = Compacting(work, metrics, waiting_max=10)
    long, other = uuid4(), uuid4()

    for document in (long, other):
        compacting.ask(document)
    work.answers.insert(1, structs.replace(piece, is_whole=True))
    compacting.start()
    work.may_end.set()
    await until(lambda: metrics.compactions == 3)
    await compacting.stop()

    assert work.begun == [long, other, long]


async def test_the_compaction_under_way_is_finished_at_the_end() -> None:
    """And no other is begun."""
    work, metrics = Work(), Metrics()
    compacting = Compacting(work, metrics, waiting_max=10)
    first, second = uuid4(), uuid4()

    compacting.start()
    compacting.ask(first)
    compacting.ask(second)
    await work.has_begun.wait()
    ending = asyncio.create_task(compacting.stop())
    await asyncio.sleep(0)
    work.may_end.set()
    await ending

    assert (work.begun, metrics.compactions) == ([first], 1)


async def test_one_failure_does_not_end_compaction() -> None:
    """After a fault of one document the next one is compacted all the same."""
    work, metrics = Work(), Metrics()
    work.fail_with = ValueError("a fault of ours")
    work.may_end.set()
    compacting = Compacting(work, metrics, waiting_max=10)
    bad, good = uuid4(), uuid4()

    compacting.start()
    compacting.ask(bad)
    compacting.ask(good)
    await until(lambda: metrics.compactions == 1)
    await compacting.stop()

    assert work.begun == [bad, good]


async def test_a_full_queue_takes_no_more() -> None:
    """The queue has a bound; what does not fit asks again with its next commit."""
    work, metrics = Work(), Metrics()
    compacting = Compacting(work, metrics, waiting_max=1)
    first = uuid4()

    compacting.ask(first)
    compacting.ask(uuid4())
    work.may_end.set()
    compacting.start()
    await until(lambda: metrics.compactions == 1)
    await compacting.stop()

    assert work.begun == [first]


async def test_an_unreachable_database_is_no_fault() -> None:
    """While the database is away the document is left as it is and asked for again later."""
    work, metrics = Work(), Metrics()
    work.fail_with = Unavailable("gone")
    work.may_end.set()
    compacting = Compacting(work, metrics, waiting_max=10)
    document = uuid4()

    compacting.start()
    compacting.ask(document)
    async with asyncio.timeout(PATIENCE_S):
        await work.has_begun.wait()
    await compacting.stop()

    assert metrics.compactions == 0
