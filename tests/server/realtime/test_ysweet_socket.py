"""Y-Sweet sockets: acknowledged by version, never before what the version stands for is stored."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from crdt import wire
from server.realtime import ysweet_socket
from server.realtime.codes import GONE, MALFORMED
from tests.clients import Replica, YClient, text_of
from tests.inside import Guest
from tests.server.realtime.conftest import Serve

pytestmark = pytest.mark.asyncio(loop_scope="module")


def name_of() -> str:
    """A document's name that nobody used before."""
    return f"doc-{uuid4().hex[:8]}"


async def sweet(ada: Guest, name: str) -> YClient:
    """A Y-Sweet client of a new document."""
    return await (await ada.sweet(name, await ada.document_token(name))).sync()


async def test_a_version_is_echoed_when_everything_before_it_is_stored(ada: Guest) -> None:
    """102 with the same body; updates are not echoed to a Y-Sweet author."""
    name = name_of()
    client = await sweet(ada, name)

    await client.write("hello")
    await client.send(wire.version(b"\x01"))
    await client.until(lambda: b"\x01" in client.payloads(wire.VERSION))

    assert text_of((await ada.get(f"/d/{name}/as-update"))[1]) == "hello"
    assert client.payloads(wire.UPDATE) == []


async def test_a_version_behind_a_costly_update_waits_for_it(ada: Guest) -> None:
    """The helper decodes 300 kB meanwhile: 102 must not overtake it."""
    name = name_of()
    client = await sweet(ada, name)
    update = client.replica.insert("x" * 300_000)

    await asyncio.gather(client.send(wire.update(update)), client.send(wire.version(b"\x07")))
    await client.until(lambda: b"\x07" in client.payloads(wire.VERSION))

    assert len(await ada.stored_text(name)) == 300_000


async def test_a_readers_version_stays_behind_its_change(ada: Guest) -> None:
    """What a reader writes is never stored, so its version is never confirmed."""
    name = name_of()
    reader = await ada.sweet(name, await ada.document_token(name, "read-only"))
    await reader.sync()

    await reader.send(wire.version(b"\x00"))
    await reader.until(lambda: b"\x00" in reader.payloads(wire.VERSION))
    await reader.write("not mine")
    await reader.send(wire.version(b"\x01"))
    await reader.until(lambda: reader.payloads(wire.AUTH_DENIED))
    had = len(reader.payloads(wire.VERSION))
    await reader.send(wire.version(b"\x02"))
    await reader.until(lambda: len(reader.payloads(wire.VERSION)) > had)

    assert set(reader.payloads(wire.VERSION)) == {b"\x00"}


async def test_a_bad_y_sweet_frame_closes(ada: Guest) -> None:
    """A version over its bound, trailing bytes, a truncated length."""
    for frame in (wire.version(b"x" * 65), wire.version(b"\x01") + b"\x00", b"\x66\x05\x01"):
        client = await sweet(ada, name_of())
        await client.send(frame)
        assert await client.closed() == MALFORMED


async def test_what_was_written_offline_is_not_confirmed_before_it_came(ada: Guest) -> None:
    """A client that comes back says version 5, and only then sends what versions 1 to 5 changed."""
    name = name_of()
    replica = Replica()
    replica.insert("written in the train")
    client = await ada.sweet(name, await ada.document_token(name), replica)
    client.answers = False

    await client.send(wire.step1(replica.vector))
    await client.send(wire.version(b"\x05"))
    await client.until(lambda: client.payloads(wire.STEP2) and client.payloads(wire.VERSION))
    await client.sync()

    assert set(client.payloads(wire.VERSION)) == {b"\x00"}
    await client.send(wire.step2(replica.missing(b"\x00")))
    await client.until(lambda: b"\x05" in client.payloads(wire.VERSION))
    assert text_of((await ada.get(f"/d/{name}/as-update"))[1]) == "written in the train"


async def test_a_client_that_never_answers_step_1_is_confirmed_all_the_same(
    ada: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has been asked and had the time: it has nothing."""
    monkeypatch.setattr(ysweet_socket, "_LOOK_S", 0.1)
    client = await ada.sweet(name := name_of(), await ada.document_token(name))
    client.answers = False

    await client.send(wire.version(b"\x05"))

    await client.until(lambda: client.payloads(wire.VERSION)[-1:] == [b"\x05"])


async def test_a_client_hears_from_us_while_its_update_is_looked_at(
    ada: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A helper may take longer than the 3 s after which the client would reconnect."""
    monkeypatch.setattr(ysweet_socket, "_SOOTHE_S", 0.01)
    client = await sweet(ada, name_of())
    had = len(client.payloads(wire.VERSION))

    await client.send(wire.update(client.replica.insert("x" * 300_000)))
    await client.send(wire.version(b"\x01"))
    await client.until(lambda: client.payloads(wire.VERSION)[-1:] == [b"\x01"])

    assert len(client.payloads(wire.VERSION)) > had + 2
    assert set(client.payloads(wire.VERSION)) == {b"\x00", b"\x01"}


async def test_a_version_that_cannot_be_true_is_answered_with_the_last_one_that_is(
    serve: Serve,
) -> None:
    """The document is deleted under a change: the client is not told that it is stored."""
    inside = await serve()
    async with inside.visitor() as guest:
        name = name_of()
        client = await sweet(guest, name)
        await client.write("kept")
        await client.send(wire.version(b"\x01"))
        await client.until(lambda: b"\x01" in client.payloads(wire.VERSION))
        record = await inside.record(guest, name)
        await inside.store.delete(record.id)

        await client.write("lost")
        await client.send(wire.version(b"\x02"))

        assert await client.closed() == GONE
        assert client.payloads(wire.VERSION)[-1] == b"\x01"
