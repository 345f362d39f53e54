"""Two nodes on one database: one document, whatever the bus is, and whatever it loses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from auth.principal import Role
from crdt import wire
from crdt.awareness import Entry, decode
from crdt.awareness import encode as encode_awareness
from scripts._cluster.engines import Nats
from server.nodes.exchange import Nodes
from storage.bus import Hub, HubBus
from tests.clients import Replica, YClient, becomes
from tests.inside import Guest, Inside, fresh_database, serving

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("processes")]

QUICK = {"node_beat_s": 0.2, "bus_poll_s": 0.1, "rights_poll_s": 0.1}
SILENCE_S = 2.5
"""After which a node is taken for dead where a test waits for that; a busy machine is no death."""


class Pair:
    """Two nodes, and somebody who has a connection to each."""

    def __init__(self, one: Inside, two: Inside, here: Guest, there: Guest) -> None:
        self.one, self.two = one, two
        self.here, self.there = here, there

    async def both(self, name: str) -> tuple[YClient, YClient]:
        """A document, open at both."""
        return await (await self.here.y(name)).sync(), await (await self.there.y(name)).sync()

    def nodes(self) -> tuple[Nodes, Nodes]:
        """Their parts in the conversation."""
        one, two = self.one.documents.nodes, self.two.documents.nodes
        assert one is not None
        assert two is not None
        return one, two


@asynccontextmanager
async def pair(database: str, folder: Path, **changes: Any) -> AsyncIterator[Pair]:
    """Two servers on one database and one data folder, as two nodes are."""
    changes = {"data": folder, "public_url": "http://127.0.0.1", **QUICK, **changes}
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(serving(database, folder, **changes))
        two = await stack.enter_async_context(serving(database, folder, **changes))
        here = await stack.enter_async_context(one.visitor())
        there = await stack.enter_async_context(Guest(two))
        there.person, there.token = here.person, here.token
        made = Pair(one, two, here, there)
        await becomes(lambda: all(nodes.peers for nodes in made.nodes()))
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["notify", "nats"])
async def nodes(
    request: pytest.FixtureRequest, postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Pair]:
    """Two nodes for all tests here, over each bus."""
    folder = tmp_path_factory.mktemp("nodes")
    async with AsyncExitStack() as stack:
        bus = "notify"
        if request.param == "nats":
            server = Nats(folder)
            await asyncio.to_thread(server.start)
            stack.push_async_callback(asyncio.to_thread, server.kill)
            bus = server.url
        database = await stack.enter_async_context(fresh_database(postgres))
        yield await stack.enter_async_context(pair(database, folder, bus=bus))


def present(client: YClient) -> dict[int, Any]:
    """Who a client sees, by client id."""
    seen: dict[int, Entry] = {}
    for payload in client.payloads(wire.AWARENESS):
        for entry in decode(payload):
            known = seen.get(entry.client)
            if known is None or entry.clock > known.clock or entry.state == b"null":
                seen[entry.client] = entry
    found = {one.client: json.loads(one.state) for one in seen.values()}
    return {client: state for client, state in found.items() if state is not None}


async def move(client: YClient, number: int, clock: int, state: Any) -> None:
    """Say where one's cursor is."""
    entry = Entry(number, clock, json.dumps(state).encode())
    await client.send(wire.awareness(encode_awareness([entry])))


async def converge(*clients: YClient, text: str | None = None) -> None:
    """Wait until all say the same (and this)."""
    await becomes(
        lambda: (
            len({c.replica.text for c in clients}) == 1 and text in {None, clients[0].replica.text}
        )
    )


async def test_an_edit_here_is_seen_there(nodes: Pair) -> None:
    """And the other way round, and by those who come later."""
    a, b = await nodes.both("seen")
    await a.stored(await a.write("one "))
    await converge(a, b, text="one ")
    await b.stored(await b.write("two"))
    await converge(a, b, text="one two")
    late = await (await nodes.there.y("seen")).sync()
    assert late.replica.text == "one two"


