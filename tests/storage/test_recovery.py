"""The flusher while the database is away, lies, or does not answer: nothing lost, nothing twice."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from storage.documents import Documents
from storage.errors import Unavailable
from storage.log import Fenced, Flusher, Stored
from storage.pool import Pool, close_pool, open_pool
from tests.storage.papers import append, paper, papers, read_log, until
from tests.storage.wire_cutter import WireCutter

BACKEND = "SELECT pid FROM pg_stat_activity WHERE application_name = 'plait fast'"


@pytest.fixture
async def wire(database: str, tmp_path: Path) -> AsyncIterator[WireCutter]:
    """The way to the database, with a person at it who cuts it."""
    async with WireCutter(database, tmp_path) as cutter:
        yield cutter


@pytest.fixture
async def flusher(wire: WireCutter) -> AsyncIterator[Flusher]:
    """A flusher behind the wire, with short patience."""
    made = Flusher(wire.dsn, answer_s_max=0.5, connect_s_max=0.5, stalled_s=0.2)
    await made.start()
    yield made
    await made.close()


async def test_a_commit_whose_answer_is_lost_is_recognised(
    pool: Pool, wire: WireCutter, flusher: Flusher
) -> None:
    """The connection breaks between COMMIT and its reply: acknowledged once, stored once."""
    documents = await papers(pool, 3)
    await asyncio.gather(*[append(flusher, document, b"1", b"2") for document in documents])

    wire.answers.clear()
    told = [append(flusher, document, b"3", b"4") for document in documents]
    await wire.held.wait()  # The answer exists, so the transaction is committed.
    wire.cut()
    wire.answers.set()

    assert await asyncio.gather(*told) == [Stored(3, 4, 1, False)] * 3
    assert [len(await read_log(pool, document)) for document in documents] == [4, 4, 4]
    assert flusher.statistics.recognised_rows == 6


async def test_a_commit_that_was_lost_on_its_way_is_sent_again(
    pool: Pool, wire: WireCutter, flusher: Flusher
) -> None:
    """The server never saw it, so nothing is recognised and everything is stored once."""
    document = (await paper(pool)).id
    await append(flusher, document, b"connects")

    wire.requests.clear()
    told = append(flusher, document, b"1")
    await wire.held.wait()
    wire.cut()
    wire.requests.set()

    assert await told == Stored(2, 2, 1, False)
    assert await read_log(pool, document) == [b"connects", b"1"]
    assert flusher.statistics.recognised_rows == 0


async def test_a_commit_that_arrives_after_we_gave_up_does_not_happen_twice(
    pool: Pool, wire: WireCutter, flusher: Flusher
) -> None:
    """The old backend is ended before anybody looks whether it committed."""
    document = (await paper(pool)).id
    await append(flusher, document, b"connects")

    wire.requests.clear()
    told = append(flusher, document, b"1")
    await wire.held.wait()
    wire.leave()  # The server still thinks that we are there.
    wire.open = False
    await until(lambda: flusher.failing)
    wire.open = True
    assert len(await pool.fetch(BACKEND)) == 1
    late = asyncio.get_running_loop().create_task(_deliver_later(wire))

    assert await told == Stored(2, 2, 1, False)
    await late
    await append(flusher, document, b"2")
    assert await read_log(pool, document) == [b"connects", b"1", b"2"]


async def _deliver_later(wire: WireCutter) -> None:
    await asyncio.sleep(0.2)
    wire.requests.set()


async def test_half_of_a_lost_commit_was_fenced(
    pool: Pool, wire: WireCutter, flusher: Flusher
) -> None:
    """What the lost answer said of each document is found out for each."""
    kept, gone = await papers(pool, 2)
    await asyncio.gather(append(flusher, kept, b"0"), append(flusher, gone, b"0"))
    await Documents(pool).delete(gone)

    wire.answers.clear()
    told = [append(flusher, kept, b"1"), append(flusher, gone, b"1")]
    await wire.held.wait()
    wire.cut()
    wire.answers.set()

    assert await asyncio.gather(*told) == [Stored(2, 2, 2, False), Fenced("deleted")]


async def test_nothing_is_told_while_the_database_is_away(
    pool: Pool, wire: WireCutter, flusher: Flusher
) -> None:
    """Rows are kept in order, the reason is named, the age grows; then all is stored once."""
    documents = await papers(pool, 5)
    await append(flusher, documents[0], b"connects")
    wire.open = False
    wire.cut()

    told = [append(flusher, documents[n % 5], b"%03d" % n) for n in range(200)]
    await until(lambda: flusher.failing)
    told += [append(flusher, documents[n % 5], b"%03d" % n) for n in range(200, 400)]
    await until(lambda: flusher.oldest_age() > 0.3)

    assert not any(future.done() for future in told)
    assert (flusher.unsaved_rows, flusher.unsaved_bytes) == (400, 1200)
    wire.open = True
    answers = await asyncio.wait_for(asyncio.gather(*told), 5)
    assert all(isinstance(answer, Stored) for answer in answers)
    assert flusher.failing is None
    for number, document in enumerate(documents):
        log = await read_log(pool, document)
        assert log[-80:] == [b"%03d" % n for n in range(number, 400, 5)]


async def test_a_server_that_does_not_answer_is_reported_and_given_up(
    pool: Pool, wire: WireCutter, flusher: Flusher
) -> None:
    """A hung connection is replaced by a new one; what it had committed is recognised."""
    document = (await paper(pool)).id
    await append(flusher, document, b"connects")
    connections = wire.connections

    wire.answers.clear()
    told = append(flusher, document, b"1")
    await until(lambda: "no answer" in (flusher.failing or ""))
    assert not told.done()
    await until(lambda: wire.connections > connections)
    wire.answers.set()

    assert await asyncio.wait_for(told, 5) == Stored(2, 2, 1, False)
    assert await read_log(pool, document) == [b"connects", b"1"]


async def test_a_stopped_server_is_waited_for(pool: Pool, flusher: Flusher) -> None:
    """SIGSTOP of our backend, longer than our patience: stored once when it goes on."""
    document = (await paper(pool)).id
    await append(flusher, document, b"connects")
    pid = await pool.fetchval(BACKEND)

    os.kill(pid, signal.SIGSTOP)
    told = append(flusher, document, b"1")
    await until(lambda: flusher.statistics.retries > 0)
    await asyncio.sleep(0.1)
    assert not told.done()  # Its outcome is open as long as that backend lives.
    os.kill(pid, signal.SIGCONT)

    assert await asyncio.wait_for(told, 10) == Stored(2, 2, 1, False)
    assert await read_log(pool, document) == [b"connects", b"1"]


@pytest.mark.parametrize(
    "state", ["53100", "53200", "57014", "25006", "42501"],
    ids=["disk-full", "out-of-memory", "cancelled", "read-only", "no-right"],
)  # fmt: skip
async def test_a_server_that_cannot_store_is_asked_again(
    pool: Pool, flusher: Flusher, state: str
) -> None:
    """The server says no for a reason that may pass: kept, reported, and stored in the end."""
    documents = await papers(pool, 3)
    await _refuse_inserts(pool, state)

    told = [append(flusher, document, b"1") for document in documents]
    await until(lambda: "cannot" in (flusher.failing or ""))
    assert not any(future.done() for future in told)
    await pool.execute("DROP TRIGGER refuse ON updates")

    assert await asyncio.gather(*told) == [Stored(1, 1, 1, False)] * 3
    assert flusher.failing is None


async def test_damage_in_one_document_does_not_stop_the_others(
    pool: Pool, flusher: Flusher
) -> None:
    """An error that names damaged data sends its commit aside, document by document."""
    bad, *others = await papers(pool, 3)
    await _refuse_inserts(pool, "XX001", f"NEW.document = '{bad}'")

    told = [append(flusher, document, b"1") for document in (bad, *others)]

    assert await asyncio.gather(*told[1:]) == [Stored(1, 1, 1, False)] * 2
    assert not told[0].done()
    assert "cannot" in (flusher.failing or "")
    await pool.execute("DROP TRIGGER refuse ON updates")
    assert await told[0] == Stored(1, 1, 1, False)


async def _refuse_inserts(pool: Pool, state: str, when: str = "true") -> None:
    await pool.execute(
        f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'cannot' USING ERRCODE = '{state}'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON updates
        FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION refuse()
        """
    )


