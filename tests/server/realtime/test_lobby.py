"""Documents that wait for their token, and those that need not."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from auth.principal import Role
from crdt import wire
from server.realtime.lobby import Lobby, known
from tests.inside import Guest
from tests.patience import until
from tests.server.realtime.conftest import Serve

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_is_kept_is_counted_until_it_is_forgotten() -> None:
    """Frames and bytes of all documents together; a document twice forgotten counts once."""
    lobby = Lobby()
    first, second = lobby.add(b"a", 1.0), lobby.add(b"b", 5.0)
    lobby.keep(first, 0, b"123")
    lobby.keep(first, 2, b"4")
    lobby.keep(second, 0, b"56")
    assert (len(lobby), lobby.frames, lobby.bytes) == (2, 3, 6)
    assert first.frames == [(0, b"123"), (2, b"4")]
    assert lobby.get(b"a") is first

    lobby.forget(b"a")
    lobby.forget(b"a")
    assert (len(lobby), lobby.frames, lobby.bytes) == (1, 1, 2)
    assert lobby.get(b"a") is None

    assert lobby.is_overdue(8.1, 3.0)
    assert not lobby.is_overdue(7.9, 3.0)


async def test_closing_ends_what_is_being_checked() -> None:
    """Nobody is let in to a socket that is gone."""
    lobby = Lobby()
    waiting = lobby.add(b"a", 0.0)
    task = waiting.task = asyncio.create_task(asyncio.sleep(60))

    lobby.close()
    await asyncio.sleep(0)

    assert task.cancelled()
    assert (len(lobby), lobby.bytes) == (0, 0)


async def test_a_token_and_a_document_that_were_seen_need_no_question(
    ada: Guest, bob: Guest
) -> None:
    """Not before, not for anybody else, and not by another name or workspace."""
    realtime, name = ada.inside.realtime, f"doc-{uuid4().hex[:8]}"
    assert known(realtime, name, None, ada.token) is None
    await ada.open(name)
    await bob.open(f"doc-{uuid4().hex[:8]}")

    entry = known(realtime, f"{name}\0session", None, ada.token)
    assert entry is not None
    assert entry.record == await ada.inside.record(ada, name)
    assert entry.role is Role.OWNER

    record = entry.record
    for address, token in [
        (name, bob.token),
        (f"{record.scope}:{name}", bob.token),
        (name, f"{ada.token}x"),
        (name, ""),
        (f"{name}x", ada.token),
        ("", ada.token),
        ("difflog/x", ada.token),
    ]:
        assert known(realtime, address, None, token) is None


async def test_frames_in_one_segment_with_a_known_token_are_handled_in_order(ada: Guest) -> None:
    """What came before the token, and what came behind it."""
    name = f"doc-{uuid4().hex[:8]}"
    await ada.open(name)
    session = (await ada.hocuspocus()).session(name)
    early = session.replica.insert("early ")
    later = session.replica.insert("later")

    await session.send(wire.update(early))
    await session.show(ada.token)
    await session.send(wire.update(later))
    await session.send(wire.step1(b"\x00"))

    await session.until(lambda: session.payloads(wire.STEP2))
    assert await session.settled(3) == [True] * 3  # The last one for its step 2.
    assert session.heard[0] == (wire.AUTHENTICATED, "read-write")
    assert await ada.stored_text(name) == session.replica.text


async def test_a_token_that_was_revoked_is_known_no_more(serve: Serve) -> None:
    """A logout denies at once, though the token was seen a moment ago."""
    inside = await serve()
    async with inside.visitor() as guest:
        session = await guest.open("doc")
        assert known(inside.realtime, "doc", None, guest.token) is not None

        assert (await guest.post("/api/auth/logout"))[0] == 200
        await until(lambda: known(inside.realtime, "doc", None, guest.token) is None)
        again = (await guest.hocuspocus()).session("doc")
        await again.show(guest.token)
        assert await again.denied() == "permission-denied"
        del session


async def test_a_server_that_drains_knows_nobody(serve: Serve) -> None:
    """They are told to come back in a moment."""
    inside = await serve()
    async with inside.visitor() as guest:
        await guest.open("doc")
        inside.realtime.draining = True
        assert known(inside.realtime, "doc", None, guest.token) is None
        inside.realtime.draining = False