async def test_both_write_at_once_and_agree(nodes: Pair) -> None:
    """Every row is numbered once, and both nodes have seen the log to its end, in order."""
    a, b = await nodes.both("at once")
    for number in range(100):
        await a.write(f"a{number} ")
        await b.write(f"b{number} ")
        await asyncio.sleep(0)
    await becomes(lambda: len(a.replica.text.split()) == len(b.replica.text.split()) == 200)
    await converge(a, b)
    record = await nodes.one.record(nodes.here, "at once")
    rooms = [inside.documents.peek(record.id) for inside in (nodes.one, nodes.two)]
    await becomes(lambda: {live.head for live in rooms if live is not None} == {200})


async def test_an_update_too_large_for_a_frame_is_read(nodes: Pair) -> None:
    """The bus only says that it is there."""
    a, b = await nodes.both("large")
    await a.write("x" * 700_000)
    await converge(a, b, text="x" * 700_000)


async def test_what_rest_writes_here_is_read_there_at_once(nodes: Pair) -> None:
    """Whoever writes through one node and asks another finds what was written, open or not."""
    a, b = await nodes.both("rest")
    for number in range(20):
        replica = Replica()
        replica.apply(a.replica.missing(Replica().vector))
        update = replica.insert(f"{number} ")
        status, body, _ = await nodes.here.post("/d/rest/update", data=update)
        assert status == 200, body
        assert f"{number} " in await nodes.there.stored_text("rest")
        await converge(a, b)


async def test_cursors_come_and_go_across_nodes(nodes: Pair) -> None:
    """Shown at once, also to one who comes later; gone when the connection is, however it ended."""
    a, b = await nodes.both("cursors")
    await move(a, 11, 1, {"at": 1})
    await move(b, 22, 1, {"at": 2})
    await becomes(lambda: present(a) == present(b) == {11: {"at": 1}, 22: {"at": 2}})
    late = await (await nodes.there.y("cursors")).sync()
    await becomes(lambda: present(late) == {11: {"at": 1}, 22: {"at": 2}})
    await move(a, 11, 2, {"at": 3})
    await becomes(lambda: present(late)[11] == present(b)[11] == {"at": 3})
    a.cut()
    await becomes(lambda: present(late) == present(b) == {22: {"at": 2}})


async def test_a_reconnect_at_the_other_node_keeps_the_cursor(nodes: Pair) -> None:
    """The end of the old connection names an older claim, and is ignored."""
    a, b = await nodes.both("moved")
    watcher = await (await nodes.here.y("moved")).sync()
    await move(a, 33, 1, {"at": 1})
    await becomes(lambda: present(b).get(33) == {"at": 1})
    again = await (await nodes.there.y("moved")).sync()
    await move(again, 33, 2, {"at": 2})
    await becomes(lambda: present(watcher).get(33) == present(b).get(33) == {"at": 2})
    a.cut()
    await becomes(lambda: len(_room(nodes.one, "moved").room.sessions) == 1)
    await move(again, 33, 3, {"at": 3})
    await becomes(lambda: present(watcher).get(33) == present(b).get(33) == {"at": 3})


def _room(inside: Inside, name: str) -> Any:
    return next(live for live in inside.documents.rooms() if live.record.name == name)


async def test_a_stranger_cannot_take_a_live_id_through_another_node(nodes: Pair) -> None:
    """Another account that shows the same id there is not heard, here or there."""
    a, _ = await nodes.both("strangers")
    async with nodes.two.visitor() as stranger:
        record = await nodes.one.record(nodes.here, "strangers")
        await nodes.two.grants.set_member(record.scope, stranger.account, Role.EDITOR)
        await move(a, 44, 1, {"at": 1})
        other = await (await stranger.y(f"{record.scope}:strangers")).sync()
        await becomes(lambda: present(other) == {44: {"at": 1}})
        await move(other, 44, 9, {"at": "elsewhere"})
        await move(other, 45, 1, {"at": 2})
        await becomes(lambda: present(a) == {44: {"at": 1}, 45: {"at": 2}})
        assert present(other)[44] == {"at": 1}


async def test_rights_and_deletion_reach_the_other_node(nodes: Pair) -> None:
    """Deleted here: there the connection ends."""
    _, b = await nodes.both("deleted")
    record = await nodes.one.record(nodes.here, "deleted")
    await nodes.one.store.delete(record.id)
    await b.closed()


