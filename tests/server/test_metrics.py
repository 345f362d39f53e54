"""Every number of /metrics moves when what it counts happens; /api/health shows the same."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import asyncpg
import pytest

from crdt import wire
from crdt.awareness import Entry, encode
from server.metrics import COUNTERS
from tests.crdt.test_replica import AB, PANIC
from tests.inside import Guest, Inside, serving
from tests.patience import until
from tests.server.adapters.heaps.sender import Sender
from tests.server.realtime.test_connection import Stubborn
from tests.storage.wire_cutter import WireCutter

TOKEN = "the operator's"
LINE = re.compile(r"^(\w+)(?:\{(.*)\})? ([-+0-9.e]+)$", re.MULTILINE)


async def numbers(guest: Guest) -> dict[str, float]:
    """What /metrics says, by name without the prefix; labels are left off, their values added."""
    async with guest.http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        assert answer.status == 200
        text = await answer.text()
    found: dict[str, float] = {}
    for name, labels, value in LINE.findall(text):
        if "_bucket" not in name or 'le="+Inf"' in labels:
            key = name.removeprefix("plait_").removesuffix("_total")
            found[key] = found.get(key, 0) + float(value)
    return found


class Stage(NamedTuple):
    """A server, somebody on it, and the wire to its database."""

    inside: Inside
    guest: Guest
    cutter: WireCutter


@pytest.fixture
async def begin(database: str, tmp_path: Path) -> Callable[..., Any]:
    """Starts a server with settings of the scene's own."""

    @asynccontextmanager
    async def begin(**changes: Any) -> AsyncIterator[Stage]:
        async with (
            WireCutter(database, tmp_path) as cutter,
            serving(cutter.dsn, tmp_path, metrics_token=TOKEN, **changes) as inside,
            inside.visitor() as guest,
        ):
            yield Stage(inside, guest, cutter)

    return begin


@asynccontextmanager
async def head_locked(stage: Stage, name: str) -> AsyncIterator[None]:
    """Nothing is committed for a document until the block ends."""
    record = await stage.inside.record(stage.guest, name)
    async with stage.inside.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM heads WHERE document = $1 FOR UPDATE", record.id)
        yield


# -- scenes -----------------------------------------------------------------------------


async def people_write(stage: Stage) -> None:
    """Two people in one document, one of whom moves a cursor."""
    guest = stage.guest
    y, session = await (await guest.y("a")).sync(), await guest.open("a")
    await y.stored(await y.write("hello"))
    await session.write("there")
    await session.settled(2)
    await y.send(wire.awareness(encode([Entry(7, 1, b"{}")])))
    await session.until(lambda: session.payloads(wire.AWARENESS))


async def somebody_is_refused(stage: Stage) -> None:
    """A token that is none."""
    session = (await stage.guest.hocuspocus()).session("a")
    await session.show("nonsense")
    await session.denied()


async def somebody_listens(stage: Stage) -> None:
    """A client that asks for the notices of a workspace, in which a block is then made."""
    guest = stage.guest
    session = await guest.open("a")
    ask = {"type": "subscribe", "workspace_id": guest.workspace}
    await session.send(wire.stateless(json.dumps(ask)))
    await session.until(lambda: session.payloads(wire.STATELESS))
    await session.write("there")
    await session.until(lambda: len(session.payloads(wire.STATELESS)) > 1)


async def a_log_is_broken(stage: Stage) -> None:
    """Its head names a row that is not there."""
    record = await stage.inside.store.create(stage.guest.workspace, "a", stage.guest.account)
    await stage.inside.pool.execute("UPDATE heads SET head = 1 WHERE document = $1", record.id)
    await (await stage.guest.y("a")).closed()


