"""What peers are missing of many documents."""

from __future__ import annotations

import msgspec
import pytest

from crdt.document import decode_state_vector
from crdt.wire.lib0 import var_uint
from server.asked import Reading, Unread, Want
from server.reading import READINGS
from storage.blocks import Block, Blocks
from tests.clients import Replica, text_of
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.conftest import ada, inside, serve
from tests.server.adapters.heaps.device import Device

__all__ = ["ada", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def stored(inside: Inside, device: Device, *blocks: str) -> list[Block]:
    """Pushed, settled, and in nobody's memory."""
    await device.push(*blocks)
    await device.changes()
    found = []
    for block in blocks:
        record = await inside.store.by_global_id(block)
        assert record is not None
        inside.documents.forget(inside.documents.room(record))
        found.append((await Blocks(inside.pool).look_up([record.id]))[record.id])
    return found


async def test_a_reader_gets_the_same_from_index_memory_and_store(
    inside: Inside, ada: Guest
) -> None:
    """Whatever it has: nothing, a part, all of it."""
    device = Device(ada)
    text = device.write("hello")
    mine = device.blocks[text]
    part = mine.vector
    mine.insert(" world")
    mine.delete(0, 2)
    (block,) = await stored(inside, device, text)
    assert block.is_fresh
    bare = msgspec.structs.replace(block, known=None)
    readings = inside.app[READINGS]
    for vector in (None, b"", b"\0", part, mine.vector):
        got = []
        for known, in_memory in ((block, False), (bare, False), (bare, True)):
            if in_memory:
                editor = await ada.open(f"{ada.workspace}:{text}")
            (reading,) = await readings.read([Want(known, vector)], 1000)
            assert isinstance(reading, Reading)
            got.append(reading)
        await editor.socket.close()
        inside.documents.forget(inside.documents.room(block.record))
        assert got[0] == got[1] == got[2]
        fresh = Replica()
        fresh.apply(mine.missing(b"\0") if vector == mine.vector else got[0].update)
        assert got[0].state_vector == mine.vector


async def test_state_vectors_are_compared_by_what_they_say(inside: Inside, ada: Guest) -> None:
    """Another implementation may list the same clients in another order."""
    device = Device(ada)
    text = device.write("a")
    other = Replica(77)
    other.insert("b")
    device.blocks[text].apply(other.missing(b"\0"))
    (block,) = await stored(inside, device, text)
    vector = device.blocks[text].vector
    swapped = _swapped(vector)
    loads = inside.metrics.loads
    (reading,) = await inside.app[READINGS].read([Want(block, swapped)], 1000)

    assert swapped != vector
    assert isinstance(reading, Reading)
    assert (reading.update, reading.is_whole) == (b"\0\0", False)
    assert inside.metrics.loads == loads


def _swapped(vector: bytes) -> bytes:
    """A state vector of two clients, the other way round."""
    pairs = list(decode_state_vector(vector).items())
    return var_uint(len(pairs)) + b"".join(var_uint(n) for pair in pairs[::-1] for n in pair)


async def test_what_does_not_fit_is_left_for_later_and_the_first_always_comes(
    inside: Inside, ada: Guest
) -> None:
    """In the order of the question, whether it comes from memory or the store."""
    device = Device(ada)
    blocks = await stored(inside, device, *(device.write("x" * 1000) for _ in range(4)))
    bare = [msgspec.structs.replace(block, known=None) for block in blocks]
    found = await inside.app[READINGS].read([Want(block, None) for block in bare], 1500)

    assert [isinstance(one, Reading) for one in found] == [True, True, False, False]
    assert found[2:] == [Unread("later"), Unread("later")]
    assert all(text_of(one.update) == "x" * 1000 for one in found if isinstance(one, Reading))


async def test_deleted_and_broken_documents_are_said_to_be_so(inside: Inside, ada: Guest) -> None:
    """Each alone; the others are read."""
    device = Device(ada)
    names = [device.write("x") for _ in range(3)]
    good, deleted, broken = (
        msgspec.structs.replace(block, known=None) for block in await stored(inside, device, *names)
    )
    await inside.store.delete(deleted.record.id)
    await inside.pool.execute("DELETE FROM updates WHERE document = $1", broken.record.id)
    found = await inside.app[READINGS].read([Want(b, None) for b in (broken, deleted, good)], 999)

    assert found[:2] == [Unread("unavailable"), Unread("deleted")]
    assert isinstance(found[2], Reading)


async def test_one_block_may_be_asked_for_twice(inside: Inside, ada: Guest) -> None:
    """Each reader has its own vector."""
    device = Device(ada)
    name = device.write("x")
    (block,) = await stored(inside, device, name)
    bare = msgspec.structs.replace(block, known=None)
    found = await inside.app[READINGS].read(
        [Want(bare, None), Want(bare, device.blocks[name].vector), Want(bare, b"\0", whole=True)],
        1000,
    )

    assert [one.is_whole for one in found if isinstance(one, Reading)] == [True, False, True]
