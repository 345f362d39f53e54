"""Clients that say nothing for 70 s, while other tests go on: nobody waits for them alone."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.peers.home import Home
from tests.peers.peer import NODE_PROVIDERS, Client, Peer

SILENCE_S = 70.0


@dataclass
class Silence:
    """Two clients of each provider, one of them with a cursor, each alone in its document."""

    clients: list[Client]
    since: float

    @property
    def left_s(self) -> float:
        """Seconds until they have been silent for long enough."""
        return max(self.since + SILENCE_S - time.monotonic(), 0.0)


@asynccontextmanager
async def falls(home: Home) -> AsyncIterator[Silence]:
    """Open the clients, and let them be."""
    clients: list[Client] = []
    processes = [await Peer(provider).start() for provider in NODE_PROVIDERS]
    try:
        for process in processes:
            for has_cursor in (True, False):
                client = await process.open(home, f"silent-{process.provider}-{has_cursor}")
                await client.synced()
                state = {"user": process.provider} if has_cursor else None
                await client.do("awareness", state=state)
                clients.append(client)
        yield Silence(clients, time.monotonic())
    finally:
        await asyncio.gather(*(process.kill() for process in processes))
