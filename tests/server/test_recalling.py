"""Blocks that are open here are pushed into without asking what they are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from server.blocks import BLOCKS
from server.catalogue import CATALOGUE
from server.recalling import Recalling
from storage.blocks import Block, Blocks, Name
from storage.errors import Unavailable
from storage.pool import close_pool, open_pool
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import Device, new_id

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


def recalling(server: Inside) -> Recalling:
    """The server's own."""
    found = server.app[BLOCKS].recalling
    assert found is not None
    return found


async def known(server: Inside, *blocks: str) -> list[Block | None]:
    """What is found of these with a store that cannot be asked."""
    pool = await open_pool(server.settings.database_url)
    await close_pool(pool)
    return await recalling(server).find(Blocks(pool), [Name(None, block) for block in blocks])


async def test_a_block_is_asked_for_once_while_it_is_open(inside: Inside, ada: Guest) -> None:
    """And again when it was closed; of several only those that are not open."""
    device = Device(ada)
    block = device.write("x")
    for _ in range(2):  # The first makes it.
        assert (await device.push(block))[0]["success"]
        device.write("y", block)
    (found,) = await known(inside, block)
    assert found is not None
    live = inside.documents.peek(found.record.id)
    assert live is not None

    assert (found.record.global_id, found.head) == (block, live.head)
    with pytest.raises(Unavailable):
        await known(inside, block, new_id())
    inside.documents.forget(live)
    with pytest.raises(Unavailable):
        await known(inside, block)
    assert [one["status"] for one in await device.push(block)] == ["updated"]


async def test_a_block_that_is_gone_is_not_recalled(inside: Inside, ada: Guest) -> None:
    """Deleted here, its room ended; deleted elsewhere, the commit is fenced."""
    device = Device(ada)
    here, elsewhere = device.write("x"), device.write("x")
    for _ in range(2):
        await device.push(here, elsewhere)
    for block, delete in ((here, _here), (elsewhere, _elsewhere)):
        await delete(inside, block)
        device.write("more", block)

        assert [one["status"] for one in await device.push(block)] == ["deleted"]


async def _here(inside: Inside, block: str) -> None:
    await inside.app[CATALOGUE].close(await _document(inside, block))


async def _elsewhere(inside: Inside, block: str) -> None:
    await inside.store.delete(await _document(inside, block))


async def _document(inside: Inside, block: str) -> UUID:
    record = await inside.store.by_global_id(block)
    assert record is not None
    return record.id


async def test_a_stranger_recalls_nothing(inside: Inside, ada: Guest, bob: Guest) -> None:
    """The right is looked up each time, and a workspace that is named must be the block's."""
    device = Device(ada)
    block = device.write("x")
    for _ in range(2):
        await device.push(block)
    assert (await known(inside, block))[0] is not None

    theirs = Device(bob)
    theirs.write("mine?", block)
    assert [one["status"] for one in await theirs.push(block)] == ["not_found"]
    mine = Device(ada, bob.workspace)
    mine.write("there?", block)
    assert [one["status"] for one in await mine.push(block)] == ["not_found"]


async def test_what_was_pushed_is_later_than_the_marker_of_the_push(
    inside: Inside, ada: Guest
) -> None:
    """Who goes on from there misses nothing; and the marker moves with what is settled here."""
    device = Device(ada)
    block = device.write("x")
    await device.push(block)
    markers = []
    for _ in range(3):
        device.write("y", block)
        answer = await device.send(device.item(block))
        page = await device.page(answer["server_time"])
        assert [entry["block_id"] for entry in page["changed_blocks"]] == [block]
        markers.append(answer["server_time"])

    assert markers == sorted(set(markers))


async def test_where_other_nodes_write_the_store_is_asked(serve: Any) -> None:
    """They may have deleted it or written to it."""
    server = await serve(bus="notify")
    async with server.visitor() as guest:
        device = Device(guest)
        block = device.write("x")
        for _ in range(2):
            await device.push(block)
        assert server.documents.nodes is not None

        with pytest.raises(Unavailable):
            await known(server, block)
