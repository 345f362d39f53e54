"""A device of a library, request by request: what a test says that a machine does."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import aiohttp

from tests.clients import Visitor
from tests.inside import Guest

API = "/api/v1/sync"
Answer = tuple[int, Any, Mapping[str, str]]


def digest(data: bytes) -> str:
    """A hash as this API writes it."""
    return sha256(data).hexdigest()


class Machine(Visitor):
    """One registered device."""

    def __init__(self, url: str, token: str, device: str = "", device_token: str = "") -> None:
        super().__init__(url, token)
        self.device = device
        self.device_token = device_token
        self.cursor = 0

    @classmethod
    async def of(cls, guest: Guest, name: str) -> Machine:
        """A device that somebody registers."""
        made = cls(guest.url, guest.token)
        status, answer, _ = await made.ask("POST", "/devices", json={"name": name})
        assert status == 200, answer
        made.device, made.device_token = answer["device"]["id"], answer["device_token"]
        return made

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        is_named: bool = True,
        **more: Any,
    ) -> Answer:
        """Any request, as this device or without a word of which device it is."""
        said = dict(self.bearer)
        if self.device_token and is_named:
            said["X-Device-Token"] = self.device_token
        said |= headers or {}
        path = path if path.startswith("/api") else API + path
        async with self.http.request(method, path, headers=said, **more) as answer:
            return await _read(answer)

    # -- the usual way ------------------------------------------------------------------

    async def report(self, *changes: dict[str, Any]) -> Any:
        """Report changes; the answer."""
        status, answer, _ = await self.ask("POST", "/report", json={"changes": list(changes)})
        assert status == 200, answer
        return answer

    async def begin(self, path: str, data: bytes, chunk_size: int | None = None) -> Any:
        """Begin an upload."""
        body = {"target_path": path, "expected_size": len(data), "expected_hash": digest(data)}
        if chunk_size is not None:
            body["chunk_size"] = chunk_size
        status, answer, _ = await self.ask("POST", "/upload", json=body)
        assert status == 200, answer
        return answer

    async def send(self, upload: Any, data: bytes, *indexes: int) -> None:
        """Send chunks of an upload: these, or all that there are."""
        size = upload["chunk_size"]
        for index in indexes or range(upload["chunk_count"]):
            part = data[index * size : (index + 1) * size]
            status, answer, _ = await self.ask(
                "PUT", f"/upload/{upload['id']}/chunks/{index}", data=part
            )
            assert status == 200, answer

    async def complete(self, upload: Any) -> Any:
        """Complete an upload."""
        status, answer, _ = await self.ask("POST", f"/upload/{upload['id']}/complete")
        assert status == 200, answer
        return answer

    async def upload(self, path: str, data: bytes) -> Any:
        """A whole upload; what it became."""
        upload = await self.begin(path, data)
        await self.send(upload, data)
        return await self.complete(upload)

    async def put(self, path: str, data: bytes, base: bytes | None = None) -> Any:
        """Report a file and upload it where that is wanted; the answer to the report."""
        answer = await self.report(changed(path, data, base))
        if path in answer["upload_required"]:
            await self.upload(path, data)
        return answer

    async def changes(
        self, cursor: int | None = None, limit: int | None = None, **more: Any
    ) -> Any:
        """One page."""
        query = {"cursor": cursor, "limit": limit, **more}
        params = {name: str(value) for name, value in query.items() if value is not None}
        status, answer, _ = await self.ask("GET", "/changes", params=params)
        assert status == 200, answer
        return answer

    async def news(self) -> list[tuple[str, str]]:
        """What changed since the last time: (change type, path) of each line."""
        found = []
        has_more = True
        while has_more:
            page = await self.changes(self.cursor or None)
            found += [(line["change_type"], line["path"]) for line in page["changes"]]
            self.cursor, has_more = page["cursor"], page["has_more"]
        return found

    async def acknowledge(self, cursor: int | None = None) -> int:
        """Acknowledge what was read; what the server has noted."""
        body = {"cursor": self.cursor if cursor is None else cursor}
        status, answer, _ = await self.ask("POST", "/ack", json=body)
        assert status == 200, answer
        return int(answer["cursor"])

    async def download(self, path: str, **headers: str) -> Answer:
        """A file: status, bytes and headers."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("GET", f"/download/{path}", headers=said)

    async def content(self, path: str) -> bytes:
        """The whole of a file."""
        status, data, _ = await self.download(path)
        assert status == 200, data
        assert isinstance(data, bytes)
        return data


def changed(path: str, data: bytes, base: bytes | None = None, **more: Any) -> dict[str, Any]:
    """A change to a file: made, or modified where there is a base."""
    said: dict[str, Any] = {
        "path": path,
        "change_type": "created" if base is None else "modified",
        "content_hash": digest(data),
        "file_size": len(data),
    }
    if base is not None:
        said["base_hash"] = digest(base)
    return said | more


def deleted(path: str, base: bytes | None = None) -> dict[str, Any]:
    """A deletion."""
    said = {"path": path, "change_type": "deleted"}
    return said if base is None else said | {"base_hash": digest(base)}


def moved(old: str, new: str, data: bytes, base: bytes | None = None) -> dict[str, Any]:
    """A move, with other content too where there is a base."""
    return {
        "path": new,
        "old_path": old,
        "change_type": "moved",
        "content_hash": digest(data),
        "base_hash": digest(data if base is None else base),
    }


async def _read(answer: aiohttp.ClientResponse) -> Answer:
    is_json = answer.content_type == "application/json"
    data = await answer.json() if is_json else await answer.read()
    return answer.status, data, answer.headers
