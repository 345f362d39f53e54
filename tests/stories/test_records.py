"""Records through both doors at once: edits of the server, and a peer on a socket."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from crdt import wire
from crdt.records import Collection, Record
from server.documents import Documents
from storage.documents import DocumentRecord
from tests.clients import YClient
from tests.crdt.test_records import Model
from tests.inside import Guest, Inside, fresh_database, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEEDS = 200 if os.environ.get("PLAIT_TEST_FULL") else 8
STEPS = 40
NAME = "gyms"
IDS = "abc"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inside(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    """A server."""
    folder = tmp_path_factory.mktemp("records")
    async with fresh_database(postgres) as database, serving(database, folder) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def ada(inside: Inside) -> AsyncIterator[Guest]:
    """Somebody with an account."""
    async with inside.visitor() as guest:
        yield guest


class Doors:
    """One dataset, its REST door and its socket, and what must stand in it."""

    def __init__(self, documents: Documents, record: DocumentRecord, peer: YClient) -> None:
        self.documents, self.record, self.peer = documents, record, peer
        self.model = Model()

    async def write(self, *call: Any) -> None:
        """As a REST request does it."""
        getattr(self.model, call[0])(*call[1:])
        await self._edit(*call)

    async def _edit(self, *call: Any) -> None:
        def change(doc: Any) -> None:
            gyms = Collection.of(doc, NAME)
            gyms.watch()
            gyms.mend()
            getattr(gyms, call[0])(*call[1:])

        await self.documents.edit(self.record, change, account="rest")

    async def type(self, *call: Any) -> None:
        """As an editor on the socket does it: at once, and sent."""
        getattr(self.model, call[0])(*call[1:])
        await self.send(*call)

    async def send(self, *call: Any) -> None:
        """Call a method of the peer's own collection, and send what it changed."""
        replica = self.peer.replica
        gyms = Collection.of(replica.doc, NAME)
        update = replica.edit(lambda: getattr(gyms, call[0])(*call[1:]))
        if update != b"\0\0":
            await self.peer.send(wire.update(update))

    async def settle(self) -> None:
        """Let both sides mend until nothing moves."""
        for _ in range(3):
            await self.peer.sync()
            await self.send("mend")
            await self.peer.sync()
            await self._edit("mend")
        await self.peer.sync()

    def at_peer(self) -> dict[str, Record]:
        """What the peer has."""
        gyms = Collection.of(self.peer.replica.doc, NAME)
        return {key: found for key in IDS if (found := gyms.find(key)) is not None}

    def at_server(self) -> dict[str, Record]:
        """What the server has."""
        document = self.documents.room(self.record).room.document
        found = document.look(lambda doc: {k: Collection.of(doc, NAME).find(k) for k in IDS})
        return {key: record for key, record in found.items() if record is not None}


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_records_written_through_both_doors_at_once_are_the_same_and_the_latest(
    inside: Inside, ada: Guest, seed: int
) -> None:
    """REST and an editor write the same ids, unaware of each other; no later write is lost."""
    chance = random.Random(seed)
    record = await inside.store.create(ada.workspace, f"dataset {seed}", ada.account, "dataset")
    inside.documents.room(record)
    peer = await (await ada.y(record.name)).sync()
    Collection.of(peer.replica.doc, NAME).watch()
    doors = Doors(inside.documents, record, peer)
    for _ in range(STEPS):
        key, at = chance.choice(IDS), chance.randrange(30)
        call = ("delete", key, at) if chance.random() < 0.3 else ("put_latest", key, {"n": at}, at)
        step = chance.random()
        if step < 0.45:
            await doors.write(*call)
        elif step < 0.9:
            await doors.type(*call)
        else:
            await doors.send("mend")
    await doors.settle()

    assert doors.at_peer() == doors.at_server()
    assert doors.at_server() == doors.model.records
