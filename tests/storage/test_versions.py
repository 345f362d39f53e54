"""Versions with their bytes, and named ones."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.compaction import Compactor
from storage.documents import DocumentRecord
from storage.history import Retention, thin
from storage.pool import Pool
from storage.versions import NAMED_MAX, Named, Versions
from tests.storage.papers import paper, row, text_of, typing, write

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


@pytest.fixture
async def diary(pool: Pool, database: str) -> DocumentRecord:
    """Six letters, one every 20 minutes, by two people, compacted and thinned to hours."""
    made = await paper(pool)
    rows = [
        row(data, "ab"[n % 2], NOON.timestamp() + n * 1200)
        for n, data in enumerate(typing("012345"))
    ]
    await write(database, made.id, *rows)
    await Compactor(pool).compact(made.id)
    await thin(pool, made.id, NOON + timedelta(days=2), Retention())
    return made


async def test_changes_have_their_bytes_merged_or_not(
    pool: Pool, database: str, diary: DocumentRecord
) -> None:
    """Newest first, with all who wrote in a merged one; in pages."""
    await write(database, diary.id, row(typing("x", client=9)[0], "c", NOON.timestamp() + 9e4))
    changes = await Versions(pool).changes(diary.id, None, 10, 1 << 20)

    assert [(c.first, c.last, c.authors) for c in changes] == [
        (7, 7, ["c"]), (4, 6, ["a", "b"]), (1, 3, ["a", "b"]),
    ]  # fmt: skip
    assert text_of([changes[2].update]) == "012"
    page = await Versions(pool).changes(diary.id, 7, 1, 1 << 20)
    assert [c.last for c in page] == [6]


async def test_a_page_has_a_bound_in_bytes(pool: Pool, diary: DocumentRecord) -> None:
    """But never nothing."""
    assert [c.last for c in await Versions(pool).changes(diary.id, None, 10, 1)] == [6]


async def test_when_and_which(pool: Pool, diary: DocumentRecord) -> None:
    """The version of a moment, and the moment of a version."""
    versions = Versions(pool)

    third, sixth = NOON + timedelta(minutes=40), NOON + timedelta(minutes=100)
    assert await versions.at(diary.id, NOON + timedelta(hours=1)) == (3, third)
    assert await versions.at(diary.id, NOON) is None
    assert await versions.at(diary.id, NOON + timedelta(days=9)) == (6, sixth)
    assert await versions.at(diary.id, 3) == await versions.at(diary.id, 5) == (3, third)
    assert await versions.at(diary.id, 2) is None
    assert await versions.name(diary.id, draft(2), b"x")
    assert await versions.at(diary.id, 2) == (2, NOON)
    assert (await versions.first(diary.id), await versions.last(diary.id)) == (1, 6)


def draft(sequence: int, name: str = "Draft") -> Named:
    """A named version."""
    return Named(sequence=sequence, name=name, author="a", at=NOON, named_at=NOON)


async def test_a_named_version_is_a_copy(pool: Pool, diary: DocumentRecord) -> None:
    """Kept until its name is taken away."""
    versions = Versions(pool)
    assert await versions.name(diary.id, draft(2), b"copy" * 1000)
    assert await versions.name(diary.id, draft(2, "Final"), b"other")

    assert await versions.named(diary.id) == [draft(2, "Final")]
    assert await versions.copy(diary.id, 2) == b"copy" * 1000
    assert await versions.copy(diary.id, 3) is None
    assert await versions.unname(diary.id, 2)
    assert not await versions.unname(diary.id, 2)


async def test_named_versions_are_bounded(pool: Pool, diary: DocumentRecord) -> None:
    """The next one is refused, renaming is not; forgetting makes room."""
    versions = Versions(pool)
    for sequence in range(1, NAMED_MAX + 1):
        assert await versions.name(diary.id, draft(sequence), b"x")

    assert not await versions.name(diary.id, draft(NAMED_MAX + 1), b"x")
    assert await versions.name(diary.id, draft(1, "again"), b"x")
    await versions.forget(diary.id)
    assert await versions.named(diary.id) == []
