"""y-websocket sockets: one document each, acknowledged by echo."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from auth.principal import Role
from crdt import wire
from crdt.awareness import Entry, encode
from server.realtime.codes import FORBIDDEN, MALFORMED, TOO_LARGE
from tests.clients import Replica
from tests.inside import Guest
from tests.server.realtime.conftest import Serve

pytestmark = pytest.mark.asyncio(loop_scope="module")


def name_of() -> str:
    """A document's name that nobody used before."""
    return f"doc-{uuid4().hex[:8]}"


# -- sync -------------------------------------------------------------------------------


async def test_the_server_speaks_first(ada: Guest) -> None:
    """Its step 1 comes before anything was asked; then each step 1 gets a step 2."""
    client = await ada.y(name_of())
    await client.until(lambda: client.payloads(wire.STEP1) == [b"\x00"])

    await client.sync()
    await client.sync()

    assert client.payloads(wire.STEP2) == [b"\x00\x00", b"\x00\x00"]
    assert len(client.payloads(wire.STEP1)) == 1


async def test_the_author_gets_its_update_back_and_others_get_it_too(ada: Guest) -> None:
    """The same bytes, once each."""
    name = name_of()
    author, reader = await (await ada.y(name)).sync(), await (await ada.y(name)).sync()

    update = await author.write("hello")
    await author.stored(update)
    await reader.sync()

    assert author.payloads(wire.UPDATE) == reader.payloads(wire.UPDATE) == [update]
    assert await ada.stored_text(name) == "hello"


async def test_several_messages_in_one_frame_are_all_taken(ada: Guest) -> None:
    """`@y/websocket` 4 may join them."""
    name = name_of()
    client = await (await ada.y(name)).sync()
    one, two = client.replica.insert("one "), client.replica.insert("two")

    await client.send(wire.update(one) + wire.update(two) + wire.query_awareness())

    await client.stored(one)
    await client.stored(two)
    assert await ada.stored_text(name) == "one two"


async def test_messages_of_one_frame_keep_their_order_behind_a_costly_one(ada: Guest) -> None:
    """The rest of the frame waits while the first is decoded in a helper."""
    name = name_of()
    client = await (await ada.sweet(name, await ada.document_token(name))).sync()
    large, small = client.replica.insert("x" * 300_000), client.replica.insert("y")

    await client.send(
        wire.awareness(b"\x00") + wire.update(large) + wire.update(small) + wire.version(b"\x09")
    )
    await client.until(lambda: b"\x09" in client.payloads(wire.VERSION))

    assert (await ada.stored_text(name)).endswith("xy")
    assert len(client.payloads(wire.STEP1)) == 1


async def test_what_was_typed_offline_arrives_with_step_2(ada: Guest) -> None:
    """The server's step 1 is the question; the answer is stored and shared."""
    name = name_of()
    witness = await ada.open(name)
    replica = Replica()
    replica.insert("offline")

    await (await ada.y(name, replica=replica)).sync()

    await witness.until(lambda: witness.replica.text == "offline")


async def test_a_missing_predecessor_is_asked_for(ada: Guest) -> None:
    """The second update alone waits; its author is asked and the text becomes whole everywhere."""
    name = name_of()
    client, witness = await (await ada.y(name)).sync(), await ada.open(name)
    client.replica.insert("ab")
    second = client.replica.insert("cd")

    await client.send(wire.update(second))

    await witness.until(lambda: witness.replica.text == "abcd")
    await client.until(lambda: len(client.payloads(wire.STEP1)) == 2)


async def test_what_was_typed_offline_is_confirmed_like_all_else(ada: Guest) -> None:
    """It comes with the answer to the server's question, and back as an update once it is stored.

    Somebody who brings nothing is told nothing.
    """
    name = name_of()
    offline = Replica()
    typed = offline.insert("offline")

    client = await ada.y(name, replica=offline)
    await client.stored(typed)
    again = await (await ada.y(name, replica=offline)).sync()
    await again.stored(await again.write("!"))

    assert len(again.payloads(wire.UPDATE)) == 1


# -- presence ---------------------------------------------------------------------------


async def test_presence_reaches_everyone_its_author_too(ada: Guest) -> None:
    """The echo is a lone client's only sign of life."""
    name = name_of()
    one, two = await (await ada.y(name)).sync(), await (await ada.y(name)).sync()
    payload = encode([Entry(7, 1, '{"user":{"name":"é"}}'.encode())])

    await one.send(wire.awareness(payload))

    for client in (one, two):
        await client.until(lambda c=client: payload in c.payloads(wire.AWARENESS))
    late = await (await ada.y(name)).sync()
    await late.until(lambda: payload in late.payloads(wire.AWARENESS))


