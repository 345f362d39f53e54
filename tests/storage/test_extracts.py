"""Extracts: nothing that changed is left unread, and nothing old replaces what is new."""

import random

import pytest

from storage import extracts as extracts_module
from storage.documents import Documents
from storage.extracts import BODY_BYTES_MAX, Extracts, target_form
from storage.pool import Pool
from tests.storage.feeds import settle, titled
from tests.storage.papers import write
from tests.storage.shelves import block, extract, keep


async def test_what_was_not_read_is_behind_in_order(pool: Pool, database: str) -> None:
    """Until the mark is past it; a document that was read already is said to be fresh."""
    extracts = Extracts(pool)
    first, second = await block(pool, database, "a"), await block(pool, database, "b")
    behind = await extracts.behind("W", 10)

    assert [b.document for b in behind] == [first.id, second.id]
    assert [(b.head, b.gone, b.is_fresh) for b in behind] == [(1, False, False)] * 2
    assert [b.document for b in await extracts.behind("W", 1)] == [first.id]
    await extracts.write("W", [extract(first)], [], behind[0].stamp)
    assert [b.document for b in await extracts.behind("W", 10)] == [second.id]
    await pool.execute("DELETE FROM read_marks")
    assert [b.is_fresh for b in await extracts.behind("W", 10)] == [True, False]


async def test_scopes_that_are_behind_are_found(pool: Pool, database: str) -> None:
    """In pages; one where all was read is not."""
    extracts = Extracts(pool)
    for scope in ("A", "B", "C"):
        await block(pool, database, f"in {scope}", scope=scope)
    stamp = (await extracts.behind("B", 1))[0].stamp
    await extracts.write("B", [], [], stamp)

    assert await extracts.scopes_behind("", 10) == ["A", "C"]
    assert await extracts.scopes_behind("A", 10) == ["C"]
    assert await extracts.scopes_behind("", 1) == ["A"]


async def test_an_older_reading_does_not_replace_a_newer(pool: Pool, database: str) -> None:
    """Neither its words nor its relations; the mark never goes back."""
    record = await block(pool, database, "a")
    await keep(pool, extract(record, "new", 5, relations=[("tag", "N", "")]), stamp=9)
    await keep(pool, extract(record, "old", 4, relations=[("tag", "O", "")]), stamp=3)

    assert await pool.fetchval("SELECT body FROM block_texts") == "new"
    assert await pool.fetchval("SELECT target FROM relations") == "N"
    assert await pool.fetchval("SELECT stamp FROM read_marks") == 9


async def test_relations_that_went_are_dropped(pool: Pool, database: str) -> None:
    """And a label that changed is the new one."""
    record = await block(pool, database, "a")
    await keep(pool, extract(record, relations=[("tag", "A", "x"), ("tag", "B", "")]))
    await keep(pool, extract(record, relations=[("tag", "A", "y"), ("mention", "A", "")]))

    rows = await pool.fetch("SELECT kind, target, label FROM relations ORDER BY kind")
    assert [tuple(row) for row in rows] == [("mention", "A", ""), ("tag", "A", "y")]


async def test_what_is_gone_is_forgotten(pool: Pool, database: str) -> None:
    """A closed document is behind as gone, and leaves nothing."""
    record = await block(pool, database, "a")
    await keep(pool, extract(record, "x", relations=[("tag", "A", "")]))
    await Documents(pool).delete(record.id)
    await settle(pool)
    (change,) = await Extracts(pool).behind("W", 10)
    assert change.gone
    await Extracts(pool).write("W", [], [record.id], change.stamp)

    assert await pool.fetchval("SELECT count(*) FROM block_texts") == 0
    assert await pool.fetchval("SELECT count(*) FROM relations") == 0


async def test_any_text_can_be_kept(pool: Pool, database: str) -> None:
    """NUL, as many different words as fit, and one word without an end."""
    record = await block(pool, database, "a")
    chance = random.Random(1)
    many = " ".join(chr(chance.randrange(0x4E00, 0x9FFF)) * 2 + str(n) for n in range(60_000))
    hyphens = "-".join(f"{n:x}z" for n in range(100_000))
    broken = " ".join(hyphens[n : n + 1500] for n in range(0, len(hyphens), 1500))
    places = " ".join(f"http://h{n}.com/{n}/x" for n in range(40_000))
    letters = " ".join(chr(n) for n in range(0x100, 0xD7FF)) + " "
    bodies = ["a\0b", many, "x" * 3_000_000, "😀" * 100_000, hyphens, broken, places, letters * 3]
    for sequence, body in enumerate(bodies, 1):
        await keep(
            pool, extract(record, body, sequence, title="t\0", relations=[("k\0", "t\0", "")])
        )
        kept = await pool.fetchval("SELECT octet_length(body) FROM block_texts")

        assert 0 < kept <= BODY_BYTES_MAX


async def test_a_document_that_moved_on_is_behind_again(pool: Pool, database: str) -> None:
    """With its next stamp."""
    record = await block(pool, database, "a")
    extracts = Extracts(pool)
    await extracts.write("W", [extract(record)], [], (await extracts.behind("W", 1))[0].stamp)
    assert await extracts.behind("W", 1) == []
    await write(database, record.id, titled("Later", client=9))
    await settle(pool)

    assert [b.is_fresh for b in await extracts.behind("W", 1)] == [False]


def test_ids_have_one_spelling() -> None:
    """Global ids in capitals; plain names as they are."""
    assert target_form("01j9zv3m8q4r5s6t7v8w9x0yza") == "01J9ZV3M8Q4R5S6T7V8W9X0YZA"
    assert target_form("Notes") == "Notes"


async def test_what_the_database_refuses_does_not_hold_up_the_others(
    pool: Pool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here more different words than PostgreSQL takes of one text; the mark moves past it."""
    monkeypatch.setattr(extracts_module, "BODY_BYTES_MAX", 1 << 24)
    good, bad = await block(pool, database, "good"), await block(pool, database, "bad")
    many = " ".join(f"{n:x}" for n in range(300_000))
    await keep(pool, extract(bad, many), extract(good, "fine"), stamp=9)

    assert [row["body"] for row in await pool.fetch("SELECT body FROM block_texts")] == ["fine"]
    assert await pool.fetchval("SELECT stamp FROM read_marks") == 9
