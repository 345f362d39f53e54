"""Files of blocks: one for each block and hash, gone with the block's content."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from storage import files
from storage.blobs import Blob, Blobs, LocalStore, Usage
from storage.documents import Documents
from storage.errors import QuotaExceeded
from storage.files import FileRecord, Files, NewFile
from storage.leftovers import Leftovers
from storage.pool import Pool, transaction


async def _stream(data: bytes) -> AsyncIterator[bytes]:
    yield data


@pytest.fixture
def blobs(pool: Pool, tmp_path: Path) -> Blobs:
    """Blobs in a folder."""
    return Blobs(pool, LocalStore(tmp_path / "blobs"), grace_s=86_400)


@pytest.fixture
async def document(pool: Pool) -> UUID:
    """A block."""
    await pool.execute("INSERT INTO scopes (id) VALUES ('w')")
    record = await Documents(pool).create("w", "notes", "ada")
    assert record is not None
    return record.id


async def add(pool: Pool, document: UUID, blob: Blob, number: int, quota: int = 99) -> FileRecord:
    """Give a block a file."""
    new = NewFile(
        id=f"F{number}",
        document=document,
        hash=blob.digest,
        size=blob.size,
        name=f"{number}.txt\0",
        mime_type="text/plain",
        author="ada",
        payer="ada",
    )
    async with transaction(pool) as connection:
        return await files.add(connection, new, quota)


async def test_a_block_has_a_file_once(pool: Pool, blobs: Blobs, document: UUID) -> None:
    """The same bytes again are the same file, by its first name; they count once."""
    blob = await blobs.receive(_stream(b"abc"), bytes_max=9)
    first = await add(pool, document, blob, 1)
    again = await add(pool, document, blob, 2)
    store = Files(pool)

    assert again == first
    assert (first.id, first.name) == ("F1", "1.txt ")
    assert await store.find(document, blob.digest) == first
    assert await store.by_id("F1") == first
    assert await store.by_id("F2\0") is None
    assert await blobs.usage("ada") == Usage(files=1, bytes=3)


async def test_files_are_listed_newest_first(pool: Pool, blobs: Blobs, document: UUID) -> None:
    """All of a block, and those that its document does not know of yet."""
    for number in range(3):
        blob = await blobs.receive(_stream(b"%d" % number), bytes_max=9)
        await add(pool, document, blob, number)
    store = Files(pool)
    await store.announced("F1")
    soon = datetime.now(UTC) + timedelta(minutes=1)

    assert [file.id for file in await store.of(document)] == ["F2", "F1", "F0"]
    assert [file.id for file in await store.unannounced(soon, 9)] == ["F0", "F2"]
    assert await store.unannounced(soon - timedelta(hours=1), 9) == []


async def test_over_the_quota_there_is_no_file(pool: Pool, blobs: Blobs, document: UUID) -> None:
    """And nothing is counted."""
    blob = await blobs.receive(_stream(b"abc"), bytes_max=9)
    with pytest.raises(QuotaExceeded):
        await add(pool, document, blob, 1, quota=2)

    assert await Files(pool).of(document) == []
    assert await blobs.usage("ada") == Usage()


async def test_files_go_with_the_content_of_their_block(
    pool: Pool, blobs: Blobs, document: UUID
) -> None:
    """Their bytes are nobody's then."""
    blob = await blobs.receive(_stream(b"abc"), bytes_max=9)
    await add(pool, document, blob, 1)
    await Leftovers(pool).forget(document)

    assert await Files(pool).of(document) == []
    assert await blobs.usage("ada") == Usage()
    assert await blobs.collect(datetime.now(UTC) + timedelta(days=2)) == 1
