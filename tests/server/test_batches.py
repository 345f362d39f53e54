"""Pushes into many documents at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from auth.errors import Forbidden
from crdt.errors import UpdateError
from server.asked import Offer
from server.batches import BATCHES, GROUP_BYTES, GROUP_DOCUMENTS, Batches, groups
from server.errors import Busy
from storage.blocks import Block, Blocks, Name
from tests.crdt.rooms import HALF_BROKEN, Editor
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.conftest import ada, inside, serve
from tests.server.adapters.heaps.device import new_id, replica
from tests.storage.papers import typing

__all__ = ["ada", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def made(server: Inside, guest: Guest, count: int) -> list[Block]:
    """New blocks in somebody's workspace."""
    blocks = Blocks(server.pool)
    names = [Name(guest.workspace, new_id()) for _ in range(count)]
    await blocks.create(names, guest.account)
    found = await blocks.find(names)
    return [block for block in found if block is not None]


def batches(server: Inside) -> Batches:
    """The server's own."""
    return server.app[BATCHES]


async def test_each_offer_has_its_outcome(inside: Inside, ada: Guest) -> None:
    """A refused update, a deleted document and a good one, in their order."""
    one, two, three = await made(inside, ada, 3)
    await inside.store.delete(two.record.id)
    update = replica().insert("x")
    outcomes = await batches(inside).push(
        [
            Offer(one, update),
            Offer(two, update),
            Offer(three, b"\1\2\3"),
            Offer(one, update),
            Offer(three, update),
        ],
        account=ada.account,
    )

    assert [(type(o.error), o.changed) for o in outcomes if o.error is None] == [
        (type(None), True),
        (type(None), False),
        (type(None), True),
    ]
    assert isinstance(outcomes[1].error, Forbidden)
    assert isinstance(outcomes[2].error, UpdateError)
    assert await batches(inside).push([], account=ada.account) == []


async def test_what_waits_or_breaks_a_document_is_no_other_documents_business(
    inside: Inside, ada: Guest
) -> None:
    """What came before its predecessor is kept; what breaks a document is refused."""
    one, two, three = await made(inside, ada, 3)
    first, second = typing("ab")[:2]
    await batches(inside).push([Offer(two, Editor(7).type("text"))], account=ada.account)
    outcomes = await batches(inside).push(
        [Offer(one, second), Offer(two, HALF_BROKEN), Offer(three, first), Offer(one, first)],
        account=ada.account,
    )
    stored = [len((await inside.store.load(b.record.id)).rows) for b in (one, two, three)]

    assert [type(o.error) for o in outcomes] == [type(None), UpdateError, *[type(None)] * 2]
    assert [o.changed for o in outcomes if o.error is None] == [True] * 3
    assert stored == [2, 1, 1]


async def test_a_batch_is_a_few_round_trips_however_many_documents(
    inside: Inside, ada: Guest
) -> None:
    """One query loads them and a handful of commits stores them."""
    blocks = await made(inside, ada, 400)
    await batches(inside).push(
        [Offer(block, replica().insert("x")) for block in blocks], account=ada.account
    )
    for block in blocks:
        inside.documents.forget(inside.documents.room(block.record))
    fresh = await Blocks(inside.pool).look_up([block.record.id for block in blocks])
    commits = inside.documents.flusher.statistics.commits
    queries = await _queries(inside)
    outcomes = await batches(inside).push(
        [Offer(fresh[block.record.id], replica().insert("y")) for block in blocks],
        account=ada.account,
    )

    assert all(o.error is None and o.changed for o in outcomes)
    assert inside.documents.flusher.statistics.commits - commits <= 8
    assert await _queries(inside) - queries < 40


async def _queries(inside: Inside) -> int:
    """Transactions of this database so far."""
    await inside.pool.execute("SELECT pg_stat_force_next_flush()")
    return int(
        await inside.pool.fetchval(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        )
    )


