"""Whatever is sent over a real socket: the process lives, others are served, memory is bounded.

Hypothesis makes frames of every dialect, whole, mutated and invented, with updates that are whole,
mutated and invented inside, and sends them before and after the login.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import aiohttp
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from crdt import wire
from crdt.awareness import Entry, encode
from scripts._load.login import login
from tests.clients import HocuspocusClient, Replica, Visitor
from tests.inside import fresh_database
from tests.live import LiveServer
from tests.stories.crowd import tell

IS_FULL = bool(os.environ.get("PLAIT_TEST_FULL"))
EXAMPLES = 3000 if IS_FULL else 60
GROWTH_MAX = 96 << 20
NAME = "fuzzed"

pytestmark = pytest.mark.xdist_group("processes")


def seeds() -> list[bytes]:
    """Whole updates: text, deletions, maps, many clients, something that waits."""
    replica, other = Replica(11), Replica(12)
    found = [replica.insert("hello "), replica.insert("world"), replica.delete(2, 5)]
    found += [replica.put("key", {"a": [1, None, "é", 2.5]}), other.put("key", "b" * 200)]
    other.apply(replica.missing(b"\x00"))
    other.insert("waits")
    return [*found, other.insert("for this"), replica.missing(b"\x00"), b"\x00\x00"]


SEEDS = seeds()
PREFIX = wire.address_prefix(NAME)
NUMBERS = st.sampled_from(
    [b"\x00", b"\x7f", b"\x80", b"\xff" * 8, b"\xff" * 9 + b"\x01", b"\x80" * 12]
)


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """Some bytes with a few things wrong: changed, cut, doubled, a huge number put in."""
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 4)):
            case 0:
                data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
            case 1:
                data = data[:at]
            case 2:
                data = data[:at] + draw(st.binary(max_size=8)) + data[at:]
            case 3:
                data = data[:at] + draw(NUMBERS) + data[at + 1 :]
            case _:
                data = data[:at] + data
    return data


updates = st.sampled_from(SEEDS).flatmap(mutated) | st.binary(max_size=64)
awareness = st.builds(
    lambda entries: encode([Entry(client, clock, state) for client, clock, state in entries]),
    st.lists(
        st.tuples(
            st.integers(0, 2**53 - 1),
            st.integers(0, 2**32),
            st.sampled_from([b"null", b"{}", b'"x"', b"{", b"\xff", b'"' + b"x" * 20_000 + b'"']),
        ),
        max_size=4,
    ),
)
messages = st.one_of(
    st.builds(wire.update, updates),
    st.builds(wire.step2, updates),
    st.builds(wire.step1, st.binary(max_size=32)),
    st.builds(wire.awareness, awareness.flatmap(mutated)),
    st.builds(wire.version, st.binary(max_size=70)),
    st.builds(wire.auth_token, st.text(max_size=40), st.none() | st.text(max_size=20)),
    st.builds(wire.stateless, st.text(max_size=40)),
    st.sampled_from([wire.query_awareness(), wire.close(None), wire.sync_status(True), b"\x09"]),
)
frames = st.lists(messages.flatmap(mutated) | st.binary(max_size=300), min_size=1, max_size=8)
doors = st.sampled_from(["y", "reader", "sweet", "hocuspocus", "stranger"])


class Theatre:
    """A server process, an event loop to reach it, and witnesses who must notice nothing."""

    def __init__(self, server: LiveServer, runner: asyncio.Runner) -> None:
        self.server, self.runner = server, runner
        self.before = psutil.Process(server.pid).memory_info().rss
        self.key = SigningKey.generate()
        self.rounds = self.closed = 0

    async def enter(self) -> None:
        """Log in and have somebody write in another document."""
        known = await asyncio.to_thread(login, self.server.url, self.key)
        self.visitor = Visitor(self.server.url, known.access_token)
        self.tokens = {}
        for authorization in ("full", "read-only"):
            await self.visitor.post("/doc/new", json={"docId": NAME})
            _, answer, _ = await self.visitor.post(
                f"/doc/{NAME}/auth", json={"authorization": authorization}
            )
            self.tokens[authorization] = answer["token"]
        self.witness: HocuspocusClient = await self.visitor.open("witness")

    async def play(self, door: str, batch: list[bytes]) -> None:
        """Send a batch through a door, then see that the witness is served as before."""
        prefix = PREFIX if door in {"hocuspocus", "stranger"} else b""
        if door == "hocuspocus":
            batch = [wire.auth_token(self.visitor.token, "4.8.0"), *batch]
        async with (
            aiohttp.ClientSession(self.server.url) as session,
            session.ws_connect(self._path(door), max_msg_size=0) as socket,
        ):
            try:
                for frame in [*batch, wire.step1(b"\x00")]:
                    await socket.send_bytes(prefix + frame)
                async with asyncio.timeout(0.05):
                    while not (await socket.receive()).type.name.startswith("CLOS"):
                        pass
                    self.closed += 1
            except (TimeoutError, ConnectionError):
                pass
        had = len(self.witness.statuses)
        await self.witness.write("w")
        await self.witness.settled(had + 1)
        self.rounds += 1

    def _path(self, door: str) -> str:
        if door in {"hocuspocus", "stranger"}:
            return "/ws"
        if door == "sweet":
            return f"/d/{NAME}/ws/{NAME}?token={self.tokens['full']}"
        token = self.tokens["read-only"] if door == "reader" else self.visitor.token
        return f"/ws/{NAME}?token={token}"

    async def look(self) -> bytes:
        """The fuzzed document, which must open."""
        fresh = await (await self.visitor.y(NAME)).sync()
        status, stored = await self.visitor.get(f"/d/{NAME}/as-update")
        assert status == 200
        await fresh.close()
        return stored


@pytest.fixture(scope="module")
def theatre(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """The stage, which is looked over when everything was sent."""
    with asyncio.Runner() as runner:
        making = fresh_database(postgres)
        database = runner.run(making.__aenter__())
        server = LiveServer(
            tmp_path_factory.mktemp("fuzz"), database_url=database, shutdown_grace_s=0.2
        ).start()
        made = Theatre(server, runner)
        runner.run(made.enter())
        yield made
        runner.run(made.visitor.__aexit__(None, None, None))
        server.stop()
        runner.run(making.__aexit__(None, None, None))


@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(door=doors, batch=frames)
def test_nothing_that_is_sent_harms_anybody_else(
    theatre: Theatre, door: str, batch: list[bytes]
) -> None:
    """The witness is confirmed after every batch, whoever sent what through which door."""
    theatre.runner.run(theatre.play(door, batch))


def test_after_all_that_the_server_is_what_it_was(theatre: Theatre) -> None:
    """The same process, bounded memory, and a document that opens, also after a kill."""
    server, run = theatre.server, theatre.runner.run
    process = psutil.Process(server.pid)
    grown = process.memory_info().rss - theatre.before
    stored = run(theatre.look())
    assert server.process is not None
    assert server.process.poll() is None
    assert "Traceback" not in server.log, server.log[server.log.index("Traceback") - 500 :]
    tell(f"{theatre.rounds} batches, {theatre.closed} of them closed; {grown >> 20} MiB more")
    assert grown < GROWTH_MAX

    run(theatre.visitor.__aexit__(None, None, None))
    server.kill()
    server.start()
    run(theatre.enter())

    assert run(theatre.look()) == stored
