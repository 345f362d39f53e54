"""What becomes of a commit: refused rows, locked heads, a database that is away."""

import asyncio
from uuid import UUID

import pytest

from storage.log import APART_S, Fenced, Flusher, Stored
from storage.pool import Pool
from tests.patience import PATIENCE_S, until
from tests.storage.papers import (
    append,
    papers,
    read_log,
    row,
    until_locked,
)
from tests.storage.wire_cutter import WireCutter


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
        await asyncio.wait_for(asyncio.gather(*first), PATIENCE_S)
        waiting.append(append(flusher, locked, b"3"))
        took = [await _time_of(flusher, others) for _ in range(10)]

        assert flusher.aside == 1
        assert min(took) < 0.05  # Only the commit that first met the lock waited for it.
        assert not any(told.done() for told in waiting)
        await holding.rollback()
    await asyncio.gather(*waiting)
    assert await read_log(pool, locked) == [b"1", b"2", b"3"]
    assert flusher.aside == 0


async def _time_of(flusher: Flusher, documents: list[UUID]) -> float:
    """Seconds until a row of each is stored."""
    started = asyncio.get_running_loop().time()
    await asyncio.gather(*[append(flusher, document, b"y") for document in documents])
    return asyncio.get_running_loop().time() - started


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
        assert isinstance(await asyncio.wait_for(waiting[1], PATIENCE_S), Stored)
        assert not waiting[0].done()
        await holds[0].rollback()
    assert isinstance(await asyncio.wait_for(waiting[0], PATIENCE_S), Stored)


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


async def test_nothing_is_told_while_the_database_is_away(
    pool: Pool, wire: WireCutter, wired: Flusher
) -> None:
    """Rows are kept in order, the reason is named, the age grows; then all is stored once."""
    documents = await papers(pool, 5)
    await append(wired, documents[0], b"connects")
    wire.open = False
    wire.cut()

    told = [append(wired, documents[n % 5], b"%03d" % n) for n in range(200)]
    await until(lambda: wired.failing)
    told += [append(wired, documents[n % 5], b"%03d" % n) for n in range(200, 400)]
    await until(lambda: wired.oldest_age() > 0.3)

    assert not any(future.done() for future in told)
    assert (wired.unsaved_rows, wired.unsaved_bytes) == (400, 1200)
    wire.open = True
    answers = await asyncio.wait_for(asyncio.gather(*told), PATIENCE_S)
    assert all(isinstance(answer, Stored) for answer in answers)
    assert wired.failing is None
    for number, document in enumerate(documents):
        log = await read_log(pool, document)
        assert log[-80:] == [b"%03d" % n for n in range(number, 400, 5)]


@pytest.mark.parametrize(
    "state", ["53100", "53200", "57014", "25006", "42501"],
    ids=["disk-full", "out-of-memory", "cancelled", "read-only", "no-right"],
)  # fmt: skip
async def test_a_server_that_cannot_store_is_asked_again(
    pool: Pool, wired: Flusher, state: str
) -> None:
    """The server says no for a reason that may pass: kept, reported, and stored in the end."""
    documents = await papers(pool, 3)
    await _refuse_inserts(pool, state)

    told = [append(wired, document, b"1") for document in documents]
    await until(lambda: "cannot" in (wired.failing or ""))
    assert not any(future.done() for future in told)
    await pool.execute("DROP TRIGGER refuse ON updates")

    assert await asyncio.gather(*told) == [Stored(1, 1, 1, False)] * 3
    assert wired.failing is None


async def test_damage_in_one_document_does_not_stop_the_others(pool: Pool, wired: Flusher) -> None:
    """An error that names damaged data sends its commit aside, document by document."""
    bad, *others = await papers(pool, 3)
    await _refuse_inserts(pool, "XX001", f"NEW.document = '{bad}'")

    told = [append(wired, document, b"1") for document in (bad, *others)]

    assert await asyncio.gather(*told[1:]) == [Stored(1, 1, 1, False)] * 2
    assert not told[0].done()
    assert "cannot" in (wired.failing or "")
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


async def _write_one_by_one(flusher: Flusher, documents: list[UUID]) -> float:
    """Six hundred updates by as many writers as there are documents; the seconds it took."""
    began = asyncio.get_running_loop().time()
    told = []
    for number in range(600):
        told.append(append(flusher, documents[number % len(documents)], b"%d" % number))
        if number % 2:
            await asyncio.sleep(0.0005)
    await asyncio.gather(*told)
    return asyncio.get_running_loop().time() - began


async def test_commits_of_many_writers_wait_a_little_for_company(
    pool: Pool, flusher: Flusher
) -> None:
    """Writers who come one by one share commits; all that they sent is stored, in order."""
    documents = await papers(pool, 60)
    took_s = await _write_one_by_one(flusher, documents)

    assert flusher.statistics.rests > 0
    # The first few are committed at once, until it is seen that there are many.
    assert flusher.statistics.commits <= 12 + took_s / APART_S
    for place, document in enumerate(documents):
        rows = [b"%d" % number for number in range(place, 600, 60)]
        assert await read_log(pool, document) == rows


async def test_nobody_waits_for_company_where_commits_need_not_be_apart(
    pool: Pool, database: str
) -> None:
    """Many writers as before, and each commit begins when the one before has ended."""
    documents = await papers(pool, 60)
    flusher = Flusher(database, apart_s=0)
    await flusher.start()
    try:
        await _write_one_by_one(flusher, documents)
    finally:
        await flusher.close()

    assert flusher.statistics.rests == 0
    for place, document in enumerate(documents):
        rows = [b"%d" % number for number in range(place, 600, 60)]
        assert await read_log(pool, document) == rows


async def test_a_writer_who_waits_for_each_commit_never_waits_for_company(
    pool: Pool, flusher: Flusher
) -> None:
    """One update after the other, to one document or to many: each is committed at once."""
    documents = await papers(pool, 4)

    for number in range(40):
        await append(flusher, documents[number % 4 if number > 20 else 0], b"%d" % number)
    left = iter(range(40))
    done = asyncio.Event()

    def go_on(_: object) -> None:
        """As soon as one is told of, the next is here."""
        number = next(left, None)
        if number is None:
            done.set()
        else:
            flusher.append(documents[0], 1, [row(b"%d" % number)], go_on)

    go_on(None)
    await done.wait()

    assert flusher.statistics.rests == 0
    assert flusher.statistics.commits >= 80