async def test_a_store_that_does_not_commit_is_busy_and_what_it_took_is_not_lost(
    serve: Any,
) -> None:
    """The outcome is Busy; sent again when the store is back it changes nothing twice."""
    server = await serve(commit_timeout_s=2.0)
    async with server.visitor() as guest:
        one, two = await made(server, guest, 2)
        offers = [Offer(one, replica().insert("x")), Offer(two, replica().insert("y"))]
        async with server.pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "SELECT FROM heads WHERE document = $1 FOR UPDATE", one.record.id
            )
            held = await batches(server).push(offers, account=guest.account)
        again = await batches(server).push(offers, account=guest.account)
        rows = [len((await server.store.load(b.record.id)).rows) for b in (one, two)]

    assert isinstance(held[0].error, Busy)
    assert held[1].error is None
    assert [o.error for o in again] == [None, None]
    assert rows == [1, 1]


async def test_rooms_that_only_a_push_opened_are_bounded(serve: Any) -> None:
    """The newest stay for the next push; those with somebody in them stay anyway."""
    server = await serve(rooms_warm_max=5)
    async with server.visitor() as guest:
        blocks = await made(server, guest, 20)
        editor = await guest.open(f"{guest.workspace}:{blocks[0].record.name}")
        for block in blocks:
            await batches(server).push([Offer(block, replica().insert("x"))], account=guest.account)
        await editor.until(lambda: editor.replica.text == "x")
        warm = [b.record.id for b in blocks if server.documents.peek(b.record.id) is not None]

    assert warm == [blocks[0].record.id, *[b.record.id for b in blocks[-5:]]]


async def test_too_many_open_documents_are_busy_one_by_one(serve: Any) -> None:
    """Those that fit are taken."""
    server = await serve(rooms_max=3)
    async with server.visitor() as guest:
        blocks = await made(server, guest, 5)
        outcomes = await batches(server).push(
            [Offer(block, replica().insert("x")) for block in blocks], account=guest.account
        )

    assert [type(o.error) for o in outcomes] == [*[type(None)] * 3, Busy, Busy]


async def test_two_batches_of_the_same_documents_at_once_are_both_taken(
    inside: Inside, ada: Guest
) -> None:
    """Whoever opens a room first, nothing is lost and nothing doubled."""
    blocks = await made(inside, ada, 30)
    updates = [[replica().insert(f"{turn}") for _ in blocks] for turn in range(4)]
    await asyncio.gather(
        *(
            batches(inside).push(
                [Offer(b, u) for b, u in zip(blocks, turn, strict=True)], account=ada.account
            )
            for turn in updates
        )
    )

    for block in blocks:
        assert len((await inside.store.load(block.record.id)).rows) == 4


async def test_no_turn_of_the_loop_is_long(inside: Inside, ada: Guest) -> None:
    """While hundreds of documents are loaded and written, others are served."""
    blocks = await made(inside, ada, 400)
    updates = typing("x" * 60)
    await batches(inside).push(
        [Offer(block, update) for block in blocks for update in updates[:2]], account=ada.account
    )
    for block in blocks:
        inside.documents.forget(inside.documents.room(block.record))
    longest = 0.0
    loop = asyncio.get_running_loop()

    async def watch() -> None:
        nonlocal longest
        while True:
            at = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - at)

    watching = asyncio.create_task(watch())
    fresh = await Blocks(inside.pool).look_up([block.record.id for block in blocks])
    await batches(inside).push(
        [Offer(fresh[block.record.id], updates[2]) for block in blocks], account=ada.account
    )
    watching.cancel()

    assert longest < 0.15  # On a busy machine; alone it is 20 ms.


class _Piece:
    def __init__(self, size: int) -> None:
        self.size = size


async def test_groups_are_bounded_in_bytes_and_number() -> None:
    """A large one stands alone; order is kept; nothing is lost."""
    sizes = [GROUP_BYTES + 1, 1, GROUP_BYTES - 1, 1, *[0] * GROUP_DOCUMENTS]
    pieces = [_Piece(size) for size in sizes]
    found = groups(pieces)

    assert [len(group) for group in found] == [1, 2, GROUP_DOCUMENTS, 1]
    assert [piece for group in found for piece in group] == pieces
    assert groups([]) == []
