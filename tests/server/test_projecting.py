"""What changed blocks say of themselves: from memory, store or helper; committed rows only."""

from __future__ import annotations

import asyncio

import pytest

from crdt import wire
from server.projecting import Projecting
from storage.blocks import Blocks
from storage.changes import Changes, Dirty
from storage.documents import DocumentRecord
from tests.inside import Guest, Inside
from tests.patience import until
from tests.server.adapters.heaps.conftest import ada, inside, serve
from tests.server.adapters.heaps.device import Device, meta, title

__all__ = ["ada", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def pushed(inside: Inside, guest: Guest, text: str) -> tuple[Device, str, DocumentRecord]:
    """A block with a title, just pushed."""
    device = Device(guest)
    block = device.write(text)
    title(device.blocks[block], "Milk")
    await device.push(block)
    record = await inside.store.by_global_id(block)
    assert record is not None
    return device, block, record


async def dirty_of(inside: Inside, record: DocumentRecord) -> Dirty:
    """The document as the feed would find it, whoever settled it meanwhile.

    Marked and read under one lock, since the server's sweeper settles what it finds marked.
    """
    async with inside.pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE heads SET dirty = true WHERE document = $1", record.id)
        found = await Changes(connection).dirty(record.scope)
    return next(one for one in found if one.document == record.id)


def projecting(inside: Inside) -> Projecting:
    """One of the test's own, over the server's documents."""
    return Projecting(inside.documents, Blocks(inside.pool), Changes(inside.pool))


@pytest.mark.parametrize("text", ["short", "l" * 300_000], ids=["short", "large"])
async def test_memory_and_store_say_the_same(inside: Inside, ada: Guest, text: str) -> None:
    """Title, trash, state vector, deletions, and the row up to which it holds."""
    device, block, record = await pushed(inside, ada, text)
    device.blocks[block].delete(0, 1)
    meta(device.blocks[block], deletedAt=5)
    await device.push(block)
    dirty = await dirty_of(inside, record)
    inside.documents.room(record)
    await until(lambda: inside.documents.room(record).is_live)
    (from_memory,) = await projecting(inside).project([dirty])
    inside.documents.forget(inside.documents.room(record))
    (from_store,) = await projecting(inside).project([dirty])

    assert from_memory == from_store
    assert from_store.facts is not None
    assert (from_store.facts.title, from_store.facts.trashed_at) == ("Milk", 5)
    assert from_store.sequence == 2


async def test_rows_on_their_way_are_waited_for(inside: Inside, ada: Guest) -> None:
    """What is in memory and not stored is not told before it is; then it is, with its row."""
    _, block, record = await pushed(inside, ada, "a")
    live = inside.documents.room(record)
    async with inside.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM heads WHERE document = $1 FOR UPDATE", record.id)
        editor = await ada.open(f"{ada.workspace}:{block}")
        await editor.send(wire.update(meta(editor.replica, deletedAt=7)))
        await until(lambda: live.room.uncommitted > 0)
        dirty = Dirty(
            document=record.id,
            scope=record.scope,
            kind="block",
            name=block,
            head=1,
            lineage=1,
            deleted=False,
            size=10,
        )
        looking = asyncio.create_task(projecting(inside).project([dirty]))
        await asyncio.sleep(0.05)
        assert not looking.done()
    (projected,) = await looking

    assert projected.facts is not None
    assert (projected.facts.trashed_at, projected.sequence) == (7, 2)


async def test_a_room_that_ends_meanwhile_is_read_from_the_store(
    inside: Inside, ada: Guest, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody waits until patience with a commit that does not come is at its end."""
    _, block, record = await pushed(inside, ada, "a")
    dirty = await dirty_of(inside, record)
    live = inside.documents.room(record)
    async with inside.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM heads WHERE document = $1 FOR UPDATE", record.id)
        editor = await ada.open(f"{ada.workspace}:{block}")
        await editor.write("typed")
        await until(lambda: live.room.uncommitted > 0)
        looking = asyncio.create_task(projecting(inside).project([dirty]))
        await asyncio.sleep(0.05)
        inside.documents.end(record.id, "restart")
        (projected,) = await looking

    assert "commits that do not come" not in caplog.text
    assert projected.sequence == 1
    assert projected.facts is not None


async def test_documents_that_cannot_be_read_are_stamped_without_facts(
    inside: Inside, ada: Guest
) -> None:
    """Deleted, of another kind, with a broken log: none of them holds up the feed."""
    _, _, broken = await pushed(inside, ada, "a")
    _, _, deleted = await pushed(inside, ada, "b")
    other = await inside.store.create(ada.workspace, "profile", ada.account, "profile")
    inside.documents.forget(inside.documents.room(broken))
    await inside.pool.execute("DELETE FROM updates WHERE document = $1", broken.id)
    await inside.store.delete(deleted.id)
    dirty = [await dirty_of(inside, record) for record in (broken, deleted, other)]
    projected = await projecting(inside).project(dirty)

    assert {p.dirty.document for p in projected} == {broken.id, deleted.id, other.id}
    assert [p.facts for p in projected] == [None] * 3
    assert [p.sequence for p in projected] == [p.dirty.head for p in projected]