@pytest.mark.parametrize("how", ["goodbye", "abrupt"])
async def test_whoever_goes_takes_the_cursor_along(ada: Guest, how: str) -> None:
    """A null state with the known clock goes out at once, also after a cut."""
    name = name_of()
    one, two = await (await ada.y(name)).sync(), await (await ada.y(name)).sync()
    await one.send(wire.awareness(encode([Entry(7, 3, b"{}")])))
    await two.until(lambda: two.payloads(wire.AWARENESS))

    if how == "abrupt":
        one.cut()
    else:
        await one.close()

    gone = encode([Entry(7, 3, b"null")])
    await two.until(lambda: gone in two.payloads(wire.AWARENESS))


async def test_nobody_moves_the_cursor_of_another_account(ada: Guest, bob: Guest) -> None:
    """An id that a session of another account owns is not taken over, nor removed."""
    name = name_of()
    owner = await (await ada.y(name)).sync()
    await ada.inside.grants.set_member(ada.workspace, bob.account, Role.EDITOR)
    thief = await (await bob.y(f"{ada.workspace}:{name}")).sync()
    mine = encode([Entry(7, 3, b'"mine"')])
    await owner.send(wire.awareness(mine))
    await thief.until(lambda: mine in thief.payloads(wire.AWARENESS))

    await thief.send(wire.awareness(encode([Entry(7, 9, b'"theirs"')])))
    await thief.send(wire.awareness(encode([Entry(7, 10, b"null")])))
    await thief.send(wire.query_awareness())

    await thief.until(lambda: thief.payloads(wire.AWARENESS)[1:])
    assert owner.payloads(wire.AWARENESS) == [mine]
    assert thief.payloads(wire.AWARENESS)[-1] == mine


# -- read-only --------------------------------------------------------------------------


async def test_a_reader_is_told_once_and_writes_nothing(ada: Guest) -> None:
    """Its updates are not applied; it stays and keeps reading."""
    name = name_of()
    reading = await ada.document_token(name, "read-only")
    writer = await (await ada.y(name)).sync()
    reader = await (await ada.y(name, token=reading)).sync()

    await reader.write("not mine")
    await reader.write("nor this")
    await reader.until(lambda: reader.payloads(wire.AUTH_DENIED))
    update = await writer.write("read this")
    await reader.until(lambda: "read this" in reader.replica.text)
    await writer.stored(update)

    assert reader.payloads(wire.AUTH_DENIED) == [b"read-only"]
    assert await ada.stored_text(name) == "read this"
    assert reader.code is None


async def test_a_readers_presence_is_shown(ada: Guest) -> None:
    """Reading is being there."""
    name = name_of()
    reader = await (await ada.y(name, token=await ada.document_token(name, "read-only"))).sync()
    writer = await (await ada.y(name)).sync()

    await reader.send(wire.awareness(encode([Entry(7, 1, b"{}")])))

    await writer.until(lambda: writer.payloads(wire.AWARENESS))


# -- what is refused --------------------------------------------------------------------


def nest(depth: int) -> bytes:
    """One value of a map: an array in an array in an array."""
    value = b"\x75\x01" * depth + b"\x7e"
    return b"\x01\x01\x01\x00\x28\x01\x01m\x01k\x01" + value + b"\x00"


V2 = bytes.fromhex("00000183b3e1e50d000100000004010100")


@pytest.mark.parametrize(
    "update",
    [
        b"\xff",
        b"\x01\x01\x01\x00",
        V2,
        b"\x01\x01\x80\x80\x80\x80\x80\x80\x80\x10\x00\x04\x01\x01\x74\x01\x78\x00",
        bytes.fromhex("01010100040101740278790000"),
        b"",
    ],
    ids=["garbage", "truncated", "v2", "client-over-2^53", "trailing", "empty"],
)
async def test_a_bad_update_ends_its_own_connection_only(ada: Guest, update: bytes) -> None:
    """In an update frame or a step 2: 4400; the document is whole for everybody else."""
    name = name_of()
    other = await (await ada.y(name)).sync()
    await other.stored(await other.write("whole"))
    for message in (wire.update(update), wire.step2(update)):
        bad = await (await ada.y(name)).sync()
        await bad.send(message)
        assert await bad.closed() == MALFORMED, message

    await other.stored(await other.write("!"))

    assert other.code is None
    assert await ada.stored_text(name) == "whole!"


