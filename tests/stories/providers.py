"""Real providers in Node as writers of a crowd: they type, and find back by themselves.

Three of them tell their application nothing when an edit is stored, so that for all alike a word
counts as confirmed once it has come, after its commit, to somebody else.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from tests.clients import Closed, Visitor
from tests.live import LiveServer
from tests.peers.home import Home
from tests.peers.peer import Client, Peer
from tests.stories.crowd import Echoed, Writer


class Provided(Writer):
    """One document that a real provider has open, and a witness who reads it."""

    pace_s = 0.12

    def __init__(
        self, peer: Peer, server: LiveServer, document: str, chance: random.Random
    ) -> None:
        super().__init__(document, chance)
        self.peer, self._server = peer, server
        self.client: Client | None = None

    async def connect(self, visitor: Visitor) -> None:
        """Open the document, unless it is; the provider itself sees to the rest. The witness."""
        if self.client is None:
            home = Home(self._server, visitor.token, "")
            self.client = await self.peer.open(home, self.document)
            await self.client.until(lambda state: state["synced"])
        witness = await visitor.y(self.document, kind=Echoed)
        assert isinstance(witness, Echoed)
        witness.writer, self.witness, self.line = self, witness, witness.reading
        await witness.sync()

    async def write(self) -> None:
        """Type one word at the beginning."""
        if self.witness.code is not None:
            raise Closed("the witness went")
        assert self.client is not None
        text = self.name_word()
        await self.client.insert(0, text)

    async def behind(self, stored: str) -> str:
        """The same text, and nothing that the provider takes for unconfirmed."""
        assert self.client is not None
        state = await self.client.state()
        if not state["synced"] or state["unsynced"] > 0:  # 2.15 counts below zero after a break.
            return f"{self.client} is not synced: {state['unsynced']} unconfirmed"
        return "" if state["text"] == stored else f"{self.client} has another text"

    async def go(self) -> None:
        """Close the document for good."""
        client, self.client = self.client, None
        if client is not None:
            await client.do("destroy")


@asynccontextmanager
async def nodes(providers: Iterable[str]) -> AsyncIterator[list[Peer]]:
    """A Node process for each of these providers."""
    peers = [Peer(provider) for provider in providers]
    try:
        await asyncio.gather(*(peer.start() for peer in peers))
        yield peers
    finally:
        await asyncio.gather(*(peer.kill() for peer in peers))
