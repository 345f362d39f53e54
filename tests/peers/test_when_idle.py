"""Silence: providers give up on a server they have not heard for 30 s (Y-Sweet: 3 s)."""

import asyncio

import pytest

from tests.peers.silence import Silence


@pytest.mark.asyncio(loop_scope="session")
async def test_a_lone_idle_client_does_not_reconnect(silence: Silence) -> None:
    """Each alone in its document for 70 s, with a cursor and without: one connection, no close."""
    await asyncio.sleep(silence.left_s)

    for client in silence.clients:
        state = await client.state()
        assert state["synced"], client
        assert state["events"].get("connected") == 1, (client, state)
        assert not state["events"].get("close"), (client, state)