async def somebody_reads_slowly(stage: Stage) -> None:
    """A reader that stops, and reads again later."""
    inside, guest = stage.inside, stage.guest
    slow = await Stubborn.join(guest, "a")
    writer = await (await guest.y("a")).sync()
    while not inside.metrics.fell_behind:
        await writer.stored(await writer.write("x" * 250_000))
        await writer.send(wire.update(writer.replica.delete(0, 250_000)))
    stopped = await numbers(guest)
    assert stopped["connections_blocked"] == 1
    assert stopped["outbox_bytes"] > 100_000
    await writer.stored(await writer.write("the end"))
    await slow.frames(b"the end")
    await slow.close()


async def somebody_reads_nothing(stage: Stage) -> None:
    """A reader that stops for good."""
    slow = await Stubborn.join(stage.guest, "a")
    writer = await (await stage.guest.y("a")).sync()
    while not stage.inside.metrics.aborted:
        await writer.stored(await writer.write("x" * 250_000))
        await writer.send(wire.update(writer.replica.delete(0, 250_000)))
    await slow.close()


async def an_update_breaks_the_library(stage: Stage) -> None:
    """A stored row that panics."""
    record = await stage.inside.store.create(stage.guest.workspace, "a", stage.guest.account)
    for sequence, data in ((1, AB), (2, PANIC)):
        await stage.inside.pool.execute(
            "INSERT INTO updates (document, sequence, data, at, writer, batch)"
            " VALUES ($1, $2, $3, now(), 1, 1)",
            *(record.id, sequence, data),
        )
    await stage.inside.pool.execute("UPDATE heads SET head = 2 WHERE document = $1", record.id)
    await (await stage.guest.y("a")).sync()


async def a_log_grows_long(stage: Stage) -> None:
    """Ten rows where five make a snapshot."""
    session = await stage.guest.open("a")
    for number in range(10):
        await session.write("x")
        await session.settled(number + 2)
    await until(lambda: stage.inside.metrics.compactions)


async def everybody_is_silent(stage: Stage) -> None:
    """A socket without traffic."""
    client = await (await stage.guest.y("a")).sync()
    await client.until(lambda: client.payloads(wire.AWARENESS))


async def we_make_a_mistake(stage: Stage) -> None:
    """A room meets what it does not know; the next one is fine."""
    client = await (await stage.guest.y("a")).sync()
    record = await stage.inside.record(stage.guest, "a")
    live = stage.inside.documents._rooms[record.id]
    live.put(live.members()[0], 9999, b"", b"")
    assert await client.closed() == 1011
    await (await stage.guest.y("a")).sync()


async def a_document_is_deleted_under_its_writer(stage: Stage) -> None:
    """The fence refuses the rows."""
    session = await stage.guest.open("a")
    await stage.inside.store.delete((await stage.inside.record(stage.guest, "a")).id)
    await session.write("too late")
    await session.denied()


async def a_head_is_locked(stage: Stage) -> None:
    """Another transaction holds it for longer than the flusher waits."""
    session = await stage.guest.open("a")
    async with head_locked(stage, "a"):
        await session.write("x")
        await until(lambda: stage.inside.documents.flusher.statistics.lock_waits)
        assert (await numbers(stage.guest))["unsaved_bytes"] > 0
    await session.settled(2)


async def the_answer_to_a_commit_is_lost(stage: Stage) -> None:
    """The rows are stored, the connection breaks before that is told."""
    session = await stage.guest.open("a")
    await session.write("x")
    await session.settled(2)
    record = await stage.inside.record(stage.guest, "a")
    stage.cutter.answers.clear()
    await session.write("y")
    beside = await asyncpg.connect(stage.cutter.straight)
    stored = "SELECT head = 2 FROM heads WHERE document = $1"
    await until(lambda: beside.fetchval(stored, record.id))
    await beside.close()
    stage.cutter.cut()
    stage.cutter.answers.set()
    await session.settled(3)
    assert (await stage.inside.store.load(record.id)).head == 2


