"""The server goes away and comes back; nobody has to do anything."""

import asyncio
from typing import Any

from tests.peers.home import Home
from tests.peers.peer import NODE_PROVIDERS, everyone
from tests.peers.pycrdt_peer import PycrdtClient

RECONNECT_S_MAX = 90.0
"""Hocuspocus' providers wait for up to 30 s between tries."""


async def test_edits_made_while_the_server_was_down_survive(
    own_home: Home, name: str, peer: Any
) -> None:
    """Kill -9, typing on offline, restart: every letter is there once at everyone."""
    home = own_home
    clients = await everyone(peer, home, name)
    for client in clients:
        await client.insert(0, "a")
    for client in clients:
        await client.until(
            lambda state: state["text"] == "a" * len(clients) and state["unsynced"] == 0
        )

    await asyncio.to_thread(home.server.kill)
    for client in clients:
        await client.insert(0, "b")
    await asyncio.to_thread(home.server.start)

    size = 2 * len(NODE_PROVIDERS)
    for client in clients:
        state = await client.until(
            # Provider 2.15 starts its counter anew and then hears of what it typed offline: -1,
            # with Hocuspocus' own server too.
            lambda now: len(now["text"]) >= size and now["unsynced"] <= 0,
            within_s=RECONNECT_S_MAX,
        )
        assert sorted(state["text"]) == sorted("ab" * len(clients)), client
    async with PycrdtClient(home, name) as newcomer:
        state = await newcomer.until(lambda now: len(now["text"]) >= size)
    assert sorted(state["text"]) == sorted("ab" * len(clients))


async def test_a_graceful_shutdown_says_that_it_restarts(
    own_home: Home, name: str, peer: Any
) -> None:
    """SIGTERM closes with 1012, keeps what was typed, and ends with exit code 0."""
    home = own_home
    client = await (await peer("y-websocket")).open(home, name)
    await client.synced()
    await client.insert(0, "kept")
    async with PycrdtClient(home, name) as witness:
        await witness.until(lambda state: state["text"] == "kept")

    code = await asyncio.to_thread(home.server.stop)

    assert code == 0
    await client.until(lambda state: state["events"].get("close"))
    assert client.heard("close")[0] == 1012
    await asyncio.to_thread(home.server.start)
    await client.until(lambda state: state["events"].get("connected") == 2)
    await client.until(lambda state: state["synced"] and state["text"] == "kept")