async def test_a_drain_that_cannot_end_says_so(
    pool: Pool, wire: WireCutter, flusher: Flusher
) -> None:
    """With the database away it gives up in time, and what is unsaved was never told of."""
    document = (await paper(pool)).id
    wire.open = False
    told = append(flusher, document, b"1")

    assert not await flusher.drain(0.1)
    assert not told.done()
    wire.open = True
    assert await flusher.drain(5)
    assert told.done()


async def test_a_backend_that_was_ended_by_somebody_else_is_replaced(
    pool: Pool, flusher: Flusher
) -> None:
    """An administrator's pg_terminate_backend costs a reconnect and no row."""
    document = (await paper(pool)).id
    await append(flusher, document, b"connects")
    await pool.execute("SELECT pg_terminate_backend($1)", await pool.fetchval(BACKEND))

    assert await append(flusher, document, b"1") == Stored(2, 2, 1, False)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_breaks_the_log_is_what_was_appended(
    pool: Pool, wire: WireCutter, flusher: Flusher, seed: int
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
        told.append(append(flusher, document, *rows))
        event = chance.random()
        if event < 0.03:
            gate = chance.choice([wire.requests, wire.answers])
            gate.clear()
            await asyncio.sleep(chance.random() * 0.01)
            chance.choice([wire.cut, wire.cut, wire.leave])()
            gate.set()
        elif event < 0.3:
            await asyncio.sleep(chance.random() * 0.002)

    answers = await asyncio.wait_for(asyncio.gather(*told), 20)

    assert all(isinstance(answer, Stored) for answer in answers)
    assert {document: await read_log(pool, document) for document in documents} == sent


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
