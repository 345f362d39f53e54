"""Blobs: stored whole or not at all, counted, and gone when nobody uses them."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from storage.blobs import DERIVED, Blob, Blobs, LocalStore, Store, Usage, Use
from storage.blobs.remote import RemoteStore
from storage.blobs.store import PIECE_BYTES
from storage.errors import (
    HashMismatch,
    QuotaExceeded,
    StoreUnavailable,
    TooLarge,
    UnknownBlob,
)
from storage.pool import Pool
from tests.storage.stores import make_store
from tests.weed import Weed

MIB = 1 << 20
LATER = timedelta(days=2)


async def stream(data: bytes, part: int = 100_000) -> AsyncIterator[bytes]:
    """Bytes as they come from a socket."""
    for at in range(0, len(data), part):
        yield data[at : at + part]


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A folder, and a prefix of a bucket: everything here holds for both."""
    return make_store(request, tmp_path)


@pytest.fixture
def blobs(pool: Pool, store: Store) -> Blobs:
    """Blobs with a grace time of a day."""
    return Blobs(pool, store, grace_s=86_400)


async def put(blobs: Blobs, data: bytes) -> Blob:
    """Store some bytes."""
    return await blobs.receive(stream(data), bytes_max=64 * MIB)


async def names(blobs: Blobs) -> list[str]:
    """Every name in the store, nameless files too."""
    return sorted([listed.name async for listed in blobs.store.list("")])


async def test_what_was_stored_is_read(blobs: Blobs) -> None:
    """Whole and in ranges, under its SHA-256."""
    for size in (0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 7, 9 * PIECE_BYTES):
        data = (bytes(i % 251 for i in range(1000)) * (size // 1000 + 1))[:size]
        blob = await put(blobs, data)

        assert blob == Blob(sha256(data).digest(), size)
        assert await blobs.find(blob.digest) == blob
        assert await blobs.whole(blob.digest, size) == data
        middle = [piece async for piece in blobs.read(blob, size // 3, size // 2)]
        assert b"".join(middle) == data[size // 3 : size // 2]
        assert f"blobs/{blob.hash[:2]}/{blob.hash}" in await names(blobs)
    assert len(await names(blobs)) == 6


async def test_other_bytes_than_announced_are_not_kept(blobs: Blobs) -> None:
    """Neither under the announced hash nor under their own."""
    with pytest.raises(HashMismatch):
        await blobs.receive(stream(b"a"), bytes_max=9, expected=sha256(b"b").digest())

    assert await blobs.find(sha256(b"a").digest()) is None
    assert await blobs.find(sha256(b"b").digest()) is None
    assert await names(blobs) == []


async def test_too_much_is_not_kept(blobs: Blobs) -> None:
    """One byte over the bound is refused, the bound itself is not."""
    await blobs.receive(stream(b"x" * 10, 3), bytes_max=10)
    with pytest.raises(TooLarge):
        await blobs.receive(stream(b"y" * 11, 3), bytes_max=10)

    assert len(await names(blobs)) == 1


async def test_a_stream_that_breaks_off_leaves_nothing(blobs: Blobs) -> None:
    """Its error comes through."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * (2 * PIECE_BYTES)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await blobs.receive(broken(), bytes_max=64 * MIB)

    assert await names(blobs) == []


async def test_forged_credentials_open_nothing(s3: Weed, pool: Pool, tmp_path: Path) -> None:
    """With another secret, or a key that is not known, nothing is stored, read or found."""
    name = f"{s3.url}/{tmp_path.name}-forged"
    blob = await put(Blobs(pool, RemoteStore(name, s3.options), grace_s=60), b"secret")
    for change in ({"aws_secret_access_key": "wrong"}, {"aws_access_key_id": "nobody"}):
        forged = Blobs(pool, RemoteStore(name, {**s3.options, **change}), grace_s=60)
        with pytest.raises(StoreUnavailable):
            await put(forged, b"forged")
        with pytest.raises(StoreUnavailable):
            await forged.whole(blob.digest, 100)
        with pytest.raises(StoreUnavailable):
            await forged.store.delete(f"blobs/{blob.hash[:2]}/{blob.hash}")
        with pytest.raises(StoreUnavailable):
            assert not await names(forged)


async def test_uses_are_counted_and_judged_by_the_quota(blobs: Blobs) -> None:
    """A use counts once; over the quota nothing changes; what is released is free again."""
    ten, six = await put(blobs, b"0123456789"), await put(blobs, b"abcdef")
    one = Use(kind="file", holder="1", account="ada")
    assert await blobs.use(ten.digest, one, quota=15)
    assert not await blobs.use(ten.digest, one, quota=15)
    with pytest.raises(QuotaExceeded) as refused:
        await blobs.use(six.digest, one, quota=15)

    assert refused.value.facts == {"wanted": 6, "used": 10, "quota": 15}
    assert await blobs.usage("ada") == Usage(files=1, bytes=10)
    assert await blobs.release("file", "1") == [ten.digest]
    assert await blobs.use(six.digest, one, quota=15)
    assert await blobs.usage("ada") == Usage(files=1, bytes=6)
    assert await blobs.usage("bob") == Usage()


async def test_an_unknown_blob_cannot_be_used(blobs: Blobs) -> None:
    """Whoever holds one must have stored it."""
    with pytest.raises(UnknownBlob):
        await blobs.use(sha256(b"?").digest(), Use(kind="file", holder="1"))


async def test_what_nobody_uses_goes_after_the_grace_time(blobs: Blobs) -> None:
    """Not before, not while it is used, and what was made from it goes with it."""
    now = datetime.now(UTC)
    used, free = await put(blobs, b"used"), await put(blobs, b"free")
    made = await put(blobs, b"made of free")
    await blobs.use(used.digest, Use(kind="file", holder="1"))
    await blobs.use(made.digest, Use(kind=DERIVED, holder=free.hash))

    assert await blobs.collect(now) == 0
    assert await blobs.collect(now + LATER) == 1
    assert await blobs.find(free.digest) is None
    with pytest.raises(UnknownBlob):
        await blobs.use(free.digest, Use(kind="file", holder="2"))
    assert await blobs.collect(now + LATER) == 1
    assert await names(blobs) == [f"blobs/{used.hash[:2]}/{used.hash}"]


async def test_a_blob_that_is_stored_again_while_it_goes_is_there(blobs: Blobs, pool: Pool) -> None:
    """However the two meet, what `receive` returned is there and can be used."""
    for number in range(30):
        data = f"again and again {number}".encode()
        await put(blobs, data)
        await pool.execute("UPDATE blobs SET touched_at = touched_at - interval '2 days'")
        blob, _ = await asyncio.gather(put(blobs, data), blobs.collect(datetime.now(UTC)))

        await blobs.use(blob.digest, Use(kind="file", holder=str(number)))
        assert await blobs.whole(blob.digest, 100) == data


async def test_a_disk_that_takes_no_more_leaves_nothing(pool: Pool, tmp_path: Path) -> None:
    """The failure is the store's, passing; what was there stays, and later there is room again."""
    blobs = Blobs(pool, LocalStore(tmp_path / "blobs"), grace_s=60)
    kept = await put(blobs, b"kept")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(StoreUnavailable):
            await put(blobs, b"x" * (3 * MIB))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert await names(blobs) == [f"blobs/{kept.hash[:2]}/{kept.hash}"]
    assert (await put(blobs, b"x" * (3 * MIB))).size == 3 * MIB
