"""Blocks with files, made past the upload routes: for tests of what is done with files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from hashlib import sha256

from crdt.ids import DocumentName
from server.media.gallery import GALLERY
from storage import files
from storage.documents import DocumentRecord
from storage.pool import transaction
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.device import Device, new_id


async def block(guest: Guest, scope: str | None = None) -> str:
    """A new block; its id."""
    device = Device(guest, scope or guest.workspace)
    name = new_id()
    device.write("words", name)
    await device.push(name)
    return name


async def filed(
    inside: Inside, guest: Guest, data: bytes, name: str = "file", scope: str | None = None
) -> tuple[str, str]:
    """A new block with a file; its id and the file's hash."""
    made = await block(guest, scope)
    await attach(inside, guest, made, data, name)
    return made, sha256(data).hexdigest()


async def attach(
    inside: Inside, guest: Guest, made: str, data: bytes, name: str = "file"
) -> DocumentRecord:
    """Give a block one more file."""
    record = await inside.store.by_global_id(DocumentName.parse(made).name)
    assert record is not None

    async def once() -> AsyncIterator[bytes]:
        yield data

    blob = await inside.app[GALLERY].blobs.receive(once(), bytes_max=1 << 30)
    new = files.NewFile(
        id=new_id(),
        document=record.id,
        hash=blob.digest,
        size=blob.size,
        name=name,
        mime_type="application/octet-stream",
        author=guest.account,
        payer=guest.account,
    )
    async with transaction(inside.pool) as connection:
        await files.add(connection, new)
    return record


async def fetch(
    guest: Guest, path: str, status: int = 200, method: str = "GET", **headers: str
) -> tuple[bytes, Mapping[str, str]]:
    """The bytes and headers of a reply that must have this status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with guest.http.request(method, path, headers={**guest.bearer, **named}) as response:
        data = await response.read()
        assert response.status == status, data[:300]
        return data, response.headers
