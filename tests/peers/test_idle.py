"""Silence: providers give up on a server they have not heard for 30 s (Y-Sweet: 3 s)."""

import asyncio
from typing import Any

from tests.peers.home import Home
from tests.peers.peer import NODE_PROVIDERS, Client

SILENCE_S = 70.0


async def test_a_lone_idle_client_does_not_reconnect(home: Home, name: str, peer: Any) -> None:
    """Each alone in its document for 70 s, with a cursor and without: one connection, no close."""
    clients: list[Client] = []
    processes = await asyncio.gather(*(peer(provider) for provider in NODE_PROVIDERS))
    for number, process in enumerate(processes):
        for has_cursor in (True, False):
            room = f"{name}-{number}-{int(has_cursor)}"
            client = await process.open(home, room)
            await client.synced()
            await client.do("awareness", state={"user": process.provider} if has_cursor else None)
            clients.append(client)

    await asyncio.sleep(SILENCE_S)

    for client in clients:
        state = await client.state()
        assert state["synced"], client
        assert state["events"].get("connected") == 1, (client, state)
        assert not state["events"].get("close"), (client, state)
