"""Connections that break, hang or come back late: nothing lost, nothing twice."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import psutil
import pytest

from storage.documents import Documents
from storage.log import Fenced, Flusher, Stored
from storage.migrate import migrate
from storage.pool import Pool, close_pool, open_pool
from storage.postgres import Embedded
from tests.patience import PATIENCE_S, until
from tests.storage.papers import (
    append,
    paper,
    papers,
    read_log,
)
from tests.storage.wire_cutter import WireCutter

OPTIONS = {"fsync": "off", "full_page_writes": "off"}
BACKEND = """
SELECT pid FROM pg_stat_activity
WHERE application_name = 'plait fast' AND datname = current_database()
"""


@contextmanager
def stopped(*processes: psutil.Process) -> Iterator[None]:
    """None of these processes runs, and each goes on whatever happens."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


async def test_a_commit_whose_answer_is_lost_is_recognised(
    pool: Pool, wire: WireCutter, wired: Flusher
) -> None:
    """The connection breaks between COMMIT and its reply: acknowledged once, stored once."""
    documents = await papers(pool, 3)
    await asyncio.gather(*[append(wired, document, b"1", b"2") for document in documents])

    wire.answers.clear()
    told = [append(wired, document, b"3", b"4") for document in documents]
    await wire.held.wait()  # The answer exists, so the transaction is committed.
    wire.cut()
    wire.answers.set()

    assert await asyncio.gather(*told) == [Stored(3, 4, 1, False)] * 3
    assert [len(await read_log(pool, document)) for document in documents] == [4, 4, 4]
    assert wired.statistics.recognised_rows == 6


async def test_a_commit_that_was_lost_on_its_way_is_sent_again(
    pool: Pool, wire: WireCutter, wired: Flusher
) -> None:
    """The server never saw it, so nothing is recognised and everything is stored once."""
    document = (await paper(pool)).id
    await append(wired, document, b"connects")

    wire.requests.clear()
    told = append(wired, document, b"1")
    await wire.held.wait()
    wire.cut()
    wire.requests.set()

    assert await told == Stored(2, 2, 1, False)
    assert await read_log(pool, document) == [b"connects", b"1"]
    assert wired.statistics.recognised_rows == 0


async def test_a_commit_that_arrives_after_we_gave_up_does_not_happen_twice(
    pool: Pool, wire: WireCutter, wired: Flusher
) -> None:
    """The old backend is ended before anybody looks whether it committed."""
    document = (await paper(pool)).id
    await append(wired, document, b"connects")

    wire.requests.clear()
    told = append(wired, document, b"1")
    await wire.held.wait()
    wire.leave()  # The server still thinks that we are there.
    wire.open = False
    await until(lambda: wired.failing)
    wire.open = True
    assert len(await pool.fetch(BACKEND)) == 1
    late = asyncio.get_running_loop().create_task(_deliver_later(wire))

    assert await told == Stored(2, 2, 1, False)
    await late
    await append(wired, document, b"2")
    assert await read_log(pool, document) == [b"connects", b"1", b"2"]


async def _deliver_later(wire: WireCutter) -> None:
    await asyncio.sleep(0.2)
    wire.requests.set()


async def test_half_of_a_lost_commit_was_fenced(
    pool: Pool, wire: WireCutter, wired: Flusher
) -> None:
    """What the lost answer said of each document is found out for each."""
    kept, gone = await papers(pool, 2)
    await asyncio.gather(append(wired, kept, b"0"), append(wired, gone, b"0"))
    await Documents(pool).delete(gone)

    wire.answers.clear()
    told = [append(wired, kept, b"1"), append(wired, gone, b"1")]
    await wire.held.wait()
    wire.cut()
    wire.answers.set()

    assert await asyncio.gather(*told) == [Stored(2, 2, 2, False), Fenced("deleted")]


async def test_a_server_that_does_not_answer_is_reported_and_given_up(
    pool: Pool, wire: WireCutter, wired: Flusher
) -> None:
    """A hung connection is replaced by a new one; what it had committed is recognised."""
    document = (await paper(pool)).id
    await append(wired, document, b"connects")
    connections = wire.connections

    wire.answers.clear()
    told = append(wired, document, b"1")
    await until(lambda: "no answer" in (wired.failing or ""))
    assert not told.done()
    await until(lambda: wire.connections > connections)
    wire.answers.set()

    assert await asyncio.wait_for(told, PATIENCE_S) == Stored(2, 2, 1, False)
    assert await read_log(pool, document) == [b"connects", b"1"]


async def test_a_stopped_server_is_waited_for(pool: Pool, wired: Flusher) -> None:
    """SIGSTOP of our backend, longer than our patience: stored once when it goes on."""
    document = (await paper(pool)).id
    await append(wired, document, b"connects")
    pid = await pool.fetchval(BACKEND)

    with stopped(psutil.Process(pid)):
        told = append(wired, document, b"1")
        await until(lambda: wired.statistics.retries > 0)
        await asyncio.sleep(0.1)
        assert not told.done()  # Its outcome is open as long as that backend lives.

    assert await asyncio.wait_for(told, PATIENCE_S) == Stored(2, 2, 1, False)
    assert await read_log(pool, document) == [b"connects", b"1"]


