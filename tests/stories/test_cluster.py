"""Two nodes behind a balancer, with NATS: a part of it dies, stands still or is cut off under load.

Whatever happens, nothing that was acknowledged is lost or doubled, everybody ends with one text,
and it goes on by itself.
"""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from scripts._cluster.nodes import Cluster
from storage import remains
from storage.cluster import SOCKET_NAME, SUPERUSER
from tests.clients import becomes
from tests.peers.home import Home
from tests.peers.peer import NODE_PROVIDERS, Peer
from tests.server.adapters.heaps.sender import CHUNK, Sender
from tests.server.person import Person
from tests.stories.crowd import Crowd
from tests.stories.network import Wire
from tests.stories.outages import Outages
from tests.stories.test_uploads import visiting

FULL = bool(os.environ.get("PLAIT_TEST_FULL"))
WRITERS = 100 if FULL else 24
PAUSE_S = 30.0 if FULL else 4.0
PATIENCE_S = 120.0
EDITORS, PACE_S = (500, 0.01) if FULL else (50, 0.005)
"""Of the rolling restart, and the seconds between two words of all of them together."""
PROVIDERS = NODE_PROVIDERS if FULL else ("y-websocket", "hocuspocus")

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("processes")]


class Shape:
    """The cluster, and wires between the second node and the bus, and between it and PostgreSQL."""

    def __init__(self, cluster: Cluster, to_bus: Wire, to_database: Wire) -> None:
        self.cluster = cluster
        self.to_bus = to_bus
        self.to_database = to_database

    @property
    def url(self) -> str:
        """The balancer."""
        return self.cluster.url

    @property
    def ws(self) -> str:
        """The same for WebSockets."""
        return self.url.replace("http", "ws", 1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shape(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shape]:
    """One for all tests here; the nodes share no folder, as if each had a machine of its own."""
    folder = tmp_path_factory.mktemp("cluster")
    folder.chmod(0o755)
    settings = {
        "identity_key": base64.b64encode(os.urandom(32)).decode(),
        "signing_key": base64.b64encode(os.urandom(32)).decode(),
        # Behind a balancer that looks every second, as OPERATIONS.md has it.
        **({"shutdown_grace_s": 5, "shutdown_delay_s": 2.5} if FULL else {"shutdown_grace_s": 0.5}),
        "login_attempts_per_minute": 100_000,
        "commit_timeout_s": 2,
        "database_command_s": 2,
        "database_connect_s": 2,
        "node_silence_s": 3,
        "node_beat_s": 0.5,
        "bus_poll_s": 0.3,
    }
    cluster = Cluster(folder, settings=settings, postgres={"fsync": "off"})
    assert cluster.nats is not None

    def place() -> Path:
        host = parse_qs(urlsplit(cluster.database.dsn).query)["host"][0]
        return Path(host) / SOCKET_NAME

    async with Wire(cluster.nats.port) as to_bus, Wire(place) as to_database:
        at = f"127.0.0.1:{to_database.port}"
        cluster.settings_of[1] = {
            "bus": f"nats://127.0.0.1:{to_bus.port}",
            "database_url": f"postgresql://{SUPERUSER}@{at}/postgres?sslmode=disable",
            "data": folder / "another machine",
        }
        async with cluster:
            yield Shape(cluster, to_bus, to_database)


async def kill_a_node(shape: Shape) -> None:
    """SIGKILL, and the same node again a moment later."""
    node = shape.cluster.nodes[0]
    await asyncio.to_thread(node.kill)
    await asyncio.to_thread(node.start)


async def pause_a_node(shape: Shape) -> None:
    """SIGSTOP: its connections stay open and nothing is heard of it."""
    node = shape.cluster.nodes[1]
    node.pause()
    await asyncio.sleep(PAUSE_S)
    node.resume()


async def kill_the_bus(shape: Shape) -> None:
    """NATS is gone for a while, and comes back empty."""
    assert shape.cluster.nats is not None
    await asyncio.to_thread(shape.cluster.nats.kill)
    await asyncio.sleep(1.5)
    await asyncio.to_thread(shape.cluster.nats.start)


async def pause_the_bus(shape: Shape) -> None:
    """NATS stands still; nobody is told."""
    assert shape.cluster.nats is not None
    shape.cluster.nats.pause()
    await asyncio.sleep(PAUSE_S)
    shape.cluster.nats.resume()


async def cut_a_node_off_the_bus(shape: Shape) -> None:
    """One node's connection to NATS is half-open, then cut."""
    await part(shape.to_bus)


async def cut_a_node_off_the_database(shape: Shape) -> None:
    """One node's connections to PostgreSQL are half-open, then cut."""
    await part(shape.to_database)


async def part(wire: Wire) -> None:
    """Nothing goes through, then all connections break, then all is well."""
    wire.hush()
    await asyncio.sleep(PAUSE_S / 2)
    wire.cut()
    wire.heal()


async def kill_the_database(shape: Shape) -> None:
    """SIGKILL of PostgreSQL, which its keeper starts again."""
    database = shape.cluster.database
    assert database.pid is not None
    restarts = database.restarts
    os.kill(database.pid, signal.SIGKILL)
    await becomes(lambda: database.restarts > restarts and database.failing is None, PATIENCE_S)


async def pause_the_database(shape: Shape) -> None:
    """SIGSTOP of all its processes."""
    family = remains.processes_of(shape.cluster.folder / "database" / "postgres")
    remains.tell(family, signal.SIGSTOP)
    await asyncio.sleep(PAUSE_S / 2)
    remains.tell(family, signal.SIGCONT)


FAULTS: dict[str, Callable[[Shape], Awaitable[Any]]] = {
    "a node is killed": kill_a_node,
    "a node stands still": pause_a_node,
    "the bus is killed": kill_the_bus,
    "the bus stands still": pause_the_bus,
    "a node is cut off the bus": cut_a_node_off_the_bus,
    "a node is cut off the database": cut_a_node_off_the_database,
    "the database is killed": kill_the_database,
    "the database stands still": pause_the_database,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_acknowledged_is_lost_and_all_agree(shape: Shape, fault: str) -> None:
    """Under load, through the balancer, at whichever node."""
    crowd = Crowd(shape, writers=WRITERS, documents=4, seed=100 + list(FAULTS).index(fault))  # type: ignore[arg-type]
    try:
        await crowd.arrive()
        await crowd.connect()
        crowd.start(are_here=True)
        await becomes(lambda: crowd.confirmed > WRITERS, PATIENCE_S)
        async with Outages(crowd) as outages:
            await FAULTS[fault](shape)
            had = crowd.confirmed
            await becomes(lambda: crowd.confirmed > had + WRITERS, PATIENCE_S)
            await crowd.stop()
        await _both_ready(shape)
        await crowd.come_back()
        await crowd.check_converged(PATIENCE_S)
        await crowd.check_log(shape.cluster.database.dsn)
        outages.tell(fault)
    finally:
        await crowd.leave()


async def restart_one_by_one(shape: Shape) -> None:
    """As a new version is rolled out: each node drains, ends, and starts."""
    for node in shape.cluster.nodes:
        assert await asyncio.to_thread(node.stop) == 0
        await asyncio.to_thread(node.start)
        await asyncio.to_thread(node.until_ready)


class Typist:
    """One real provider, which knows nothing of nodes: it types a letter again and again."""

    def __init__(self, provider: str, letter: str) -> None:
        self.peer, self.letter, self.typed = Peer(provider), letter, 0
        self.types = True

    async def come(self, home: Home, name: str) -> None:
        """Start it and open the document."""
        await self.peer.start()
        self.client = await self.peer.open(home, name)
        await self.client.synced()

    async def type_on(self) -> None:
        """While it `types`."""
        while self.types:
            self.typed += 1
            await self.client.insert(0, self.letter)
            await asyncio.sleep(0.1)


async def test_a_rolling_restart_loses_nothing_and_is_hardly_noticed(shape: Shape) -> None:
    """All nodes are restarted one by one; editors of all kinds come back at the other one.

    The crowd speaks the dialects itself: that many processes of Node are too much for one machine.
    """
    crowd = Crowd(shape, writers=EDITORS, documents=EDITORS // 10, seed=200)  # type: ignore[arg-type]
    for writer in crowd.writers:
        writer.pace_s = EDITORS * PACE_S
    typists = [Typist(name, letter) for name, letter in zip(PROVIDERS, "abcdefgh", strict=False)]
    try:
        visitor = await crowd.arrive()
        home = Home(shape, visitor.token, "")  # type: ignore[arg-type]
        await crowd.connect()
        await asyncio.gather(*(one.come(home, "rolling") for one in typists))
        crowd.start(are_here=True)
        typing = [asyncio.create_task(one.type_on()) for one in typists]
        await becomes(lambda: crowd.confirmed > EDITORS, PATIENCE_S)
        async with Outages(crowd) as outages:
            await restart_one_by_one(shape)
            had = crowd.confirmed
            await becomes(lambda: crowd.confirmed > had + EDITORS, PATIENCE_S)
            await crowd.stop()
            for one in typists:
                one.types = False
            await asyncio.gather(*typing)
        await crowd.come_back()
        await crowd.check_converged(PATIENCE_S)
        whole = sorted("".join(one.letter * one.typed for one in typists))
        for one in typists:
            await one.client.until(
                # Provider 2.15 counts below zero after it was offline.
                lambda now: sorted(now["text"]) == whole and now["unsynced"] <= 0,
                within_s=PATIENCE_S,
            )
        await crowd.check_log(shape.cluster.database.dsn)
        outages.tell(f"rolling restart, {EDITORS} editors and {len(typists)} providers, at most "
                     f"{crowd.returns_per_s_max} came back in a second")  # fmt: skip
    finally:
        await asyncio.gather(*(one.peer.kill() for one in typists))
        await crowd.leave()


async def _both_ready(shape: Shape) -> None:
    """Each node says so itself."""
    for node in shape.cluster.nodes:
        await asyncio.to_thread(node.until_ready)


async def test_two_nodes_see_each_other_through_the_balancer(shape: Shape, tmp_path: Path) -> None:
    """Each document has readers at both nodes, and all of them end with one text."""
    del tmp_path
    crowd = Crowd(shape, writers=12, documents=2, seed=99)  # type: ignore[arg-type]
    try:
        await crowd.arrive()
        await crowd.connect()
        crowd.start(are_here=True)
        await becomes(lambda: crowd.confirmed > 100, PATIENCE_S)
        await crowd.stop()
        await crowd.check_converged(PATIENCE_S)
    finally:
        await crowd.leave()


async def test_a_file_that_came_to_one_node_is_read_at_another(shape: Shape) -> None:
    """Bytes lie in the object store: half of the chunks came to each node, and both give it out."""
    one, other = shape.cluster.nodes
    person = Person()
    async with visiting(one, person) as first, visiting(other, person) as second:
        sender = Sender(first, os.urandom(2 * CHUNK))  # type: ignore[arg-type]
        assert (await sender.init())[0] == 200
        assert (await sender.put(1))[0] == 200
        sender.guest = second  # type: ignore[assignment]
        assert (await sender.put(0))[0] == 200
        assert (await sender.complete())[0] == 200
        for guest in (first, second):
            sender.guest = guest  # type: ignore[assignment]
            assert await sender.read() == sender.data
