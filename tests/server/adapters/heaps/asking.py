"""Requests that must be answered with one status, for tests of the routes."""

from __future__ import annotations

from typing import Any

from tests.inside import Guest
from tests.server.adapters.heaps.device import new_id


async def ask(guest: Guest, path: str, status: int = 200, /, **body: Any) -> Any:
    """A POST that must be answered with this status."""
    found, answer, _ = await guest.post(path, json=body)
    assert found == status, answer
    return answer


async def call(guest: Guest, method: str, path: str, status: int = 200) -> Any:
    """A request without a body that must be answered with this status."""
    async with guest.http.request(method, path, headers=guest.bearer) as response:
        answer = await response.json()
        assert response.status == status, answer
        return answer


async def made(guest: Guest, name: str = "Garden") -> str:
    """A new workspace; its id."""
    return str((await ask(guest, "/api/heap/add", id=new_id(), title=name))["id"])
