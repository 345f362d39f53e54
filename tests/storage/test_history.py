"""Versions, and that thinning keeps those that it says it keeps."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from crdt.document import Document
from storage import history
from storage.compaction import Compactor
from storage.documents import Documents
from storage.errors import LogBroken
from storage.history import Retention, read_version, thin, versions
from storage.log import Row
from storage.pool import Pool
from tests.storage.papers import paper, row, text_of, typing, write

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
KEEP = Retention(full_s=86_400, hourly_s=7 * 86_400)


def diary(text: str, minutes: int, authors: str = "a") -> list[Row]:
    """One letter every so many minutes from noon on, by these authors in turn."""
    at = NOON.timestamp()
    return [
        row(data, authors[n % len(authors)], at + n * minutes * 60)
        for n, data in enumerate(typing(text))
    ]


async def spelled(pool: Pool, document: UUID) -> list[str]:
    """The text of every version, newest first."""
    found = await versions(pool, document, limit=1000)
    return [text_of(await read_version(pool, document, each.last)) for each in found]


@pytest.fixture
async def old(pool: Pool, database: str) -> UUID:
    """Ten letters, one every 20 minutes, by two people, compacted."""
    document = (await paper(pool)).id
    await write(database, document, *diary("0123456789", 20, "ab"))
    await Compactor(pool).compact(document)
    return document


async def test_every_edit_is_a_version(pool: Pool, old: UUID) -> None:
    """With its author and time, and readable."""
    found = await versions(pool, old, limit=3)

    assert [(v.first, v.last, v.authors) for v in found] == [
        (10, 10, ["b"]), (9, 9, ["a"]), (8, 8, ["b"])
    ]  # fmt: skip
    assert found[0].at == NOON + timedelta(minutes=180)
    assert [v.last for v in await versions(pool, old, before=8, limit=2)] == [7, 6]
    assert await spelled(pool, old) == ["0123456789"[:n] for n in range(10, 0, -1)]


async def test_young_history_is_left_alone(pool: Pool, old: UUID) -> None:
    """Every edit of the last day stays."""
    assert await thin(pool, old, NOON + timedelta(hours=20), KEEP) == 0
    assert len(await spelled(pool, old)) == 10


async def test_after_a_day_one_version_an_hour_is_left(pool: Pool, old: UUID) -> None:
    """The last of each hour, with all who wrote in it."""
    gone = await thin(pool, old, NOON + timedelta(days=2), KEEP)

    assert gone == 9  # The tenth is alone in its hour.
    assert await spelled(pool, old) == ["0123456789", "012345678", "012345", "012"]
    stretch = (await versions(pool, old))[-1]
    assert (stretch.first, stretch.last, stretch.authors) == (1, 3, ["a", "b"])
    assert stretch.at == NOON + timedelta(minutes=40)


async def test_after_a_week_one_version_a_day_is_left(pool: Pool, old: UUID) -> None:
    """Also of what was thinned to hours before."""
    await thin(pool, old, NOON + timedelta(days=2), KEEP)
    gone = await thin(pool, old, NOON + timedelta(days=9), KEEP)

    assert gone == 4
    assert await spelled(pool, old) == ["0123456789"]
    only = (await versions(pool, old))[0]
    assert (only.first, only.last) == (1, 10)


async def test_an_hour_that_is_not_over_is_not_cut_in_two(pool: Pool, old: UUID) -> None:
    """Thinning at any minute gives the same stretches."""
    for minutes in range(0, 300, 7):
        await thin(pool, old, NOON + timedelta(days=1, minutes=minutes), KEEP)

    assert [v.last for v in await versions(pool, old)] == [10, 9, 6, 3]


async def test_thinning_changes_nothing_of_the_document(pool: Pool, database: str) -> None:
    """It loads the same, and what is written afterwards builds on it."""
    document = (await paper(pool)).id
    await write(database, document, *diary("abcdef", 20))
    await Compactor(pool).compact(document)
    before = await Documents(pool).load(document)

    await thin(pool, document, NOON + timedelta(days=30), KEEP)

    assert await Documents(pool).load(document) == before
    await write(database, document, row(b"later"))
    with pytest.raises(LogBroken):
        await Documents(pool).rows_after(document, 3)


async def test_rows_above_the_load_boundary_are_never_thinned(pool: Pool, database: str) -> None:
    """However old they are."""
    document = (await paper(pool)).id
    await write(database, document, *diary("abcdef", 20))

    assert await thin(pool, document, NOON + timedelta(days=30), KEEP) == 0
    assert len((await Documents(pool).load(document)).rows) == 6


async def test_rows_that_wait_and_bad_rows_stay_as_they_are(pool: Pool, database: str) -> None:
    """The waiting one is still loaded, and complete when its predecessor comes."""
    document = (await paper(pool)).id
    rows = diary("abcdef", 1)
    missing = rows.pop(4)
    await write(database, document, *rows[:2], row(b"bad", at=NOON.timestamp()), *rows[2:])
    await Compactor(pool).compact(document)

    assert await thin(pool, document, NOON + timedelta(days=30), KEEP) == 4

    await write(database, document, missing)
    loaded = await Documents(pool).load(document)
    whole = Document.rebuild([loaded.snapshot or b"", *[r.data for r in loaded.rows]])
    assert text_of([whole.encode()]) == "abcdef"


async def test_a_version_of_an_older_lineage_does_not_mix_with_the_new(
    pool: Pool, database: str, old: UUID
) -> None:
    """Each is read from its own start, and thinned by itself."""
    await Documents(pool).replace(old, typing("new", client=8)[0], "ada")

    assert text_of(await read_version(pool, old, 10)) == "0123456789"
    assert text_of(await read_version(pool, old, 11)) == "n"
    await thin(pool, old, NOON + timedelta(days=3650), KEEP)
    assert text_of(await read_version(pool, old, 10)) == "0123456789"


async def test_history_is_due_when_there_is_something_to_thin(pool: Pool, old: UUID) -> None:
    """A compaction sets the moment, thinning the next one, and at the end there is none."""
    now = datetime.now(UTC)
    assert await history.due(pool, now) == []
    assert await history.due(pool, now + timedelta(days=1, minutes=1)) == [old]

    await thin(pool, old, NOON + timedelta(days=2), KEEP)
    assert await history.due(pool, NOON + timedelta(days=7)) == []
    assert await history.due(pool, NOON + timedelta(days=8)) == [old]
    await thin(pool, old, NOON + timedelta(days=9), KEEP)
    assert await history.due(pool, NOON + timedelta(days=3650)) == []


async def test_a_long_history_is_thinned_in_several_steps(pool: Pool, database: str) -> None:
    """Each takes the oldest rows, and the last ends where one step would have ended."""
    document = (await paper(pool)).id
    at = NOON.timestamp()
    rows = typing("x" * 60)
    await write(database, document, *[row(data, "a", at + n * 60) for n, data in enumerate(rows)])
    await Compactor(pool).compact(document)
    now = NOON + timedelta(days=30)

    first = await thin(pool, document, now, KEEP, pieces_max=50)
    again = await history.due(pool, now + timedelta(seconds=1))
    rest = await thin(pool, document, now, KEEP, pieces_max=50)

    assert (first, again, rest) == (50, [document], 11)
    (version,) = await versions(pool, document)
    assert (version.first, version.last) == (1, len(rows))
    assert len(text_of(await read_version(pool, document, version.last))) == len(rows)
