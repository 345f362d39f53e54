"""A phone of a climber: what the application keeps, sends, and makes of the answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.clients import Visitor
from tests.inside import Guest

LISTS = ("gyms", "problems", "sessions", "attempts")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(minutes: float = 0, start: datetime = NOON) -> str:
    """A moment as phones write it."""
    moment = start + timedelta(minutes=minutes)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def item(name: str, minutes: float = 0, **more: Any) -> dict[str, Any]:
    """An item that was changed some minutes after noon."""
    return {"id": name, "updatedAt": at(minutes), **more}


def gone(name: str, minutes: float = 0, kind: str = "gym") -> dict[str, Any]:
    """A tombstone."""
    return {"id": name, "type": kind, "deletedAt": at(minutes)}


class Phone(Visitor):
    """One device with a personal token."""

    @classmethod
    async def of(cls, guest: Guest, scope: str = "ascently:write") -> Phone:
        """A device of somebody's, with a token of its own."""
        status, answer, _ = await guest.post(
            "/api/access-tokens", json={"name": "phone", "scopes": [scope]}
        )
        assert status in {200, 201}, answer
        return cls(guest.url, answer["token"])

    async def whole(self) -> Any:
        """The dataset."""
        status, body = await self.get("/sync")
        assert status == 200, body
        return json.loads(body)

    async def upload(self, **parts: Any) -> None:
        """Replace the dataset."""
        status, answer, _ = await self.post("/sync", json=parts)
        assert status == 200, answer

    async def delta(self, since: str | None = None, **parts: Any) -> Any:
        """Sync a part."""
        body = parts | ({} if since is None else {"lastSyncTime": since})
        status, answer, _ = await self.post("/sync/delta", json=body)
        assert status == 200, answer
        return answer

    async def ids(self, name: str = "gyms") -> list[str]:
        """The ids in one list of the dataset, sorted."""
        return sorted(each["id"] for each in (await self.whole())[name])
