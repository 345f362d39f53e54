"""A client of difflog as the web application and the command line are: what they send, and how."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tests.clients import Visitor
from tests.inside import Inside


def transport_hash(password: str, salt: str) -> str:
    """What a client shows in place of its password."""
    digest = hashlib.sha256((salt + password).encode()).digest()
    return f"{salt}:{base64.b64encode(digest).decode()}"


def items(*names: str, text: str = "ciphertext of {}") -> list[dict[str, str]]:
    """Items with these ids."""
    return [{"id": name, "encrypted_data": text.format(name)} for name in names]


class Client(Visitor):
    """Somebody with a profile."""

    def __init__(self, inside: Inside, password: str = "correct horse") -> None:
        super().__init__(inside.url)
        self.id = str(uuid.uuid4())
        self.salt = base64.b64encode(uuid.uuid4().bytes).decode()
        self.hash = transport_hash(password, self.salt)

    @property
    def path(self) -> str:
        """Where the profile is."""
        return f"/api/profile/{quote(self.id, safe='')}"

    async def create(self, **more: Any) -> tuple[int, Any]:
        """Upload the profile; status and body."""
        body = {
            "id": self.id,
            "name": "Ada",
            "password_hash": self.hash,
            "encrypted_api_key": "key+/=",
            "salt": "content salt==",
            "languages": ["JavaScript"],
            "frameworks": ["React"],
            "tools": ["Docker"],
            "topics": ["AI/ML"],
            "depth": "deep",
            "custom_focus": "bugs",
        }
        status, answer, _ = await self.post("/api/profile/create", json=body | more)
        return status, answer

    async def read(self, shown: str | None = None, **query: str) -> tuple[int, Any]:
        """The profile, percent-encoded as encodeURIComponent does it."""
        query["password_hash"] = self.hash if shown is None else shown
        text = "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
        status, answer = await self.get(f"{self.path}?{text}")
        return status, answer

    async def content(self, **more: Any) -> Any:
        """All of the content."""
        status, answer, _ = await self.post(
            f"{self.path}/content", json={"password_hash": self.hash, **more}
        )
        assert status == 200, answer
        return answer

    async def ids(self, name: str = "diffs") -> list[str]:
        """The ids of one collection."""
        return [item["id"] for item in (await self.content())[name]]

    async def sync(self, **more: Any) -> tuple[int, Any]:
        """Upload; status and body."""
        status, answer, _ = await self.post(
            f"{self.path}/sync", json={"password_hash": self.hash, **more}
        )
        return status, answer

    async def status(self) -> Any:
        """What anybody may know."""
        status, answer = await self.get(f"{self.path}/status")
        assert status == 200, answer
        return self.json(answer)

    @staticmethod
    def json(body: Any) -> Any:
        """A body as JSON, read before or not."""
        return json.loads(body) if isinstance(body, bytes) else body

    async def ask(
        self, method: str, path: str, **more: Any
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Any request: status, body as it is, headers."""
        async with self.http.request(method, path, **more) as response:
            return response.status, await response.read(), response.headers
