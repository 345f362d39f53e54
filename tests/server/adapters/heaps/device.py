"""An offline device for tests: replicas of blocks, and the three sync routes as it uses them."""

from __future__ import annotations

import base64
import itertools
import secrets
import time
from typing import Any

import pycrdt

from crdt.ids import make_ulid
from tests.clients import Replica
from tests.inside import Guest

_clients = itertools.count(1_000_000)
EMPTY = base64.b64encode(b"\0\0").decode()


def new_id() -> str:
    """The id of a block that a device makes offline."""
    return make_ulid(int(time.time() * 1000), secrets.token_bytes(10))


def text64(data: bytes) -> str:
    """Bytes as the API sends them."""
    return base64.b64encode(data).decode()


def bytes64(text: str) -> bytes:
    """And back."""
    return base64.b64decode(text, validate=True)


def replica() -> Replica:
    """A replica with a client id of its own."""
    return Replica(next(_clients))


def title(document: Replica, text: str) -> bytes:
    """Give a block its title; the update."""
    fragment = document.doc.get("title_v0", type=pycrdt.XmlFragment)
    return document.edit(lambda: fragment.children.append(pycrdt.XmlText(text)))


def meta(document: Replica, **marks: Any) -> bytes:
    """Write into a block's `meta_v0`; the update."""
    return document.edit(lambda: document.doc.get("meta_v0", type=pycrdt.Map).update(marks))


class Device:
    """Somebody's device in one workspace."""

    def __init__(self, guest: Guest, workspace: str | None = None) -> None:
        self.guest = guest
        self.workspace = workspace or guest.workspace
        self.blocks: dict[str, Replica] = {}
        self.marker = 0
        self.gone: set[str] = set()

    def write(self, text: str, block: str | None = None) -> str:
        """Type at the end of a block, or of a new one; its id."""
        block = block or new_id()
        self.blocks.setdefault(block, replica()).insert(text)
        return block

    def item(self, block: str, part: bytes | None = None, **more: Any) -> dict[str, Any]:
        """A block of a push: all that this device has of it, or a part; `more` goes in as it is."""
        mine = self.blocks[block]
        return {
            "block_id": block,
            "workspace_id": self.workspace,
            "state_vector": text64(mine.vector),
            "update": text64(mine.missing(b"\0") if part is None else part),
            "sync_version": 1,
            **more,
        }

    async def send(self, *items: Any) -> dict[str, Any]:
        """A push of these items, which must be answered with 200."""
        status, answer, _ = await self.guest.post("/api/sync/push", json={"blocks": items})
        assert status == 200, answer
        assert answer["success"] is True
        assert len(answer["results"]) == len(items)
        return dict(answer)

    async def push(self, *blocks: str) -> list[dict[str, Any]]:
        """Push some blocks whole and take in what comes back; the results."""
        answer = await self.send(*(self.item(block) for block in blocks))
        for result in answer["results"]:
            if "update" in result:
                self.blocks[result["block_id"]].apply(bytes64(result["update"]))
        return list(answer["results"])

    async def ask(self, *items: Any) -> dict[str, Any]:
        """A pull of these items, which must be answered with 200."""
        status, answer, _ = await self.guest.post("/api/sync/pull", json={"blocks": items})
        assert status == 200, answer
        assert len(answer["results"]) == len(items)
        return dict(answer)

    async def pull(self, *blocks: str) -> list[dict[str, Any]]:
        """Pull some blocks and take in what comes; the results."""
        items = []
        for block in blocks:
            mine = self.blocks.setdefault(block, replica())
            items.append(
                {"block_id": block, "state_vector": text64(mine.vector), "sync_version": 1}
            )
        answer = await self.ask(*items)
        for result in answer["results"]:
            data = result.get("update") or result.get("full_state")
            if data:
                self.blocks[result["block_id"]].apply(bytes64(data))
        return list(answer["results"])

    async def page(self, since: Any = None, **query: Any) -> dict[str, Any]:
        """One page of the delta, which must be answered with 200."""
        given = {"workspace_id": self.workspace, **query}
        if since is not None:
            given["since"] = since
        headers = self.guest.bearer
        async with self.guest.http.get(
            "/api/sync/delta", params={k: str(v) for k, v in given.items()}, headers=headers
        ) as response:
            answer = await response.json()
            assert response.status == 200, answer
            return dict(answer)

    async def changes(self) -> tuple[list[str], list[str]]:
        """What changed and what went since the last time, in their order."""
        changed: list[str] = []
        gone: list[str] = []
        has_more = True
        while has_more:
            page = await self.page(self.marker)
            changed += [entry["block_id"] for entry in page["changed_blocks"]]
            gone += [entry["block_id"] for entry in page["deleted_blocks"]]
            self.marker, has_more = page["server_time"], page["has_more"]
        return changed, gone


async def push_titled(guest: Guest, heap: str, block: str, text: str) -> dict[str, Any]:
    """Push a block with a title from a fresh device; its result."""
    device = Device(guest, heap)
    title(device.blocks.setdefault(block, replica()), text)
    (result,) = await device.push(block)
    return result
