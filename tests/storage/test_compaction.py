"""Compaction: what loads before it loads after it, whatever waits, breaks or races."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pycrdt
import pytest

from crdt.document import Document
from storage import loading
from storage.compaction import Compactor, run_inline
from storage.documents import Documents
from storage.errors import LogBroken
from storage.log import Fenced, Flusher, Stored
from storage.pool import Pool
from tests.storage.papers import (
    BREAKS,
    append,
    drawing,
    paper,
    read_log,
    rebuilt,
    text_of,
    typing,
    write,
)


async def test_a_compacted_document_loads_as_before(pool: Pool, database: str) -> None:
    """From its snapshot alone; the log keeps every row."""
    document = (await paper(pool)).id
    updates = drawing(1)
    await write(database, document, *updates)
    documents = Documents(pool)
    before = rebuilt(await documents.load(document)).encode()

    done = await Compactor(pool).compact(document)

    loaded = await documents.load(document)
    assert done is not None
    assert (done.sequence, done.rows, done.pending, done.quarantined) == (
        len(updates), len(updates), 0, 0
    )  # fmt: skip
    assert loaded.rows == []
    assert (loaded.tail_rows, loaded.tail_bytes) == (0, 0)
    assert rebuilt(loaded).encode() == before
    assert await read_log(pool, document) == updates


async def test_what_comes_after_a_compaction_is_loaded_above_it(pool: Pool, database: str) -> None:
    """Sequences go on, and a second compaction starts from the first."""
    document = (await paper(pool)).id
    updates = typing("hello world")
    await write(database, document, *updates[:5])
    compactor, documents = Compactor(pool), Documents(pool)
    await compactor.compact(document)
    await write(database, document, *updates[5:])

    loaded = await documents.load(document)
    await compactor.compact(document)

    assert [row.sequence for row in loaded.rows] == [6, 7, 8, 9, 10, 11]
    again = await documents.load(document)
    assert (again.rows, again.snapshot_sequence) == ([], 11)
    assert text_of([again.snapshot or b""]) == "hello world"


async def test_a_document_without_news_is_not_compacted(pool: Pool, database: str) -> None:
    """Neither an empty one, nor one twice, nor one in the trash."""
    compactor, documents = Compactor(pool), Documents(pool)
    empty, twice, gone = [(await paper(pool)).id for _ in range(3)]
    await write(database, twice, *typing("a"))
    await write(database, gone, *typing("a"))
    await compactor.compact(twice)
    await documents.delete(gone)

    assert [await compactor.compact(each) for each in (empty, twice, gone)] == [None, None, None]


async def test_rows_that_wait_are_loaded_beside_the_snapshot(pool: Pool, database: str) -> None:
    """A snapshot of pycrdt drops them; when the missing row comes, the text is complete."""
    document = (await paper(pool)).id
    first, second, third = typing("abc")
    await write(database, document, first, third)
    compactor, documents = Compactor(pool), Documents(pool)

    done = await compactor.compact(document)

    loaded = await documents.load(document)
    assert done is not None
    assert done.pending == 1
    assert [(row.sequence, row.data) for row in loaded.rows] == [(2, third)]
    assert rebuilt(loaded).has_pending
    await write(database, document, second)
    await compactor.compact(document)
    loaded = await documents.load(document)
    assert loaded.rows == []
    assert text_of([loaded.snapshot or b""]) == "abc"


async def test_a_deletion_that_waits_is_not_lost(pool: Pool, database: str) -> None:
    """It names letters that come later."""
    document = (await paper(pool)).id
    author = pycrdt.Doc(client_id=7)
    text = author.get("text", type=pycrdt.Text)
    text += "ab"
    typed = author.get_update()
    state = author.get_state()
    del text[0:1]
    deleted = author.get_update(state)
    await write(database, document, deleted)
    await Compactor(pool).compact(document)
    await write(database, document, typed)

    assert rebuilt(await Documents(pool).load(document)).encode() == author.get_update()


@pytest.mark.parametrize("seed", range(6))
async def test_random_compactions_lose_nothing(pool: Pool, database: str, seed: int) -> None:
    """Rows in any order, some late, compacted at random: the end is the whole."""
    chance = random.Random(seed)
    document = (await paper(pool)).id
    updates = drawing(seed)
    shuffled = list(updates)
    for at in range(len(shuffled) - 1):
        if chance.random() < 0.15:
            other = min(len(shuffled) - 1, at + chance.randrange(1, 12))
            shuffled[at], shuffled[other] = shuffled[other], shuffled[at]
    flusher, compactor = Flusher(database), Compactor(pool)
    await flusher.start()
    at = 0
    while at < len(shuffled):
        step = chance.randrange(1, 20)
        await append(flusher, document, *shuffled[at : at + step])
        at += step
        await compactor.compact(document)
    await flusher.close()

    loaded = await Documents(pool).load(document)

    assert rebuilt(loaded).encode() == Document.rebuild(updates).encode()
    assert loaded.rows == []


@pytest.mark.parametrize(
    ("bad", "place"),
    [
        pytest.param(b"no update", 0, id="malformed-first"),
        pytest.param(b"no update", 3, id="malformed-middle"),
        pytest.param(b"no update", 10, id="malformed-last"),
        pytest.param(BREAKS, 3, id="breaks-middle"),
        pytest.param(BREAKS, 10, id="breaks-last"),
    ],
)
async def test_a_bad_row_is_set_aside_and_the_document_opens(
    pool: Pool, database: str, bad: bytes, place: int
) -> None:
    """It keeps its sequence and its bytes; everything else is there."""
    document = (await paper(pool)).id
    updates = typing("0123456789")
    await write(database, document, *updates[:place], bad, *updates[place:])

    done = await Compactor(pool).compact(document)

    loaded = await Documents(pool).load(document)
    assert done is not None
    assert done.quarantined == 1
    assert (loaded.head, text_of([loaded.snapshot or b""])) == (11, "0123456789")
    kept = await pool.fetchrow("SELECT sequence, data, author FROM quarantine")
    assert tuple(kept) == (place + 1, bad, "ada")
    assert len(await read_log(pool, document)) == 11


async def test_several_bad_rows_are_all_found(pool: Pool, database: str) -> None:
    """One alarm each."""
    document = (await paper(pool)).id
    one, two, three = typing("abc")
    await write(database, document, b"bad 1", one, BREAKS, two, b"bad 2", three)

    await Compactor(pool).compact(document)

    found = await pool.fetch("SELECT sequence FROM quarantine ORDER BY sequence")
    assert [row[0] for row in found] == [1, 3, 5]
    assert text_of([(await Documents(pool).load(document)).snapshot or b""]) == "abc"


@pytest.mark.parametrize("dies", [True, False], ids=["worker-dies", "not-proven"])
async def test_nothing_changes_when_the_work_fails(pool: Pool, database: str, dies: bool) -> None:
    """A worker that dies, or a snapshot that is not proven, leaves the whole log to be loaded."""
    document = (await paper(pool)).id
    await write(database, document, *typing("abc"))

    async def fail(*_: object) -> str:
        if dies:
            raise ChildProcessError
        return "not proven"

    with pytest.raises(ChildProcessError if dies else LogBroken):
        await Compactor(pool, fail).compact(document)

    loaded = await Documents(pool).load(document)
    assert (loaded.snapshot, len(loaded.rows)) == (None, 3)


async def test_appends_go_on_during_a_compaction(pool: Pool, database: str) -> None:
    """The head is free while the work is done; what was written meanwhile is above the boundary."""
    document = (await paper(pool)).id
    updates = typing("abcdef")
    flusher = Flusher(database)
    await flusher.start()
    await append(flusher, document, *updates[:3])

    async def write_meanwhile(function: Callable[..., Any], *arguments: object) -> Any:
        assert await append(flusher, document, *updates[3:]) == Stored(4, 6, 1, False)
        return await run_inline(function, *arguments)

    done = await Compactor(pool, write_meanwhile).compact(document)

    loaded = await Documents(pool).load(document)
    assert done is not None
    assert done.sequence == 3
    assert [row.sequence for row in loaded.rows] == [4, 5, 6]
    assert loaded.tail_bytes == sum(map(len, updates[3:]))
    await flusher.close()


async def test_of_two_compactions_at_once_one_wins(pool: Pool, database: str) -> None:
    """The other finds that the boundary has moved, and changes nothing."""
    document = (await paper(pool)).id
    await write(database, document, *drawing(3))
    both_loaded = asyncio.Barrier(2)

    async def together(function: Callable[..., Any], *arguments: object) -> Any:
        await both_loaded.wait()
        return await run_inline(function, *arguments)

    done = await asyncio.gather(*[Compactor(pool, together).compact(document) for _ in range(2)])

    assert sum(each is not None for each in done) == 1
    assert (await Documents(pool).load(document)).rows == []


@pytest.mark.parametrize("statement", ["snapshots", "updates", "heads"])
async def test_a_crash_in_the_swap_leaves_the_old_state(
    pool: Pool, database: str, statement: str
) -> None:
    """Whichever statement the backend dies at, nothing of the transaction stays."""
    document = (await paper(pool)).id
    first, _, third = typing("abc")
    await write(database, document, first, third)
    await pool.execute(
        f"""
        CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
        CREATE TRIGGER die BEFORE INSERT OR UPDATE ON {statement}
        FOR EACH ROW EXECUTE FUNCTION die()
        """
    )
    before = await Documents(pool).load(document)

    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the driver makes of it
        await Compactor(pool).compact(document)

    assert await Documents(pool).load(document) == before
    await pool.execute(f"DROP TRIGGER die ON {statement}")
    assert await Compactor(pool).compact(document) is not None


async def test_compaction_under_writers_loses_nothing(pool: Pool, database: str) -> None:
    """Compacting without pause while rows come in: the log rebuilds the same document."""
    document = (await paper(pool)).id
    updates = drawing(5, steps=300)
    flusher, compactor = Flusher(database), Compactor(pool)
    await flusher.start()
    told: list[asyncio.Future[Stored | Fenced]] = []

    async def compact() -> int:
        count = 0
        while not flusher.statistics.fenced_rows and len(told) < len(updates):
            count += await compactor.compact(document) is not None
            await asyncio.sleep(0)
        return count

    compacting = asyncio.create_task(compact())
    for update in updates:
        told.append(append(flusher, document, update))
        await asyncio.sleep(0.001)
    answers = await asyncio.gather(*told)
    assert await compacting > 2

    assert [a.first for a in answers if isinstance(a, Stored)] == list(range(1, len(updates) + 1))
    loaded = await Documents(pool).load(document)
    assert rebuilt(loaded).encode() == Document.rebuild(updates).encode()
    await flusher.close()


async def test_a_long_tail_is_worked_off_in_pieces(
    pool: Pool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each moves the boundary on; what still waits in one may be found in the next."""
    monkeypatch.setattr(loading, "TAIL_BYTES", 500)
    document = (await paper(pool)).id
    updates = drawing(3, steps=200)
    random.Random(3).shuffle(updates)
    await write(database, document, *updates)
    compactor, documents = Compactor(pool, piece_bytes=500), Documents(pool)
    whole = rebuilt(await documents.load(document)).encode()
    boundaries: list[int] = []

    while (done := await compactor.compact(document)) is not None:
        boundaries.append(done.sequence)
        loaded = await documents.load(document)
        assert done.is_whole is (loaded.tail_rows == 0)
        assert loaded.tail_bytes == sum(map(len, updates[done.sequence :]))
        assert rebuilt(loaded).encode() == whole

    assert len(boundaries) >= 3
    assert boundaries == sorted(set(boundaries))
    assert boundaries[-1] == len(updates)
    assert await read_log(pool, document) == updates
