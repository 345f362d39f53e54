"""Notices as real providers hear them: `sendStateless` asks, the `stateless` event tells."""

import json
from typing import Any

import aiohttp
import pytest

from tests.peers.home import Home
from tests.peers.peer import HOCUSPOCUS


@pytest.mark.parametrize("provider", HOCUSPOCUS)
async def test_a_provider_that_asks_hears_what_another_document_does(
    home: Home, name: str, peer: Any, provider: str
) -> None:
    """Created and changed, whether it was typed or made by REST; the asker's document is not it."""
    process = await peer(provider)
    client = await process.open(home, name)
    await client.synced()
    ask = json.dumps({"type": "subscribe", "workspace_id": home.workspace_id})
    await client.do("stateless", text=ask)

    def heard(kind: str, block: str) -> bool:
        told = [json.loads(text) for text in client.heard("stateless")]
        return any(it.get("block_id") == block and it["kind"] == kind for it in told)

    await client.until(lambda _: client.heard("stateless"))
    typed = await process.open(home, f"{name}-typed")
    await typed.synced()
    await typed.insert(0, "hello")
    await client.until(lambda _: heard("created", f"{name}-typed"))
    headers = {"Authorization": f"Bearer {home.token}"}
    async with aiohttp.ClientSession(home.url, headers=headers) as session:
        await session.post("/doc/new", json={"docId": f"{name}-rest"})
        await session.post(f"/d/{name}-typed/update", data=b"\x00\x00")
    await typed.insert(0, "more ")
    await client.until(lambda _: heard("changed", f"{name}-typed"))

    first = json.loads(client.heard("stateless")[0])
    assert first["type"] == "subscribed"
    assert first["workspace_id"] == home.workspace_id
