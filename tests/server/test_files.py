"""Files as the server keeps them: what a crash left is mended, what nothing uses goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pycrdt
import pytest

from storage.files import FileRecord
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.sender import Sender
from tests.server.realtime.conftest import ada, inside

pytestmark = pytest.mark.asyncio(loop_scope="module")

__all__ = ["ada", "inside"]


async def _bytes(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_unused_blobs_go_all_of_them(inside: Inside) -> None:
    """However many there are, once their grace time is over."""
    files = inside.files
    for number in range(130):
        await files.blobs.receive(_bytes(b"%d" % number), bytes_max=9)
    now = datetime.now(UTC)

    assert await files.clear(now) == 0
    assert await files.clear(now + timedelta(seconds=inside.settings.blob_grace_s + 1)) == 130
    assert [listed async for listed in files.store.list("blobs")] == []


async def test_abandoned_uploads_are_forgotten(inside: Inside, ada: Guest) -> None:
    """After their time, and what they set aside is free again."""
    sender = Sender(ada, b"x" * 5000)
    await sender.init()
    await sender.put(0)
    soon = datetime.now(UTC) + timedelta(seconds=inside.settings.upload_expiry_s + 1)
    assert (await inside.files.blobs.usage(ada.account)).reserved_bytes == 5000
    await inside.files.clear(soon)

    assert (await sender.status())[0] == 404
    assert (await inside.files.blobs.usage(ada.account)).reserved_bytes == 0
    assert [listed async for listed in inside.files.store.list("uploads")] == []


async def test_a_file_that_was_not_announced_is_announced_later(
    inside: Inside, ada: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between the bytes and the document's edit is mended; told once is enough."""
    files = inside.files
    sender = Sender(ada, b"announce me")

    async def crash(_block: object, file: FileRecord) -> FileRecord:
        return file

    with monkeypatch.context() as patch:
        patch.setattr(files, "announce", crash)
        assert (await sender.direct())[0] == 200
    editor = await ada.open(f"{ada.workspace}:{sender.block}")
    entries = editor.replica.doc.get("files_v0", type=pycrdt.Map)
    soon = datetime.now(UTC) + timedelta(minutes=2)
    assert len(entries) == 0
    assert await files.mend(soon) == 1
    await editor.until(lambda: len(entries) == 1)

    assert await files.mend(soon) == 0


async def test_what_a_crash_left_in_the_store_is_swept(inside: Inside) -> None:
    """Bytes that were being received, once they are old."""
    incoming = await inside.files.store.receive()
    await incoming.write(b"half of")
    now = datetime.now(UTC)

    assert await inside.files.sweep(now) == 0
    assert await inside.files.sweep(now + timedelta(days=8)) == 1
