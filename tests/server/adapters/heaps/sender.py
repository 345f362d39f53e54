"""Somebody who sends a file to a block, in every way that the API has."""

from __future__ import annotations

import io
from hashlib import sha256
from typing import Any

import aiohttp

from tests.inside import Guest
from tests.server.adapters.heaps.device import new_id

CHUNK = 4096


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return sha256(data).hexdigest()


class Sender:
    """Somebody who sends one file to one block."""

    def __init__(self, guest: Guest, data: bytes, block: str | None = None) -> None:
        self.guest = guest
        self.data = data
        self.hash = digest(data)
        self.block = block or new_id()
        self.heap = guest.workspace

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """A request of theirs: status and body."""
        async with self.guest.http.request(
            method, path, headers=self.guest.bearer, **more
        ) as response:
            return response.status, await response.json()

    async def init(self, **changes: Any) -> tuple[int, Any]:
        """Begin."""
        body = {
            "hash": self.hash,
            "file_size": len(self.data),
            "chunk_size": CHUNK,
            "name": "a.bin",
            "mime_type": "image/png",
            **changes,
        }
        return await self.call("POST", f"/api/upload/init/{self.heap}/{self.block}", json=body)

    async def put(self, index: int | str, data: bytes | None = None) -> tuple[int, Any]:
        """Send a chunk."""
        if data is None:
            data = self.data[int(index) * CHUNK : (int(index) + 1) * CHUNK]
        path = f"/api/upload/chunk/{self.heap}/{self.block}/{self.hash}/{index}"
        return await self.call("PUT", path, data=data)

    async def status(self) -> tuple[int, Any]:
        """How far it is."""
        return await self.call("GET", f"/api/upload/status/{self.heap}/{self.block}/{self.hash}")

    async def complete(self) -> tuple[int, Any]:
        """Finish."""
        return await self.call("POST", f"/api/upload/complete/{self.heap}/{self.block}/{self.hash}")

    async def file(self) -> tuple[int, Any]:
        """Whether the file is there."""
        return await self.call("GET", f"/api/status/file/{self.heap}/{self.block}/{self.hash}")

    async def direct(self, **fields: Any) -> tuple[int, Any]:
        """Send it in one go; `fields` replace those of the form, None leaves one out."""
        form = aiohttp.FormData(default_to_multipart=True)
        given: dict[str, Any] = {"hash": self.hash, "file": self.data, **fields}
        for name, value in given.items():
            if isinstance(value, bytes):
                form.add_field(
                    name, io.BytesIO(value), filename="picture.png", content_type="image/png"
                )
            elif value is not None:
                form.add_field(name, value)
        return await self.call("POST", f"/api/upload/file/{self.heap}/{self.block}", data=form)

    async def read(self) -> bytes:
        """What the server gives for it."""
        path = f"/api/file/{self.block}/raw/{self.hash}"
        async with self.guest.http.get(path, headers=self.guest.bearer) as response:
            assert response.status == 200
            return await response.read()
