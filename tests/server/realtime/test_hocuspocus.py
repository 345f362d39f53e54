"""Hocuspocus sockets: each document let in, answered and refused on its own."""

from __future__ import annotations

import asyncio
import contextlib
from uuid import uuid4

import aiohttp
import pytest

from crdt import wire
from crdt.awareness import Entry, encode
from server.realtime.codes import MALFORMED, RESET, TIMEOUT
from tests.clients import HocuspocusClient, Replica
from tests.inside import Guest
from tests.server.realtime.conftest import Serve

pytestmark = pytest.mark.asyncio(loop_scope="module")


def name_of() -> str:
    """A document's name that nobody used before."""
    return f"doc-{uuid4().hex[:8]}"


# -- acknowledgements -------------------------------------------------------------------


async def test_each_step_2_and_each_update_gets_exactly_one_status(ada: Guest) -> None:
    """The provider's counter: set to 1 at the open, up with each update, down with each status."""
    session = await ada.open(name_of())
    for letter in "abc":
        await session.write(letter)
    await session.settled(4)
    await session.sync()  # A second step 1, and so a second step 2 of the client's.

    assert await session.settled(5) == [True] * 5


async def test_an_update_that_is_sent_again_gets_a_status_of_its_own(ada: Guest) -> None:
    """Retries are acknowledged each, and stored once."""
    name = name_of()
    session = await ada.open(name)
    update = session.replica.insert("once")
    for _ in range(3):
        await session.send(wire.update(update))

    assert await session.settled(4) == [True] * 4
    record = await ada.inside.record(ada, name)
    assert (await ada.inside.store.load(record.id)).head == 1


async def test_a_refused_update_gets_status_no_and_leaves_the_document_as_it_was(
    ada: Guest,
) -> None:
    """One status for it too; what is sent after it is stored."""
    name = name_of()
    session = await ada.open(name)
    await session.settled(1)

    await session.send(wire.update(b"\x01\x01\xff"))
    await session.write("good")

    assert await session.settled(3) == [True, False, True]
    assert await ada.stored_text(name) == "good"


async def test_the_author_does_not_get_its_own_update(ada: Guest) -> None:
    """The status is its acknowledgement; the others get the update."""
    name = name_of()
    author, reader = await ada.open(name), await ada.open(name)

    update = await author.write("hello")
    await reader.until(lambda: update in reader.payloads(wire.UPDATE))
    await author.settled(2)
    await author.sync()

    assert author.payloads(wire.UPDATE) == []


# -- letting in -------------------------------------------------------------------------


async def test_what_comes_before_the_token_was_checked_is_kept_in_order(ada: Guest) -> None:
    """Token, step 1, an update and awareness at once, as providers send them."""
    name = name_of()
    session = (await ada.hocuspocus()).session(name)
    update = session.replica.insert("early")

    await session.send(wire.update(update))
    await session.show(ada.token)
    await session.send(wire.step1(b"\x00"))

    await session.until(lambda: session.payloads(wire.STEP2))
    await session.settled(1)
    assert session.scopes == ["read-write"]
    assert session.heard[0] == (wire.AUTHENTICATED, "read-write")
    assert await ada.stored_text(name) == "early"


async def test_a_bad_token_denies_its_document_only(ada: Guest) -> None:
    """The socket and the other document stay; a later good token is a fresh try."""
    good = await ada.open(name_of())
    bad = good.socket.session(name_of())

    await bad.show("no token at all")
    assert await bad.denied() == "permission-denied"
    await good.write("still here")
    await good.settled(2)
    bad.heard.clear()
    await bad.show(ada.token)
    await bad.sync()

    assert bad.scopes == ["read-write"]
    assert good.socket.code is None


@pytest.mark.parametrize("token", ["", "x" * 8000, "a.b.c", "\N{SNOWMAN}"])
async def test_whatever_is_no_token_is_denied(ada: Guest, token: str) -> None:
    """Empty, long, or not ASCII: denied, not an error of ours."""
    session = (await ada.hocuspocus()).session(name_of())

    await session.show(token)

    assert await session.denied() == "permission-denied"


