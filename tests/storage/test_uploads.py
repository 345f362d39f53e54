"""Uploads in pieces: any order, again and again, whole or not at all."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from storage.blobs import Blob, Blobs, Usage, Use, books
from storage.errors import (
    ChunkLength,
    ChunkOutOfRange,
    ChunksMissing,
    HashMismatch,
    QuotaExceeded,
    StoreUnavailable,
    TooLarge,
    TooManyUploads,
    UnknownUpload,
    UploadConflict,
    UploadError,
)
from storage.pool import Connection, Pool
from storage.uploads import FOLDER, Upload, Uploads
from tests.storage.stores import make_store

DATA = bytes(range(256)) * 10
CHUNK = 1000


async def stream(data: bytes) -> AsyncIterator[bytes]:
    """Bytes as they come from a socket."""
    for at in range(0, len(data), 300):
        yield data[at : at + 300]


def wanted(data: bytes = DATA, **changes: object) -> Upload:
    """An upload of Ada's."""
    given: dict[str, object] = {
        "id": secrets.token_hex(8),
        "account": "ada",
        "payer": "ada",
        "kind": "test",
        "target": "block",
        "hash": sha256(data).digest(),
        "size": len(data),
        "chunk_size": CHUNK,
        "name": "a.bin",
        "mime_type": "application/octet-stream",
    }
    return Upload(**(given | changes))  # type: ignore[arg-type]


@pytest.fixture(params=["folder", "s3"])
def blobs(request: pytest.FixtureRequest, pool: Pool, tmp_path: Path) -> Blobs:
    """Blobs in a folder, and in a bucket: everything here holds for both."""
    return Blobs(pool, make_store(request, tmp_path), grace_s=86_400)


@pytest.fixture
def uploads(pool: Pool, blobs: Blobs) -> Uploads:
    """Uploads into them."""
    return Uploads(pool, blobs)


async def begin(uploads: Uploads, upload: Upload, quota: int = 10_000, most: int = 5) -> Upload:
    """Begin one."""
    return await uploads.begin(upload, quota=quota, most=most)


async def put(uploads: Uploads, upload: Upload, number: int, data: bytes = DATA) -> int:
    """Send one chunk."""
    return await uploads.put(
        upload, number, stream(data[number * CHUNK : number * CHUNK + upload.length(number)])
    )


async def keep(connection: Connection, blob: Blob) -> str:
    """What an adapter does with a complete file."""
    await books.use(connection, blob.digest, Use(kind="test", holder="block", account="ada"))
    return "kept"


async def pieces(blobs: Blobs) -> list[str]:
    """What the store holds of chunks."""
    return [listed.name async for listed in blobs.store.list(FOLDER)]


async def test_chunks_come_in_any_order_at_the_same_time(uploads: Uploads, blobs: Blobs) -> None:
    """The file is whole, its bytes are counted as used and nothing is set aside any more."""
    upload = await begin(uploads, wanted())
    assert await blobs.usage("ada") == Usage(reserved_bytes=len(DATA))
    sizes = await asyncio.gather(*(put(uploads, upload, number) for number in (2, 0, 1)))
    again = await begin(uploads, wanted())

    assert sizes == [560, 1000, 1000]
    assert again.id == upload.id
    assert await uploads.received(again) == [0, 1, 2]
    assert await uploads.complete(upload, keep) == "kept"
    assert await blobs.whole(upload.hash, 10_000) == DATA
    assert await blobs.usage("ada") == Usage(files=1, bytes=len(DATA))
    assert await pieces(blobs) == []
    found = await uploads.find("ada", "test", "block", upload.hash)
    assert found is not None
    assert await uploads.received(found) == [0, 1, 2]


async def test_an_empty_file_has_no_chunks(uploads: Uploads, blobs: Blobs) -> None:
    """It can be completed at once."""
    upload = await begin(uploads, wanted(b""))

    assert upload.total_chunks == 0
    assert await uploads.complete(upload, keep) == "kept"
    assert await blobs.whole(upload.hash, 10) == b""


async def test_a_chunk_that_comes_again_replaces_the_first(uploads: Uploads, blobs: Blobs) -> None:
    """A wrong one is found by the hash of the whole; nothing else has to be sent again."""
    upload = await begin(uploads, wanted())
    for number in range(3):
        await put(uploads, upload, number)
    await put(uploads, upload, 1, bytes(len(DATA)))
    with pytest.raises(HashMismatch):
        await uploads.complete(upload, keep)
    await put(uploads, upload, 1)

    assert await uploads.complete(upload, keep) == "kept"
    assert await pieces(blobs) == []


WRONG_LENGTHS = [
    (0, 999, ChunkLength),
    (0, 1001, TooLarge),
    (2, 559, ChunkLength),
    (2, 561, TooLarge),
    (0, 0, ChunkLength),
    (3, 1, ChunkOutOfRange),
    (-1, 1, ChunkOutOfRange),
]


