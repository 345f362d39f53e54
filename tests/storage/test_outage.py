"""A whole PostgreSQL that is killed or stopped under writers, and comes back."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import psutil
import pytest

from storage.log import Fenced, Flusher, Stored
from storage.migrate import migrate
from storage.pool import close_pool, open_pool
from storage.postgres import Embedded
from tests.storage.papers import append, papers, read_log, until

OPTIONS = {"fsync": "off", "full_page_writes": "off"}


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
        processes = [psutil.Process(embedded.pid)]
        processes += processes[0].children(recursive=True)
        for process in processes:
            process.suspend()
        before = writers.acknowledged
        await until(lambda: flusher.failing)
        await until(lambda: flusher.oldest_age() > 1.2)
        assert writers.acknowledged <= before + 1  # At most what was on its way already.
        assert flusher.unsaved_rows <= 520
        for process in processes:
            process.resume()
    seen = writers.acknowledged
    await until(lambda: writers.acknowledged > seen + 300, timeout_s=20)
    writing.cancel()

    answers = await asyncio.wait_for(asyncio.gather(*writers.told), 20)
    assert all(isinstance(answer, Stored) for answer in answers)
    assert flusher.failing is None
    assert {document: await read_log(pool, document) for document in documents} == writers.sent
    await flusher.close()
    await close_pool(pool)
