"""Live documents: loaded once, refused whole, bounded while the store is slow, let go when idle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pycrdt import Text

from auth.errors import Forbidden
from crdt import wire
from crdt.errors import UpdateError
from server.backlog import ROW_BYTES
from server.errors import Busy
from server.realtime.codes import OVERLOADED
from tests.clients import Closed, Replica, YClient, text_of
from tests.crdt.test_replica import AB, PANIC
from tests.inside import Guest, Inside, serving
from tests.patience import PATIENCE_S, until

Start = Callable[..., Awaitable[tuple[Inside, Guest]]]


@pytest.fixture
async def start(database: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a server with settings of the test's own, and somebody who uses it."""
    async with AsyncExitStack() as stack:

        async def begin(**changes: Any) -> tuple[Inside, Guest]:
            inside = await stack.enter_async_context(serving(database, tmp_path, **changes))
            return inside, await stack.enter_async_context(inside.visitor())

        yield begin


@asynccontextmanager
async def head_locked(inside: Inside, document: UUID) -> AsyncIterator[None]:
    """Nothing is committed for a document until the block ends."""
    async with inside.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM heads WHERE document = $1 FOR UPDATE", document)
        yield


@asynccontextmanager
async def heads_locked(inside: Inside) -> AsyncIterator[None]:
    """Nothing is loaded until the block ends."""
    async with inside.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE heads IN ACCESS EXCLUSIVE MODE")
        yield


async def stored(inside: Inside, guest: Guest, name: str, *texts: str) -> UUID:
    """A document with some stored rows that nobody has in memory; its id."""
    client = await (await guest.y(name)).sync()
    for text in texts:
        await client.stored(await client.write(text))
    await client.close()
    record = await inside.record(guest, name)
    await forgotten(inside, record.id)
    return record.id


async def forgotten(inside: Inside, document: UUID) -> None:
    """Let go of a document as the sweep does it in time."""

    def is_forgotten() -> bool:
        inside.documents.sweep(float("inf"))
        return document not in inside.documents._rooms

    await until(is_forgotten)


# -- loading ----------------------------------------------------------------------------


async def test_all_who_wait_share_one_load_and_none_sees_it_empty(start: Start) -> None:
    """Twenty joiners during a slow load: one question to the store, no step 2 before its answer."""
    inside, guest = await start()
    await stored(inside, guest, "doc", "whole")
    loads = inside.metrics.loads
    async with heads_locked(inside):
        joining = [asyncio.create_task(guest.open("doc")) for _ in range(20)]
        await until(lambda: inside.metrics.joins >= 21)
        assert not any(task.done() for task in joining)
    sessions = await asyncio.gather(*joining)

    assert {session.replica.text for session in sessions} == {"whole"}
    assert all(text_of(session.payloads(wire.STEP2)[0]) == "whole" for session in sessions)
    assert inside.metrics.loads == loads + 1


async def test_what_is_typed_during_the_load_is_not_lost(start: Start) -> None:
    """Updates wait in the room and are confirmed after it opened."""
    inside, guest = await start()
    await stored(inside, guest, "doc", "old ")
    async with heads_locked(inside):
        client = await guest.y("doc")
        update = await client.write("new")
        await client.until(lambda: client.payloads(wire.STEP1) or inside.metrics.frames_in)
    await client.stored(update)

    assert sorted(await guest.stored_text("doc")) == sorted("old new")


HEAD = "SELECT head, log_bytes, snapshot_sequence FROM heads WHERE document = $1"
BREAKAGES = {
    "a row is missing": "DELETE FROM updates WHERE document = $1 AND sequence = 2",
    "the head is too high": "UPDATE heads SET head = head + 1 WHERE document = $1",
    "the snapshot is missing": "UPDATE heads SET snapshot_sequence = 2 WHERE document = $1",
}


@pytest.mark.parametrize("breakage", BREAKAGES)
async def test_a_document_that_cannot_be_read_is_refused_at_every_door(
    start: Start, breakage: str
) -> None:
    """Never shown empty, never written; others are not touched."""
    inside, guest = await start()
    document = await stored(inside, guest, "doc", "one ", "two ", "three ")
    token = await guest.document_token("doc")
    await inside.pool.execute(BREAKAGES[breakage], document)
    before = await inside.pool.fetchrow(HEAD, document)
    replica = Replica()
    replica.insert("somebody's own")

    client = await guest.y("doc", replica=replica)
    assert await client.closed() == OVERLOADED
    assert client.payloads(wire.STEP2) == []
    session = (await guest.hocuspocus()).session("doc", replica)
    await session.show(guest.token)
    with pytest.raises(Closed):
        await session.sync()
    assert session.socket.code == OVERLOADED
    assert await (await guest.sweet("doc", token)).closed() == OVERLOADED
    status, _ = await guest.get("/d/doc/as-update")
    pushed, body, headers = await guest.post("/d/doc/update", data=replica.missing(b"\x00"))
    other = await guest.open("other")
    await other.write("fine")

    assert await other.settled(2) == [True, True]
    assert (status, pushed) == (503, 503), body
    assert int(headers["Retry-After"]) > 0
    assert await inside.pool.fetchrow(HEAD, document) == before
    assert inside.metrics.load_errors >= 4
    assert document not in inside.documents._rooms