async def test_a_nest_that_would_overflow_the_stack_is_refused(ada: Guest) -> None:
    """52 kB of nested arrays killed the process in the study; here only its sender goes."""
    name = name_of()
    other = await (await ada.y(name)).sync()
    await other.stored(await other.write("whole"))
    bad = await (await ada.y(name)).sync()

    await bad.send(wire.update(nest(26_000)))

    assert await bad.closed() == MALFORMED
    await other.stored(await other.write("!"))
    assert await ada.stored_text(name) == "whole!"


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x00",
        b"\x00\x03\x00",
        b"\x00\x00\x05\x01",
        b"\x00\x00\x02\x01\x01",
        b"\x01\x05ab",
        b"\xff" * 12,
        b"\x02\x01\x00",
        b"\x02\x00\x02no",
        b"\x01\x02\xff\xff",
        b"\x01\x04\x01\x01\x01\x00",
    ],
)
async def test_a_malformed_frame_closes_with_4400(ada: Guest, frame: bytes) -> None:
    """The band of codes at which y-websocket 3.1 does not come back by itself."""
    client = await (await ada.y(name_of())).sync()

    await client.send(frame)

    assert await client.closed() == MALFORMED


async def test_a_hocuspocus_frame_is_named_in_the_close(ada: Guest) -> None:
    """Whoever mixes the doors up is told which one to take."""
    name = name_of()
    client = await (await ada.y(name)).sync()

    await client.send(wire.address_prefix(name) + wire.auth_token(ada.token, "4.8.0"))

    assert await client.closed() == MALFORMED


async def test_unknown_messages_are_ignored(ada: Guest) -> None:
    """As y-websocket's server does; a Y-Sweet question on this path is one of them."""
    client = await (await ada.y(name_of())).sync()

    await client.send(b"\x63what is this")
    await client.send(wire.version(b"\x05"))
    await client.sync()

    assert client.payloads(wire.VERSION) == []


async def test_text_frames_are_refused(ada: Guest) -> None:
    """1003: no dialect of ours has any."""
    client = await (await ada.y(name_of())).sync()

    await client._socket.send_str("hello")

    assert await client.closed() == 1003


async def test_a_full_document_refuses_what_does_not_fit(serve: Serve) -> None:
    """4413, which y-websocket 3.1 does not retry; the document goes on, and may shrink."""
    inside = await serve(document_bytes_max=100_000, update_bytes_max=80_000)
    async with inside.visitor() as guest:
        one = await (await guest.y("full")).sync()
        await one.stored(await one.write("a" * 70_000))
        two = await (await guest.y("full")).sync()
        await two.write("b" * 50_000)

        assert await two.closed() == TOO_LARGE
        await one.stored(await one.write("c" * 1000))
        await one.send(wire.update(one.replica.delete(0, 60_000)))
        again = await (await guest.y("full")).sync()
        await again.stored(await again.write("b" * 50_000))


async def test_an_update_over_its_bound_is_refused(serve: Serve) -> None:
    """4413, before anything looked inside."""
    inside = await serve(update_bytes_max=1000)
    async with inside.visitor() as guest:
        client = await (await guest.y("a")).sync()
        await client.write("x" * 2000)

        assert await client.closed() == TOO_LARGE


async def test_a_costly_update_is_taken_and_keeps_its_place(ada: Guest) -> None:
    """300 kB go through the helper; what follows in the same segment waits for it."""
    name = name_of()
    client = await (await ada.y(name)).sync()
    large = client.replica.insert("x" * 300_000)
    small = client.replica.insert("y")

    await asyncio.gather(client.send(wire.update(large)), client.send(wire.update(small)))
    await client.stored(small)

    echoes = client.payloads(wire.UPDATE)
    assert echoes.index(large) < echoes.index(small)
    assert len(client.payloads(wire.STEP1)) == 1  # Nothing was missing in between.
    assert (await ada.stored_text(name)).endswith("xy")


async def test_the_right_to_write_is_that_of_the_document_token(ada: Guest) -> None:
    """A read-only token on a y-websocket path reads only, whatever its owner may."""
    assert FORBIDDEN == 4403
    name = name_of()
    token = await ada.document_token(name, "read-only")
    client = await (await ada.y(name, token=token)).sync()

    await client.write("x")

    await client.until(lambda: client.payloads(wire.AUTH_DENIED) == [b"read-only"])


@pytest.mark.parametrize("document", ["a", "ab", "doc", "notes", "n" * 102])
async def test_a_hocuspocus_provider_on_this_path_is_told_where_to_go(
    ada: Guest, document: str
) -> None:
    """The length of a short name is the number of a message here; it is no such message."""
    client = await ada.y(name_of())

    await client.send(wire.address_prefix(document) + wire.auth_token(ada.token, "4.8.0"))

    assert await client.closed() == MALFORMED