async def test_foreign_and_unknown_documents_are_denied_alike(ada: Guest, bob: Guest) -> None:
    """A stranger cannot tell a document that is there from one that is not."""
    block, nothing = str(uuid4()), str(uuid4())
    await ada.open(block)
    socket = await bob.hocuspocus()
    answers = []
    for name in (block, f"{ada.workspace}:{block}", f"{ada.workspace}:{nothing}"):
        session = socket.session(name)
        await session.show(bob.token)
        await session.denied()
        answers.append(session.heard)

    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("name", ["a\nb", "\x7f", "x" * 513, "\N{SNOWMAN}" * 200])
async def test_a_bad_name_denies_that_document_only(ada: Guest, name: str) -> None:
    """Control characters and names over 512 bytes."""
    good = await ada.open(name_of())
    bad = good.socket.session(name)

    await bad.show(ada.token)

    await bad.denied()
    await good.sync()


async def test_the_tokens_document_is_the_only_one_it_opens(ada: Guest) -> None:
    """A document token given for another name is denied."""
    name = name_of()
    token = await ada.document_token(name)
    socket = await ada.hocuspocus()
    await socket.open(name, token)
    other = socket.session(name_of())

    await other.show(token)

    assert await other.denied() == "permission-denied"


async def test_a_token_of_the_handshake_serves_documents_without_one(ada: Guest) -> None:
    """Provider 2 without a token sends step 1 first; v3 and v4 then send an empty token."""
    for options in ({"headers": ada.bearer}, {"protocols": [f"plait-{ada.token}"]}):
        socket = await ada.hocuspocus("/ws", **options)
        silent = await socket.session(name_of()).sync()
        empty = socket.session(name_of())
        await empty.show("")
        await empty.sync()

        assert silent.scopes == empty.scopes == ["read-write"]