async def test_a_backend_that_was_ended_by_somebody_else_is_replaced(
    pool: Pool, wired: Flusher
) -> None:
    """An administrator's pg_terminate_backend costs a reconnect and no row."""
    document = (await paper(pool)).id
    await append(wired, document, b"connects")
    await pool.execute("SELECT pg_terminate_backend($1)", await pool.fetchval(BACKEND))

    assert await append(wired, document, b"1") == Stored(2, 2, 1, False)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_breaks_the_log_is_what_was_appended(
    pool: Pool, wire: WireCutter, wired: Flusher, seed: int
) -> None:
    """Random appends, cuts, lost requests, lost answers: every row once, each document in order."""
    chance = random.Random(seed)
    documents = await papers(pool, 8)
    sent: dict[UUID, list[bytes]] = {document: [] for document in documents}
    told: list[asyncio.Future[Stored | Fenced]] = []
    for step in range(400):
        document = chance.choice(documents)
        rows = [b"%04d.%d" % (step, n) for n in range(chance.randint(1, 3))]
        sent[document] += rows
        told.append(append(wired, document, *rows))
        event = chance.random()
        if event < 0.03:
            gate = chance.choice([wire.requests, wire.answers])
            gate.clear()
            await asyncio.sleep(chance.random() * 0.01)
            chance.choice([wire.cut, wire.cut, wire.leave])()
            gate.set()
        elif event < 0.3:
            await asyncio.sleep(chance.random() * 0.002)

    answers = await asyncio.wait_for(asyncio.gather(*told), PATIENCE_S)

    assert all(isinstance(answer, Stored) for answer in answers)
    assert {document: await read_log(pool, document) for document in documents} == sent


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a socket's path is; and open to the user that PostgreSQL runs as."""
    with TemporaryDirectory(prefix="plait-outage-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture
async def embedded(folder: Path) -> AsyncIterator[Embedded]:
    """A PostgreSQL of our own, at the newest migration."""
    server = Embedded(folder, options=OPTIONS)
    await server.start()
    pool = await open_pool(server.dsn, connections_max=1)
    await migrate(pool)
    await close_pool(pool)
    yield server
    await server.stop()


class Writers:
    """Writes to a few documents without end and remembers what was acknowledged."""

    def __init__(self, flusher: Flusher, documents: list[UUID]) -> None:
        self.flusher = flusher
        self.documents = documents
        self.sent: dict[UUID, list[bytes]] = {document: [] for document in documents}
        self.told: list[asyncio.Future[Stored | Fenced]] = []
        self.acknowledged = 0

    async def write(self) -> None:
        """One row for one document after another, bounded as a server bounds it."""
        for number in range(1_000_000):
            while self.flusher.unsaved_rows > 500:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
            document = self.documents[number % len(self.documents)]
            self.sent[document].append(b"%07d" % number)
            told = append(self.flusher, document, self.sent[document][-1])
            told.add_done_callback(self._count)
            self.told.append(told)
            if number % 20 == 0:
                await asyncio.sleep(0.001)

    def _count(self, _: object) -> None:
        self.acknowledged += 1


@pytest.mark.parametrize("outage", ["killed", "stopped"])
async def test_writers_live_through_an_outage(embedded: Embedded, outage: str) -> None:
    """Nothing is acknowledged while it lasts; afterwards every row is there once, in order."""
    pool = await open_pool(embedded.dsn)
    documents = await papers(pool, 7)
    flusher = Flusher(embedded.dsn, answer_s_max=0.5, connect_s_max=0.5, stalled_s=0.2)
    await flusher.start()
    writers = Writers(flusher, documents)
    writing = asyncio.create_task(writers.write())
    await until(lambda: writers.acknowledged > 300)

    assert embedded.pid is not None
    if outage == "killed":
        os.kill(embedded.pid, signal.SIGKILL)
    else:
        postmaster = psutil.Process(embedded.pid)
        with stopped(postmaster, *postmaster.children(recursive=True)):
            await until(lambda: flusher.failing)
            before = writers.acknowledged
            await until(lambda: flusher.oldest_age() > 1.2)
            assert writers.acknowledged == before
            assert flusher.unsaved_rows <= 520
    seen = writers.acknowledged
    await until(lambda: writers.acknowledged > seen + 300)
    writing.cancel()

    answers = await asyncio.wait_for(asyncio.gather(*writers.told), PATIENCE_S)
    assert all(isinstance(answer, Stored) for answer in answers)
    assert flusher.failing is None
    assert {document: await read_log(pool, document) for document in documents} == writers.sent
    await flusher.close()
    await close_pool(pool)