async def test_a_document_that_was_repaired_opens_again(start: Start) -> None:
    """A failed load is not remembered."""
    inside, guest = await start()
    document = await stored(inside, guest, "doc", "one ", "two")
    row = await inside.pool.fetchrow(
        "DELETE FROM updates WHERE document = $1 AND sequence = 1 RETURNING *", document
    )
    assert await (await guest.y("doc")).closed() == OVERLOADED
    marks = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await inside.pool.execute(f"INSERT INTO updates VALUES ({marks})", *row.values())

    client = await (await guest.y("doc")).sync()

    assert client.replica.text == "one two"


@pytest.mark.parametrize("poison", [PANIC, b"\xff\xff"], ids=["panic", "no-update"])
async def test_a_stored_row_that_breaks_the_document_is_set_aside(
    start: Start, poison: bytes
) -> None:
    """The document opens without it; the row is kept on record; one alarm is counted."""
    inside, guest = await start()
    document = await stored(inside, guest, "doc", "one ", "two ", "three")
    for sequence, data in ((2, AB), (3, poison)):
        await inside.pool.execute(
            "UPDATE updates SET data = $3 WHERE document = $1 AND sequence = $2",
            *(document, sequence, data),
        )

    client = await (await guest.y("doc")).sync()

    kept = await inside.pool.fetch("SELECT * FROM quarantine WHERE document = $1", document)
    assert len(kept) == 1
    assert inside.metrics.quarantined == 1
    assert client.replica.text.startswith("one ")
    await client.stored(await client.write("!"))


async def test_a_commit_of_somebody_else_is_taken_in(start: Start) -> None:
    """Rows that another process wrote in between reach the room with its own next commit."""
    inside, guest = await start()
    client = await (await guest.y("doc")).sync()
    await client.stored(await client.write("one "))
    record = await inside.record(guest, "doc")
    foreign = Replica()
    foreign.apply(client.replica.missing(b"\x00"))
    async with inside.pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO updates (document, sequence, data, at, writer, batch)"
            " VALUES ($1, 2, $2, now(), 1, 1)",
            record.id,
            foreign.insert("foreign "),
        )
        await connection.execute("UPDATE heads SET head = 2 WHERE document = $1", record.id)

    await client.stored(await client.write("two "))

    await client.until(lambda: "foreign" in client.replica.text)


# -- while the store is slow ------------------------------------------------------------


async def test_nothing_is_confirmed_before_its_commit_in_any_dialect(start: Start) -> None:
    """The head is held by somebody: no status, no echo, no version, no 200, until it is let go."""
    inside, guest = await start()
    name = "doc"
    token = await guest.document_token(name)
    session, y = await guest.open(name), await (await guest.y(name)).sync()
    sweet = await (await guest.sweet(name, token)).sync()
    other = await session.socket.open("other", guest.token)
    await session.settled(1)
    await other.settled(1)
    async with head_locked(inside, (await inside.record(guest, name)).id):
        await session.write("h ")
        echoed = await y.write("y ")
        await sweet.write("s ")
        await sweet.send(wire.version(b"\x05"))
        pushing = asyncio.create_task(
            guest.post(f"/d/{name}/update", data=Replica().insert("rest "))
        )
        # Everything above was read and shared; another document on the same socket goes on.
        await y.until(lambda: len(y.replica.text) == len("h y s rest "))
        await other.write("fine")
        await other.settled(2)
        await sweet.until(lambda: sweet.payloads(wire.VERSION))

        assert session.statuses == [True]
        assert echoed not in y.payloads(wire.UPDATE)
        assert set(sweet.payloads(wire.VERSION)) == {b"\x00"}
        assert not pushing.done()
        assert await guest.stored_text(name) == ""
    await session.settled(2)
    await y.stored(echoed)
    await sweet.until(lambda: b"\x05" in sweet.payloads(wire.VERSION))
    assert (await pushing)[0] == 200
    assert len(await guest.stored_text(name)) == len("h y s rest ")