async def test_a_rebuilt_document_is_not_mixed_with_the_old_one(nodes: Pair) -> None:
    """Rows of another lineage end the room; who comes back gets the new document."""
    a, b = await nodes.both("rebuilt")
    await a.stored(await a.write("old"))
    await converge(a, b, text="old")
    record = await nodes.one.record(nodes.here, "rebuilt")
    new = Replica()
    await nodes.one.store.replace(record.id, new.insert("new"), None)
    for each in nodes.nodes():
        each.checking.ask()
    await a.closed()
    await b.closed()
    assert (await (await nodes.there.y("rebuilt")).sync()).replica.text == "new"


# -- what goes wrong ----------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lossy(
    postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Pair, Hub]]:
    """Two nodes on a bus that can be taken away, or lose what it is given."""
    hub = Hub()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.nodes.joining.bus_of", lambda *_, **__: HubBus(hub))
        async with (
            fresh_database(postgres) as database,
            pair(database, tmp_path_factory.mktemp("lossy"), node_silence_s=SILENCE_S) as made,
        ):
            yield made, hub


async def test_what_the_bus_loses_is_read_from_the_log(lossy: tuple[Pair, Hub]) -> None:
    """Each third frame is lost: the numbers show it, and nothing is missing in the end."""
    nodes, hub = lossy
    a, b = await nodes.both("lost")
    counts = {"frames": 0}

    def loses(_: bytes) -> bool:
        counts["frames"] += 1
        return counts["frames"] % 3 == 0

    hub.loses = loses
    for number in range(60):
        await a.write(f"{number} ")
        if number % 10 == 0:
            await b.write(f"b{number} ")
        await asyncio.sleep(0.003)
    await converge(a, b)
    hub.loses = lambda _: False
    await becomes(lambda: len(b.replica.text.split()) == 66)
    assert sum(each.gaps for each in nodes.nodes()) > 0


async def test_without_the_bus_edits_still_come(lossy: tuple[Pair, Hub]) -> None:
    """Open documents are read again and again, health says so, presence is back with the bus."""
    nodes, hub = lossy
    a, b = await nodes.both("away")
    await move(a, 55, 1, {"at": 1})
    await becomes(lambda: present(b) == {55: {"at": 1}})
    hub.turn(up=False)
    assert all(each.failing for each in nodes.nodes())
    health = await _health(nodes.here)
    assert (health["status"], health["diagnostics"]["realtime"]["bus_up"]) == ("degraded", 0)
    await a.write("still here")
    await converge(a, b, text="still here")
    await becomes(lambda: present(b) == {})  # the other node is silent for too long
    hub.turn(up=True)
    await becomes(lambda: present(b).get(55) is not None or _reminded(a, 55))
    await move(a, 55, 9, {"at": 2})
    await becomes(lambda: present(b) == {55: {"at": 2}})
    assert (await _health(nodes.here))["status"] == "ok"


def _reminded(client: YClient, number: int) -> bool:
    """Whether an editor was told to raise its clock."""
    told = [e for payload in client.payloads(wire.AWARENESS) for e in decode(payload)]
    return any(entry.client == number and entry.state == b"null" for entry in told)


async def _health(guest: Guest) -> Any:
    status, body = await guest.get("/api/health")
    assert status == 200
    return json.loads(body)


async def test_a_node_that_dies_takes_its_cursors_along(lossy: tuple[Pair, Hub]) -> None:
    """It says no goodbye; the others wait for its sign of life, and then they are gone."""
    nodes, hub = lossy
    a, b = await nodes.both("dead")
    await move(a, 66, 1, {"at": 1})
    await becomes(lambda: present(b) == {66: {"at": 1}})
    name = nodes.nodes()[0].name
    hub.loses = lambda frame: name in frame[:16]
    await becomes(lambda: present(b) == {})
    hub.loses = lambda _: False
    await becomes(lambda: bool(nodes.nodes()[1].peers))


async def test_a_gap_that_nothing_fills_is_read(lossy: tuple[Pair, Hub]) -> None:
    """What another node stored and told nobody of: with its next row, the log is read."""
    nodes, hub = lossy
    a, b = await nodes.both("untold")
    hub.loses = lambda _: True
    await a.stored(await a.write("untold "))
    hub.loses = lambda _: False
    await b.stored(await b.write("own "))
    await converge(a, b)
    assert set(b.replica.text.split()) == {"untold", "own"}
