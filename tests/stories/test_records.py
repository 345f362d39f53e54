"""Records through every door at once: edits of the server, pushes, a peer on a socket."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from crdt import wire
from crdt.records import Collection, Record
from server.documents import Documents
from server.feed import FEED
from storage.documents import DocumentRecord
from tests.clients import YClient
from tests.crdt.test_records import Model
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.device import replica, text64
from tests.server.realtime.conftest import ada, inside

__all__ = ["ada", "inside"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

SEEDS = 200 if os.environ.get("PLAIT_TEST_FULL") else 8
STEPS = 40
NAME = "gyms"
IDS = "abc"


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


class Reader:
    """An adapter's client that follows the feed of records, a few at a time."""

    def __init__(self, inside: Inside, record: DocumentRecord) -> None:
        self._feed = inside.app[FEED]
        self._record = record
        self._marker = 0
        self.known: dict[str, Record | None] = {}

    async def follow(self, present: dict[str, Record]) -> None:
        """Ask for everything new; `present` is what stands now, and nobody writes.

        What is told changed since the last time, and nothing that changed is left out.
        """
        told: dict[str, bool] = {}
        has_more = True
        while has_more:
            page = await self._feed.records_since(self._record.scope, [NAME], self._marker, 2)
            told |= {entry.record: entry.deleted for entry in page.entries}
            self._marker, has_more = page.marker, page.has_more
        for key, deleted in told.items():
            found = present.get(key)
            assert deleted == (found is None or found.is_deleted)
            self.known[key] = found
        for key in IDS:
            assert self.known.get(key) == present.get(key), f"{key} changed and was not told"


class Pushing:
    """A device that pushes what it wrote, now and then twice or late."""

    def __init__(self, guest: Guest, record: DocumentRecord) -> None:
        self._guest, self._record = guest, record
        self._replica = replica()
        self._queue: list[bytes] = []

    def write(self, *call: Any) -> None:
        """Write offline."""
        gyms = Collection.of(self._replica.doc, NAME)
        self._queue.append(self._replica.edit(lambda: getattr(gyms, call[0])(*call[1:])))

    async def send(self, chance: random.Random) -> None:
        """Push what waits, in an order that is not that of writing."""
        if not self._queue:
            return
        sent = [self._queue.pop(chance.randrange(len(self._queue))) for _ in self._queue[:]]
        again = [chance.choice(sent)] if chance.random() < 0.5 else []
        items = [
            {
                "block_id": self._record.name,
                "workspace_id": self._record.scope,
                "update": text64(update),
                "sync_version": 1,
            }
            for update in sent + again
        ]
        status, answer, _ = await self._guest.post("/api/sync/push", json={"blocks": items})
        assert status == 200
        assert all(result["success"] for result in answer["results"]), answer


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_the_feed_tells_each_record_that_changed_through_any_door(
    inside: Inside, ada: Guest, seed: int
) -> None:
    """Edits of the server, a socket and pushes out of order, with rooms that end in between.

    A reader that follows the feed knows after each round what stands under every id, and is told
    only of ids that changed or may have.
    """
    chance = random.Random(seed)
    inside.documents.collections["dataset"] = (NAME,)
    record = await inside.store.create(ada.workspace, f"library {seed}", ada.account, "dataset")
    inside.documents.room(record)
    peer = await (await ada.y(record.name)).sync()
    doors = Doors(inside.documents, record, peer)
    device, reader = Pushing(ada, record), Reader(inside, record)
    for _ in range(6):
        for _ in range(8):
            key, at = chance.choice(IDS), chance.randrange(30)
            call: tuple[Any, ...] = chance.choice(
                [("delete", key, at), ("put_latest", key, {"n": at}, at), ("forget", key)]
            )
            step = chance.random()
            if step < 0.3:
                await doors._edit(*call)
            elif step < 0.6:
                await doors.send(*call)
            elif step < 0.9:
                device.write(*call)
            else:
                await inside.app[FEED].settle(record.scope)
        await device.send(chance)
        await peer.sync()
        if chance.random() < 0.4:
            await peer.close()
            await inside.app[FEED].settle(record.scope)
            doors.documents.end(record.id, "load-failed")
            peer = doors.peer = await (await ada.y(record.name)).sync()
        await reader.follow(doors.at_server())

    assert await _told_nothing(inside, reader)


async def _told_nothing(inside: Inside, reader: Reader) -> bool:
    """Whether a feed that nobody writes to stays silent."""
    page = await inside.app[FEED].records_since(
        reader._record.scope, [NAME], reader._marker, 2, reader._record.id
    )
    return page.entries == [] and not page.has_more