async def test_a_bad_token_at_the_handshake_is_refused_there(ada: Guest) -> None:
    """401 before anything is opened."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await ada.hocuspocus("/ws", headers={"Authorization": "Bearer nonsense"})

    assert refused.value.status == 401


async def test_a_token_in_the_url_of_the_bare_path_counts_for_nothing(ada: Guest) -> None:
    """URLs end up in logs; this dialect has a frame for the token."""
    socket = await ada.hocuspocus(f"/ws?token={ada.token}")
    session = socket.session(name_of())

    await session.show("")

    assert await session.denied() == "permission-denied"


async def test_two_sessions_of_one_name_on_one_socket(ada: Guest) -> None:
    """`name NUL session` (providers 4): each is answered under its own address."""
    name = name_of()
    socket = await ada.hocuspocus()
    one = await socket.open(f"{name}\0one", ada.token)
    two = await socket.open(f"{name}\0two", ada.token)

    await one.write("hello")
    await two.until(lambda: two.replica.text == "hello")

    assert await one.settled(2) == [True, True]
    assert socket.strangers == []
    assert await ada.stored_text(name) == "hello"


async def test_a_closed_document_needs_its_token_again(ada: Guest) -> None:
    """CLOSE detaches; what comes for it afterwards waits for a token, as for any other."""
    name = name_of()
    session = await ada.open(name)
    witness = await ada.open(name)
    await session.send(wire.close(None))
    had, had_statuses = len(session.heard), len(session.statuses)

    await session.send(wire.update(session.replica.insert("kept")))
    await witness.write("meanwhile")
    await witness.settled(2)
    assert len(session.heard) == had
    await session.show(ada.token)
    await session.sync()

    assert session.scopes == ["read-write", "read-write"]
    await witness.until(lambda: "kept" in witness.replica.text)
    await session.until(lambda: True in session.statuses[had_statuses:])
    assert sorted(await ada.stored_text(name)) == sorted("keptmeanwhile")


async def test_closing_a_document_takes_its_cursor_away(ada: Guest) -> None:
    """CLOSE is leaving: the others see the presence go at once."""
    name = name_of()
    leaver, watcher = await ada.open(name), await ada.open(name)
    await leaver.send(wire.awareness(encode([Entry(7, 1, b'{"a":1}')])))
    await watcher.until(lambda: watcher.payloads(wire.AWARENESS))

    await leaver.send(wire.close(None))

    await watcher.until(lambda: b"null" in watcher.payloads(wire.AWARENESS)[-1])


# -- limits -----------------------------------------------------------------------------


async def test_too_much_before_the_token_resets_the_socket(serve: Serve) -> None:
    """Bytes and frames kept for documents that are not let in are bounded."""
    inside = await serve(preauth_bytes_max=100_000, preauth_frames_max=50)
    async with inside.visitor() as guest:
        bytes_session = (await guest.hocuspocus()).session("a")
        for _ in range(3):
            await bytes_session.send(wire.update(bytes(40_000)))
        assert await bytes_session.socket.closed() == RESET

        frames_session = (await guest.hocuspocus()).session("b")
        for _ in range(51):
            await frames_session.send(wire.query_awareness())
        assert await frames_session.socket.closed() == RESET
    assert inside.metrics.refusals["preauth-full"] == 2


async def test_too_many_documents_on_one_socket_reset_it(serve: Serve) -> None:
    """Waiting and open ones count together."""
    inside = await serve(documents_per_connection_max=3)
    async with inside.visitor() as guest:
        session = await guest.open("one")
        for name in "abc":
            await session.socket.session(name).send(wire.step1(b"\x00"))

        assert await session.socket.closed() == RESET


async def test_a_socket_that_never_authenticates_is_closed(serve: Serve) -> None:
    """Silent, or busy without a token: the deadline is not moved by traffic."""
    inside = await serve(auth_deadline_s=0.4, sweep_s=0.02)
    async with inside.visitor() as guest:
        silent = await guest.hocuspocus()
        busy = (await guest.hocuspocus()).session("a")
        with contextlib.suppress(ConnectionError):  # It closes between a look and a word.
            while busy.socket.code is None:
                await busy.send(wire.query_awareness())
                await asyncio.sleep(0.02)

        assert await silent.closed() == await busy.socket.closed() == TIMEOUT


async def test_a_socket_between_two_documents_has_its_deadline_anew(serve: Serve) -> None:
    """Whoever closes the only document after a long while may take a moment to open the next."""
    inside = await serve(auth_deadline_s=1.5, sweep_s=0.02)
    async with inside.visitor() as guest:
        session = await guest.open("one")
        await asyncio.sleep(1.6)
        await session.send(wire.close(None))
        await asyncio.sleep(0.4)

        await session.socket.open("two", guest.token)

        assert session.socket.code is None


async def test_a_document_without_its_token_closes_a_socket_with_others(serve: Serve) -> None:
    """One authenticated document does not let another wait for ever."""
    inside = await serve(auth_deadline_s=1.5, sweep_s=0.02)
    async with inside.visitor() as guest:
        session = await guest.open("one")
        await session.socket.session("two").send(wire.step1(b"\x00"))

        assert await session.socket.closed() == TIMEOUT


async def test_a_peer_that_keeps_sending_what_is_refused_is_closed(serve: Serve) -> None:
    """Each refused update gets its status; one too many ends the socket."""
    inside = await serve(refusals_max=5)
    async with inside.visitor() as guest:
        session = await guest.open("one")
        for _ in range(6):
            await session.send(wire.update(b"\xff"))

        assert await session.socket.closed() == MALFORMED
        assert session.statuses.count(False) <= 6


@pytest.mark.parametrize(
    "message",
    [
        wire.sync_status(True),
        b"\x06\x02{}",
        b"\x02\x01\x02no",
        b"\x02\x02\x08readonly",
        b"\x00\x03\x00",
    ],
    ids=["status", "broadcast", "denied", "authenticated", "sync-3"],
)
async def test_what_only_servers_may_send_closes_the_socket(ada: Guest, message: bytes) -> None:
    """Opcodes are allowed by direction (hocuspocus#1103)."""
    session = await ada.open(name_of())

    await session.send(message)

    assert await session.socket.closed() == MALFORMED


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x00",
        b"\x03ab",
        b"\x02\xff\xfe\x00\x00\x00",
        b"\xff" * 12,
        b"\x81",
        b"\x01a\x00\x02\x05ab",
        b"\x01a\x01\x05ab",
        b"\x01a\x02\x00\x05ab",
        b"\x01a\x05\x02\xff\xfe",
        b"\x01a\x00\x00\x01\x00x",
    ],
)
async def test_a_malformed_frame_closes_the_socket(ada: Guest, frame: bytes) -> None:
    """Truncated, trailing, not UTF-8, without an address: before and after the login alike."""
    before = await ada.hocuspocus()
    await before.send(frame)
    assert await before.closed() == MALFORMED

    after = await ada.open("a")
    await after.socket.send(frame)
    assert await after.socket.closed() == MALFORMED