async def test_lengths_are_exact(uploads: Uploads, blobs: Blobs) -> None:
    """A chunk of another length or number leaves nothing."""
    upload = await begin(uploads, wanted())
    for number, size, error in WRONG_LENGTHS:
        with pytest.raises(error):
            await uploads.put(upload, number, stream(bytes(size)))

    assert await uploads.received(upload) == []
    assert [listed.name async for listed in blobs.store.list("")] == []


async def test_what_is_missing_is_named(uploads: Uploads) -> None:
    """And the upload goes on."""
    upload = await begin(uploads, wanted())
    await put(uploads, upload, 1)
    with pytest.raises(ChunksMissing) as refused:
        await uploads.complete(upload, keep)

    assert refused.value.facts == {"missing": [0, 2], "missing_count": 2}
    assert await uploads.received(upload) == [1]


async def test_an_upload_is_its_owners_alone(uploads: Uploads) -> None:
    """Another account, kind, target or hash finds nothing."""
    upload = await begin(uploads, wanted())
    digest = upload.hash

    assert await uploads.find("ada", "test", "block", digest) == upload
    assert await uploads.find("bob", "test", "block", digest) is None
    assert await uploads.find("ada", "other", "block", digest) is None
    assert await uploads.find("ada", "test", "other", digest) is None
    assert await uploads.find("ada", "test", "block", bytes(32)) is None


async def test_announced_bytes_count_in_the_quota(uploads: Uploads, blobs: Blobs) -> None:
    """So many uploads at once cannot take more than is left; resuming takes nothing."""
    await begin(uploads, wanted(), quota=3000)
    await begin(uploads, wanted(), quota=3000)
    with pytest.raises(QuotaExceeded):
        await begin(uploads, wanted(b"x" * 441), quota=3000)
    await begin(uploads, wanted(b"x" * 440), quota=3000)

    assert await blobs.usage("ada") == Usage(reserved_bytes=3000)


async def test_the_number_of_open_uploads_is_bounded(uploads: Uploads) -> None:
    """Those that are begun can be taken up all the same."""
    await begin(uploads, wanted(b"1"), most=1)
    with pytest.raises(TooManyUploads):
        await begin(uploads, wanted(b"2"), most=1)

    assert await begin(uploads, wanted(b"1"), most=1)


async def test_another_size_of_the_same_hash_is_a_conflict_once_bytes_came(
    uploads: Uploads, blobs: Blobs
) -> None:
    """Before that it was a mistake that can be mended."""
    await begin(uploads, wanted(size=5))
    mended = await begin(uploads, wanted())
    await put(uploads, mended, 0)
    with pytest.raises(UploadConflict):
        await begin(uploads, wanted(size=5))

    assert await blobs.usage("ada") == Usage(reserved_bytes=len(DATA))


async def test_abandoned_uploads_go(uploads: Uploads, blobs: Blobs) -> None:
    """With their chunks and what was set aside for them; a chunk that comes later finds nothing."""
    upload = await begin(uploads, wanted())
    await put(uploads, upload, 0)
    done = await begin(uploads, wanted(b"1"))
    await uploads.put(done, 0, stream(b"1"))
    await uploads.complete(done, keep)
    before = datetime.now(UTC) - timedelta(minutes=1)
    assert await uploads.expire(before, 10) == 0
    assert await uploads.expire(datetime.now(UTC) + timedelta(minutes=1), 10) == 2

    assert await blobs.usage("ada") == Usage(files=1, bytes=1)
    with pytest.raises(UnknownUpload):
        await put(uploads, upload, 1)
    with pytest.raises(ChunksMissing):
        await uploads.complete(upload, keep)
    assert await pieces(blobs) == []


async def test_bytes_that_no_upload_knows_are_swept(uploads: Uploads, blobs: Blobs) -> None:
    """What a crash left between the store and the database; nothing that is still needed."""
    upload = await begin(uploads, wanted())
    await put(uploads, upload, 0)
    lost = await blobs.store.receive()
    await lost.write(b"lost")
    await lost.publish(f"{FOLDER}/{upload.id}-0-lost")
    soon = datetime.now(UTC) + timedelta(minutes=1)

    assert await uploads.sweep(datetime.now(UTC) - timedelta(minutes=1)) == 0
    assert await uploads.sweep(soon) == 1
    assert len(await pieces(blobs)) == 1
    assert await uploads.received(upload) == [0]


async def test_of_two_completions_one_is_told_that_it_is_over(uploads: Uploads) -> None:
    """The file is used once."""
    upload = await begin(uploads, wanted())
    for number in range(3):
        await put(uploads, upload, number)
    done = await asyncio.gather(
        uploads.complete(upload, keep), uploads.complete(upload, keep), return_exceptions=True
    )

    assert done.count("kept") == 1
    assert any(isinstance(one, UploadError | StoreUnavailable) for one in done), done
