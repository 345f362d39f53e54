"""A crowd that types while something is done to its server, and what came of the crowd.

Whatever is done: everybody ends with one text, and after a SIGKILL the store has every word that
was confirmed, once.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp

from storage.documents import Documents
from storage.grants import Grants
from storage.pool import Pool, close_pool, open_pool
from tests.clients import Visitor
from tests.databases import fresh_database
from tests.inside import Guest
from tests.live import LiveServer
from tests.patience import until
from tests.peers.home import Home
from tests.peers.peer import NODE_PROVIDERS, Peer
from tests.stories.crowd import Crowd
from tests.stories.outages import Outages
from tests.stories.providers import Provided, nodes

FULL = bool(os.environ.get("PLAIT_TEST_FULL"))
SECONDS = 15.0 if FULL else 1.5
"""For so long the crowd types at least."""
WRITERS, DOCUMENTS = (50, 5) if FULL else (20, 3)
PROVIDERS = NODE_PROVIDERS if FULL else ("y-websocket", "hocuspocus", "y-sweet")
_seeds = itertools.count(1)


@dataclass
class Stage:
    """A server process, its database as another node would change it, and real providers."""

    server: LiveServer
    pool: Pool
    peers: list[Peer]

    @property
    def store(self) -> Documents:
        """The stored documents."""
        return Documents(self.pool)

    @property
    def grants(self) -> Grants:
        """Members and roles."""
        return Grants(self.pool)

    @asynccontextmanager
    async def guest(self) -> AsyncIterator[Guest]:
        """Somebody with a fresh account."""
        async with Guest(SimpleNamespace(url=self.server.url)) as guest:  # type: ignore[arg-type]
            yield await guest.log_in()

    def home(self, crowd: Crowd) -> Home:
        """The crowd's account."""
        assert crowd.visitor is not None
        return Home(self.server, crowd.visitor.token, "")

    async def kill(self) -> None:
        """SIGKILL, and the server again."""
        await asyncio.to_thread(self.server.kill)
        await asyncio.to_thread(self.server.start)

    async def held(self) -> dict[str, Any]:
        """What the server counts: sessions, rooms, tasks and more."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.server.url}/api/health") as it:
            told: dict[str, Any] = (await it.json())["diagnostics"]["realtime"]
            return told


@asynccontextmanager
async def staged(postgres: str, folder: Path) -> AsyncIterator[Stage]:
    """A server on a database of its own, and a Node process for each provider."""
    async with fresh_database(postgres) as database:
        server = LiveServer(
            folder,
            database_url=database,
            shutdown_grace_s=0.2,
            login_attempts_per_minute=100_000,
        )
        await asyncio.to_thread(server.start)
        pool = await open_pool(database, connections_max=2)
        try:
            async with nodes(PROVIDERS) as peers:
                yield Stage(server, pool, peers)
        finally:
            await close_pool(pool)
            await asyncio.to_thread(server.stop)


@asynccontextmanager
async def beside(
    stage: Stage, fault: str, *, peers: list[Peer] | None = None, seconds: float = SECONDS
) -> AsyncIterator[Crowd]:
    """A crowd that types while the block runs, and its figures printed when it was right."""
    crowd = gathered(stage, stage.peers if peers is None else peers)
    try:
        await crowd.arrive()
        await crowd.connect()
        crowd.start(are_here=True)
        await until(lambda: all(writer.confirmed for writer in crowd.writers))
        started = time.monotonic()
        async with Outages(crowd) as outages:
            yield crowd
            await asyncio.sleep(started + seconds - time.monotonic())
            had = crowd.confirmed
            await until(lambda: crowd.confirmed > had + len(crowd.writers))
            await crowd.stop()
        await crowd.come_back()
        await crowd.check_converged()
        await leave(crowd)
        await stage.kill()
        await crowd.arrive()
        await crowd.check_stored()
        outages.tell(fault)
    finally:
        await leave(crowd)


def gathered(stage: Stage, peers: list[Peer]) -> Crowd:
    """Writers of every dialect, and every provider, in a few documents that nobody had before."""
    seed = next(_seeds)
    crowd = Crowd(stage.server, writers=WRITERS, documents=DOCUMENTS, seed=1000 + seed)
    for number, peer in enumerate(peers):
        document = crowd.documents[number % DOCUMENTS]
        chance = random.Random(f"{seed}/{peer.provider}")
        crowd.writers.append(Provided(peer, stage.server, document, chance))
    return crowd


async def leave(crowd: Crowd) -> None:
    """All go, also those that would find back by themselves."""
    await crowd.leave()
    for writer in crowd.writers:
        if isinstance(writer, Provided):
            await writer.go()


async def text_at(visitor: Visitor, name: str) -> str:
    """What a fresh joiner reads."""
    client = await (await visitor.y(name)).sync()
    await client.close()
    return client.replica.text
