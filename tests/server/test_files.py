"""Files as the server keeps them: what nothing uses is cleared away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from server.files import Files
from server.settings import Settings
from storage.pool import Pool


async def _bytes(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_unused_blobs_go_all_of_them(pool: Pool, settings: Settings) -> None:
    """However many there are, once their grace time is over."""
    files = Files(settings, pool)
    for number in range(130):
        await files.blobs.receive(_bytes(b"%d" % number), bytes_max=9)
    now = datetime.now(UTC)

    assert await files.clear(now) == 0
    assert await files.clear(now + timedelta(seconds=settings.blob_grace_s + 1)) == 130
    assert [listed async for listed in files.store.list("blobs")] == []
    await files.stop()