async def test_a_rest_write_that_is_not_committed_in_time_says_so(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with Retry-After; sent again it is stored once."""
    inside, guest = await start(commit_timeout_s=0.3)
    update = Replica().insert("once")
    await guest.post("/doc/new", json={"docId": "doc"})
    async with head_locked(inside, (await inside.record(guest, "doc")).id):
        status, body, headers = await guest.post("/d/doc/update", data=update)
    assert (status, body["error"]) == (503, "unavailable")
    assert int(headers["Retry-After"]) > 0

    monkeypatch.setitem(inside.settings.__dict__, "commit_timeout_s", PATIENCE_S)
    status, body, _ = await guest.post("/d/doc/update", data=update)

    assert status == 200, body
    assert await guest.stored_text("doc") == "once"


async def flood(client: YClient, until: Callable[[], bool]) -> int:
    """Send small updates as fast as the socket takes them; how many."""
    sent = 0
    while not until() and client.code is None:
        await client.send(wire.update(client.replica.insert("x")))
        sent += 1
        if sent % 100 == 0:
            await asyncio.sleep(0)
    return sent


async def test_writers_are_not_read_while_the_store_cannot_keep_up(start: Start) -> None:
    """Above the soft bound a room's writers wait; other rooms do not; nothing is lost."""
    soft = 100 * (ROW_BYTES + 30)
    inside, guest = await start(unsaved_bytes_room_soft=soft, outbox_stuck_s=60)
    flooder, other = await (await guest.y("doc")).sync(), await guest.open("other")
    document = (await inside.record(guest, "doc")).id
    async with head_locked(inside, document):
        live = inside.documents._rooms[document]
        sending = asyncio.create_task(flood(flooder, lambda: False))
        await until(lambda: live.held)
        for _ in range(20):
            await other.write("fine ")
        await other.settled(21)

        # One segment that was read already may come on top of the bound.
        assert live.unsaved_bytes < soft + 15_000 * (ROW_BYTES + 30)
        frames = inside.metrics.frames_in
        await other.settled(len(other.statuses))
        assert inside.metrics.frames_in == frames
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    await flooder.stored(await flooder.write("end"))
    assert await guest.stored_text("doc") == flooder.replica.text


async def test_a_room_far_over_its_bound_sends_its_writers_away(start: Start) -> None:
    """1013, come back later: what they have is theirs to send again."""
    inside, guest = await start(
        unsaved_bytes_room_soft=1000,
        unsaved_bytes_room_max=20_000,
        update_bytes_max=20_000,
        unsaved_bytes_process_max=40_000,
        unsaved_bytes_process_soft=40_000,
    )
    clients = [await (await guest.y("doc")).sync() for _ in range(3)]
    async with head_locked(inside, (await inside.record(guest, "doc")).id):
        for client in clients:
            await client.write("x" * 15_000)
        for client in clients:
            assert await client.closed() == OVERLOADED
    replica = clients[0].replica

    again = await (await guest.y("doc", replica=replica)).sync()

    await again.until(lambda: len(again.replica.text) == 45_000)


async def test_a_document_that_is_left_holds_up_no_other_on_its_socket(start: Start) -> None:
    """A held room's session is denied: the rest of the socket is read again."""
    inside, guest = await start(unsaved_bytes_room_soft=1000)
    held = await guest.open("held")
    other = await held.socket.open("other", guest.token)
    document = (await inside.record(guest, "held")).id
    async with head_locked(inside, document):
        await held.write("x" * 2000)
        live = inside.documents._rooms[document]
        await until(lambda: live.held)
        inside.documents.end(document, "deleted")
        assert await held.denied() == "deleted"

        await other.write("fine")
        await other.settled(2)


# -- idle rooms -------------------------------------------------------------------------


async def test_a_room_that_nobody_needs_leaves_memory(start: Start) -> None:
    """After room_idle_s, its name too; what is not committed yet keeps it; it opens again whole."""
    inside, guest = await start(room_idle_s=0.2, sweep_s=0.02)
    client = await (await guest.y("doc")).sync()
    record = await inside.record(guest, "doc")
    document, names = record.id, inside.documents.guard._rights._names
    async with head_locked(inside, document):
        await client.write("kept")
        await client.close()
        await asyncio.sleep(0.5)
        assert document in inside.documents._rooms
    await until(lambda: document not in inside.documents._rooms)

    assert names.peek(record.scope, "doc") is None
    assert (await guest.open("doc")).replica.text == "kept"


async def test_a_room_in_use_stays(start: Start) -> None:
    """A silent reader keeps its document in memory."""
    inside, guest = await start(room_idle_s=0.05, sweep_s=0.01)
    session = await guest.open("doc")
    loads = inside.metrics.loads
    await asyncio.sleep(0.3)

    await session.write("still the same room")
    await session.settled(2)

    assert inside.metrics.loads == loads


# -- edits of this server ---------------------------------------------------------------


async def record_of(inside: Inside, guest: Guest) -> Any:
    """A new document's record."""
    await guest.post("/doc/new", json={"docId": "doc"})
    return await inside.record(guest, "doc")


async def test_an_edit_is_committed_and_seen(start: Start) -> None:
    """`edit` returns after the commit; open editors see the change at once."""
    inside, guest = await start()
    record = await record_of(inside, guest)
    session = await guest.open("doc")

    await inside.documents.edit(
        record, lambda doc: doc.get("text", type=Text).insert(0, "edited"), account=guest.account
    )

    assert await guest.stored_text("doc") == "edited"
    await session.until(lambda: session.replica.text == "edited")


class _Wrong(Exception):
    """What a change may raise."""


async def test_an_edit_that_fails_leaves_nothing_and_raises_its_own_error(start: Start) -> None:
    """Half of a change is none; the room goes on for everybody else."""
    inside, guest = await start()
    record = await record_of(inside, guest)
    session = await guest.open("doc")
    await session.write("before")
    await session.settled(2)

    def change(doc: Any) -> None:
        doc.get("text", type=Text).insert(0, "half ")
        raise _Wrong

    with pytest.raises(_Wrong):
        await inside.documents.edit(record, change, account=guest.account)

    await session.write(" after")
    await session.settled(3)
    assert await guest.stored_text("doc") == "before after"
    assert session.replica.text == "before after"


async def test_a_push_that_is_refused_says_why(start: Start) -> None:
    """UpdateError with its reason; a document that is gone is Forbidden or Busy, never stored."""
    inside, guest = await start()
    record = await record_of(inside, guest)

    with pytest.raises(UpdateError, match="malformed"):
        await inside.documents.push(record, b"\xff", account=guest.account)
    await inside.store.delete(record.id)
    update = Replica().insert("late")
    with pytest.raises(Forbidden):
        await inside.documents.push(record, update, account=guest.account)

    assert (await inside.store.load(record.id)).head == 0


async def test_a_full_memory_refuses_one_more_document(start: Start) -> None:
    """Busy, for REST too; what is open goes on."""
    inside, guest = await start(rooms_max=1)
    session = await guest.open("open")
    await guest.post("/doc/new", json={"docId": "other"})
    record = await inside.record(guest, "other")

    with pytest.raises(Busy):
        await inside.documents.push(record, Replica().insert("x"), account=guest.account)

    await session.write("fine")
    await session.settled(2)


async def test_an_update_that_breaks_the_library_harms_its_sender_only(start: Start) -> None:
    """A panic in memory: the document is built again from the log, everybody else goes on."""
    inside, guest = await start()
    one, two = await (await guest.y("doc")).sync(), await (await guest.y("doc")).sync()
    await one.stored(await one.write("whole "))
    record = await inside.record(guest, "doc")
    live = inside.documents._rooms[record.id]
    live.put(two_member(inside, two), wire.UPDATE | 2048, AB, wire.update(AB))
    live.put(two_member(inside, two), wire.UPDATE | 2048, PANIC, wire.update(PANIC))
    await two.closed()

    await one.stored(await one.write("still"))

    assert "whole " in await guest.stored_text("doc")
    assert inside.metrics.quarantined == 1


def two_member(inside: Inside, client: YClient) -> Any:
    """The server's end of the connection that joined last."""
    del client
    return max(inside.realtime.connections, key=lambda each: each.opened_at).members()[0]


async def test_a_fault_of_ours_leaves_nobody_in_the_room_without_an_answer(start: Start) -> None:
    """Who joins, writes or pushes in the turn that fails is told at once, and may come again."""
    inside, guest = await start()
    session = await guest.open("doc")
    record = await inside.record(guest, "doc")
    live = inside.documents._rooms[record.id]
    pushed = asyncio.create_task(
        inside.documents.push(record, Replica().insert("x"), account=guest.account)
    )
    await asyncio.sleep(0)
    assert len(live.inbox) == 1
    live.put(live.members()[0], 4711, None, b"")  # No such kind.

    with pytest.raises(Busy):
        await pushed
    await session.socket.closed()

    assert inside.metrics.room_failures == 1
    again = await guest.open("doc")
    await again.write("fine")
    await again.settled(2)
