"""Two nodes on one database: whoever is let in or shut out at one is so at the other."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.inside import Guest, Inside, serving
from tests.patience import in_time, prompt
from tests.server.adapters.heaps.asking import ask, call, made
from tests.server.adapters.heaps.device import Device, new_id, push_titled

END_S_MAX = 2.0


@dataclass
class Pair:
    """Two nodes, Ada at the first, Bob at the second."""

    first: Inside
    second: Inside
    ada: Guest
    bob: Guest


@pytest.fixture
async def pair(database: str, tmp_path: Path) -> AsyncIterator[Pair]:
    """Two servers with the same keys."""
    data = tmp_path / "data"
    async with (
        serving(database, tmp_path, data=data) as first,
        serving(database, tmp_path, data=data) as second,
        first.visitor() as ada,
        second.visitor() as bob,
    ):
        yield Pair(first, second, ada, bob)


async def share(pair: Pair, role: str = "editor") -> tuple[str, str]:
    """A workspace of Ada's with a block in it, and Bob, who came by a link."""
    heap, block = await made(pair.ada), new_id()
    await push_titled(pair.ada, heap, block, "x")
    link = await ask(pair.ada, f"/api/heap/{heap}/invites", 201, role=role)
    await ask(pair.bob, f"/api/invite/{link['token']}")
    return heap, block


@prompt
async def test_a_removal_at_one_node_closes_sockets_at_the_other(pair: Pair) -> None:
    """Within two seconds, for each dialect; what the device made offline meanwhile stays out."""
    heap, block = await share(pair)
    device = Device(pair.bob, heap)
    offline = device.write("made offline")
    y = await (await pair.bob.y(block)).sync()
    sweet = await (await pair.bob.sweet(block, await pair.bob.document_token(block))).sync()
    hocuspocus = await pair.bob.open(block)
    started = time.monotonic()
    await call(pair.ada, "DELETE", f"/api/heap/{heap}/members/{pair.bob.account}")
    codes = [await y.closed(), await sweet.closed()]
    await hocuspocus.denied()
    took = time.monotonic() - started
    (result,) = await device.push(offline)

    in_time(took, END_S_MAX)
    assert codes == [4403, 4403]
    assert (result["success"], result["status"]) == (False, "not_found")
    await ask(pair.ada, f"/api/block/{offline}", 404)


@prompt
async def test_a_revoked_token_ends_at_the_other_node(pair: Pair) -> None:
    """Sockets close and requests are refused within two seconds."""
    _, block = await share(pair)
    body = {"name": "script", "scopes": ["heaps:write"]}
    token = (await ask(pair.bob, "/api/access-tokens", 201, **body))["token"]
    async with Guest(pair.first) as script:
        socket = await (await script.y(block, token=token)).sync()
        (listed,) = (await call(pair.bob, "GET", "/api/access-tokens"))["access_tokens"]
        await call(pair.bob, "DELETE", f"/api/access-tokens/{listed['id']}")
        started = time.monotonic()
        code = await socket.closed()
        took = time.monotonic() - started
        status, _, _ = await script.post("/api/heaps", token=token)

    in_time(took, END_S_MAX)
    assert (code, status) == (4403, 401)


async def test_a_new_member_writes_at_once(pair: Pair) -> None:
    """At the node where he came in, though the owner invited him at another."""
    heap, block = await share(pair)
    writer = await pair.bob.open(block)
    await writer.write("hello")
    await writer.settled(2)  # Of the handshake, and of the edit.

    assert writer.scopes == ["read-write"]
    assert writer.statuses == [True, True]
    assert await pair.bob.stored_text(block) == "hello"
    assert heap in [one["id"] for one in await ask(pair.bob, "/api/heaps", include_shared=True)]