async def somebody_fetches_a_file(stage: Stage) -> None:
    """A download that is not over yet."""
    sender = Sender(stage.guest, bytes(20_000_000))
    assert (await sender.direct())[0] == 200
    path = f"/api/stream/{sender.block}/x"
    response = await stage.guest.http.get(path, headers=stage.guest.bearer)
    await response.content.readexactly(1)
    shown = await numbers(stage.guest)
    assert shown["transfers"] == 1
    assert shown["http_connections"] >= 2  # Of the download, and of this question.
    assert shown["tasks"] > 0
    response.close()


class Scene(NamedTuple):
    """What happens, under which settings, and which numbers it must move."""

    play: Callable[[Stage], Awaitable[None]]
    moves: str
    settings: Mapping[str, Any] = MappingProxyType({})


SCENES = [
    Scene(
        people_write,
        "connections joins frames_in bytes_in updates_in updates_out awareness_in awareness_out"
        " acknowledged loads bytes_out writes log_commits log_rows log_bytes commit_seconds_count"
        " commit_seconds_sum commit_seconds_bucket commit_rows_count commit_rows_sum"
        " commit_rows_bucket rooms sessions connections_open",
    ),
    Scene(somebody_is_refused, "refusals"),
    Scene(somebody_listens, "notices subscriptions"),
    Scene(a_log_is_broken, "load_errors"),
    Scene(
        somebody_reads_slowly,
        "fell_behind caught_up connections_blocked outbox_bytes",
        {"outbox_stuck_s": 60},
    ),
    Scene(somebody_reads_nothing, "aborted", {"outbox_stuck_s": 0.2, "sweep_s": 0.02}),
    Scene(an_update_breaks_the_library, "quarantined"),
    Scene(a_log_grows_long, "compactions", {"compact_rows": 5}),
    Scene(everybody_is_silent, "keepalives", {"keepalive_s": 0.2, "sweep_s": 0.02}),
    Scene(we_make_a_mistake, "room_failures"),
    Scene(a_document_is_deleted_under_its_writer, "log_fenced_rows"),
    Scene(a_head_is_locked, "log_lock_waits unsaved_bytes"),
    Scene(somebody_fetches_a_file, "transfers http_connections tasks"),
    Scene(the_answer_to_a_commit_is_lost, "log_retries log_recognised_rows"),
]
SEEN_IN_THE_SCENE = {
    *("connections_blocked", "outbox_bytes", "transfers", "unsaved_bytes"),
    *("http_connections", "tasks"),
}
"""Gauges that are back at nothing when their scene is over; it looks at them itself."""


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.play.__name__)
async def test_what_happens_is_counted(begin: Callable[..., Any], scene: Scene) -> None:
    """Each number of the scene is higher after it, in /metrics and in /api/health."""
    async with begin(**scene.settings) as stage:
        before = await numbers(stage.guest)
        await scene.play(stage)
        after = await numbers(stage.guest)
        async with stage.guest.http.get("/api/health") as answer:
            shown = (await answer.json())["diagnostics"]["realtime"]

    for name in set(scene.moves.split()) - SEEN_IN_THE_SCENE:
        assert after[name] > before.get(name, 0), name
        if name in COUNTERS:
            assert shown[name] >= after[name], name


async def test_no_number_is_left_out(begin: Callable[..., Any]) -> None:
    """Whatever /metrics shows is moved by one of the scenes."""
    async with begin() as stage:
        await somebody_is_refused(stage)
        shown = await numbers(stage.guest)
    moved = {name for scene in SCENES for name in scene.moves.split()}

    assert set(shown) == moved


async def test_gauges_come_back_to_nothing(begin: Callable[..., Any]) -> None:
    """When everybody has left, nothing is counted as open, waiting or unsaved."""
    async with begin(room_idle_s=0.1, sweep_s=0.02) as stage:
        await people_write(stage)
        for socket in stage.guest._open:
            await socket.close()
        await until(lambda: not stage.inside.documents._rooms)
        shown = await numbers(stage.guest)

    gauges = ("sessions", "connections_open", "connections_blocked", "outbox_bytes")
    assert {name: shown[name] for name in (*gauges, "unsaved_bytes")} == dict.fromkeys(
        (*gauges, "unsaved_bytes"), 0
    )