async def test_an_unknown_message_is_ignored(ada: Guest) -> None:
    """Newer providers may know more than we do; stateless messages reach nobody."""
    session = await ada.open(name_of())

    await session.send(b"\x63something new")
    await session.send(wire.stateless('{"a": 1}'))
    await session.sync()

    assert session.socket.code is None


async def test_a_y_websocket_frame_on_the_bare_path_is_named_in_the_close(ada: Guest) -> None:
    """Step 1 of y-websocket begins with an empty address: that is told clearly."""
    socket = await ada.hocuspocus()

    await socket.send(wire.step1(b"\x00"))

    assert await socket.closed() == MALFORMED


async def test_pings_of_the_dialect_are_answered(ada: Guest) -> None:
    """09 gets 0a; 0a is silently taken."""
    session = await ada.open(name_of())

    await session.socket.send(wire.PONG_FRAME)
    session.socket.on_frame = lambda _: None  # type: ignore[method-assign]
    await session.socket.send(wire.PING_FRAME)

    await session.until(lambda: wire.PONG_FRAME in session.socket.frames)


# -- names ------------------------------------------------------------------------------


async def test_every_form_of_a_name_means_one_document(ada: Guest) -> None:
    """workspace:block, with :vN, block/{id}?workspaceId=, and the bare id, on one socket."""
    block, workspace = str(uuid4()), ada.workspace
    socket = await ada.hocuspocus()
    forms = [
        f"{workspace}:{block}",
        f"{workspace}:{block}:v3",
        f"block/{block}?workspaceId={workspace}",
        block,
        block.upper(),
    ]
    sessions: list[HocuspocusClient] = [await socket.open(form, ada.token) for form in forms]

    await sessions[0].write("one document")

    for session in sessions:
        await session.until(lambda s=session: s.replica.text == "one document")
    assert len({s.replica.vector for s in sessions}) == 1


async def test_the_workspace_of_the_url_counts_for_blocks(ada: Guest, bob: Guest) -> None:
    """`/ws?workspaceId=`: names without a workspace are looked for there."""
    name = name_of()
    mine = await (await ada.hocuspocus(f"/ws?workspaceId={ada.workspace}")).open(name, ada.token)
    await mine.write("mine")
    await mine.settled(2)
    foreign = (await bob.hocuspocus(f"/ws?workspaceId={ada.workspace}")).session(name)
    await foreign.show(bob.token)

    await foreign.denied()
    again = await ada.open(f"{ada.workspace}:{name}")
    assert again.replica.text == "mine"


async def test_a_full_server_denies_rooms_for_now(serve: Serve) -> None:
    """One document too many in memory: that socket is told to come back, the room works on."""
    inside = await serve(rooms_max=1)
    async with inside.visitor() as guest:
        first = await guest.open("one")
        second = (await guest.hocuspocus()).session("two")
        await second.show(guest.token)
        await second.send(wire.step1(b"\x00"))

        assert await second.socket.closed() == 1013
        await first.write("works on")
        await first.settled(2)


async def test_the_replica_of_a_reconnecting_client_is_merged_both_ways(ada: Guest) -> None:
    """What was typed offline arrives with its step 2 and is acknowledged."""
    name = name_of()
    first = await ada.open(name)
    await first.write("before ")
    await first.settled(2)
    offline = Replica()
    offline.apply(first.replica.missing(b"\x00"))
    offline.insert("offline")

    back = await ada.open(name, offline)

    assert await back.settled(1) == [True]
    await first.until(lambda: first.replica.text == "before offline")
    assert await ada.stored_text(name) == "before offline"


async def test_a_step_1_that_holds_no_vector_ends_the_socket(ada: Guest) -> None:
    """It can get no step 2 and has no status, so its provider is told in another way."""
    client = await ada.open(name_of())

    await client.send(wire.step1(b"\xff\xff"))

    assert await client.socket.closed() == MALFORMED
