"""Documents that cost too much are closed and the others go on; administrators see into each."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from server.inspecting.breaker import BUCKETS_MAX, PEACE_S, WINDOW_S, Breaker, Closed
from server.settings import Settings
from storage.closures import Closures
from storage.documents import make_id
from storage.errors import Unavailable
from storage.pool import Pool, close_pool, open_pool
from tests.clients import Replica, becomes
from tests.inside import Guest, Inside, fresh_database, serving
from tests.server.adapters.heaps.asking import ask, call
from tests.server.person import Clock
from tests.server.realtime.conftest import database_of_module
from tests.storage.papers import BREAKS, paper, until

__all__ = ["database_of_module"]

DOCUMENTS = "/api/admin/documents"
MODULE = pytest.mark.asyncio(loop_scope="module")


# -- the breaker by itself --------------------------------------------------------------------


@pytest.fixture
async def breaker(pool: Pool, settings: Settings, clock: Clock) -> AsyncIterator[Breaker]:
    """A breaker with the defaults, whose time is moved by hand."""
    made = Breaker(settings, Closures(pool), clock)
    yield made
    await made.stop()


async def test_a_document_is_closed_for_what_it_costs_in_a_minute(
    breaker: Breaker, clock: Clock, pool: Pool
) -> None:
    """Ten seconds of stalls spread over ten minutes do no harm; in one minute they do."""
    document = (await paper(pool)).id
    for _ in range(10):
        breaker.stalled(document, 1.0)
        clock.now += WINDOW_S
    breaker.check(document)
    for _ in range(9):
        breaker.stalled(document, 1.0)
    breaker.check(document)
    full = breaker.level(document)
    breaker.stalled(document, 1.0)

    assert 0.89 < full < 0.91
    with pytest.raises(Closed) as closed:
        breaker.check(document)
    assert closed.value.retry_after_s == 60
    breaker.check(make_id())


async def test_each_time_is_twice_as_long_until_there_was_peace(
    breaker: Breaker, clock: Clock, pool: Pool
) -> None:
    """An hour at most; after an hour without, it begins anew."""
    document = (await paper(pool)).id
    lasted = []
    for pause in (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, PEACE_S + 1):
        clock.now += pause
        breaker.stalled(document, 10.0)
        closure = breaker.closure(document)
        assert closure is not None
        assert closure.until is not None
        lasted.append(closure.until - clock.now)
        clock.now = closure.until
        breaker.check(document)

    assert lasted == [60, 120, 240, 480, 960, 1920, 3600, 60]


async def test_failures_count_as_costs(breaker: Breaker, clock: Clock, pool: Pool) -> None:
    """Five in a minute; one every quarter of a minute never."""
    document = (await paper(pool)).id
    for _ in range(20):
        breaker.failed(document, "unreadable")
        clock.now += WINDOW_S / 4
    breaker.check(document)
    for _ in range(5):
        breaker.failed(document, "unreadable")

    closure = breaker.closure(document)
    assert closure is not None
    assert closure.reason == "unreadable"


async def test_what_is_remembered_is_bounded(breaker: Breaker) -> None:
    """Somebody who stalls ever new documents fills no memory."""
    for _ in range(BUCKETS_MAX + 10):
        breaker.stalled(make_id(), 0.2)

    assert len(breaker._buckets) == BUCKETS_MAX


async def test_other_nodes_and_later_starts_see_it(
    breaker: Breaker, clock: Clock, pool: Pool, settings: Settings
) -> None:
    """What one closes all close; what an administrator opens at one is open at all."""
    document = (await paper(pool)).id
    told = []
    breaker.stalled(document, 11.0)
    other = Breaker(settings, Closures(pool), clock)
    other.on_close = told.append
    await breaker.look()  # Has it saved.
    await other.look()
    await until(lambda: told == [document])
    with pytest.raises(Closed):
        other.check(document)
    opened = [await other.open(document), await other.open(document)]
    other.check(document)
    await breaker.look()
    breaker.check(document)

    assert opened == [True, False]
    assert breaker.closures() == other.closures() == []


async def test_what_a_person_closed_stays_so(breaker: Breaker, clock: Clock, pool: Pool) -> None:
    """The breaker's minute does not end it, neither here nor in the database."""
    document = (await paper(pool)).id
    await breaker.close(document, "ada", "spam", None)
    breaker.stalled(document, 100.0)
    clock.now += 100 * 86_400
    await breaker.look()

    (closure,) = breaker.closures()
    assert (closure.author, closure.reason, closure.until) == ("ada", "spam", None)


async def test_without_a_database_a_node_goes_by_what_it_knows(
    breaker: Breaker, pool: Pool, database: str
) -> None:
    """It closes at once, and says so to the others when it can."""
    document = (await paper(pool)).id
    away = await open_pool(database)
    await close_pool(away)
    breaker._closures = Closures(away)
    breaker.stalled(document, 11.0)
    with pytest.raises(Closed):
        breaker.check(document)
    with pytest.raises(Unavailable):
        await breaker.look()
    breaker._closures = Closures(pool)
    await breaker.look()

    assert [each.document for each in await Closures(pool).listed(0)] == [document]


# -- a running server ---------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    """A server that closes a document over a second and a half."""
    changes = {"document_slow_s_max": 1.5, "document_closed_s": 600, "closures_poll_s": 0.1}
    folder = tmp_path_factory.mktemp("strict")
    async with fresh_database(postgres) as database, serving(database, folder, **changes) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(strict: Inside) -> AsyncIterator[Guest]:
    """Whoever came first is the administrator."""
    async with strict.visitor() as guest:
        yield guest


def stall(_: Any) -> None:
    """An edit that takes long."""
    time.sleep(1.6)


async def costly(inside: Inside, guest: Guest, name: str) -> str:
    """Have a document hold the server up; its id."""
    record = await inside.record(guest, name)
    await inside.documents.edit(record, stall, account=guest.account)
    return str(record.id)


@MODULE
async def test_a_costly_document_is_closed_and_the_others_go_on(
    strict: Inside, admin: Guest
) -> None:
    """By every door, with a word that lets clients come back; its text can still be read."""
    y = await (await admin.y("slow")).sync()
    await y.stored(await y.write("kept"))
    socket = await admin.hocuspocus()
    slow = await socket.open("slow", admin.token)
    quick = await socket.open("quick", admin.token)
    document = await costly(strict, admin, "slow")
    denied, code = await slow.denied(), await y.closed()
    await quick.write("still here")
    settled = await quick.settled(2)
    again = await admin.hocuspocus()
    session = again.session("slow")
    await session.show(admin.token)
    rejoined = await session.denied()
    handshake = await admin.http.get("/ws/slow", params={"token": admin.token}, headers=UPGRADE)
    push, answer, headers = await admin.post("/d/slow/update", data=Replica().insert("x"))
    read, text = await admin.get("/d/slow/as-update")

    assert (denied, code, rejoined) == ("costly", 4503, "costly")
    assert all(settled)
    assert (handshake.status, push) == (503, 503), answer
    assert int(headers["Retry-After"]) > 60
    assert (read, b"kept" in text) == (200, True)
    (closed,) = (await call(admin, "GET", f"{DOCUMENTS}?only=closed"))["closed"]
    assert closed["id"] == document
    assert closed["closed"]["author"] == "breaker"
    await ask(admin, f"{DOCUMENTS}/{document}/open")
    opened = await (await admin.y("slow")).sync()
    assert opened.replica.text == "kept"
    assert (await call(admin, "GET", f"{DOCUMENTS}?only=closed"))["closed"] == []


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@MODULE
async def test_a_log_that_cannot_be_read_is_not_read_again_and_again(
    strict: Inside, admin: Guest
) -> None:
    """After five tries in a minute nobody may try for a while."""
    y = await (await admin.y("torn")).sync()
    await y.stored(await y.write("words"))
    await y.close()
    record = await strict.record(admin, "torn")
    strict.documents.end(record.id, "restart")
    await strict.pool.execute("DELETE FROM updates WHERE document = $1", record.id)
    for _ in range(5):
        assert await (await admin.y("torn")).closed() == 1013
    status, _, headers = await admin.post("/d/torn/update", data=Replica().insert("x"))
    shown = (await call(admin, "GET", f"{DOCUMENTS}/{record.id}"))["document"]

    assert status == 503
    assert int(headers["Retry-After"]) > 60
    assert shown["closed"]["reason"] == "its log cannot be read"
    assert "missing" in shown["problem"]
    assert (shown["state_vector"], shown["sizes"]["encoded"]) == (None, None)


@MODULE
async def test_an_administrator_closes_a_document_at_every_node(
    database_of_module: str, tmp_path: Any
) -> None:
    """For some time or for good; who is in it is shown out, at the other node too."""
    async with (
        serving(database_of_module, tmp_path, closures_poll_s=0.1) as here,
        serving(
            database_of_module, tmp_path, closures_poll_s=0.1, data=here.settings.data
        ) as there,
        here.visitor() as admin,
    ):
        y = await (await admin.y("notes")).sync()
        far = Guest(there)
        far.token = admin.token
        async with far:
            other = await (await far.y("notes")).sync()
            name = f"{admin.workspace}:notes"
            closed = await ask(admin, f"{DOCUMENTS}/{name}/close", reason="spam", seconds=3600)
            codes = [await y.closed(), await other.closed()]
            assert (codes, closed["closed"]["reason"]) == ([4503, 4503], "spam")
            assert closed["closed"]["author"] == admin.account
            await ask(admin, f"{DOCUMENTS}/{name}/open")
            record = await here.record(admin, "notes")
            await becomes(lambda: there.documents.breaker.closure(record.id) is None)
            assert await (await far.y("notes")).sync()


@MODULE
async def test_the_inspector_tells_all_but_the_text(strict: Inside, admin: Guest) -> None:
    """Clients of each dialect, presence, log tail, state vector, what waits and what was bad."""
    y = await (await admin.y("garden")).sync()
    await y.stored(await y.write("tulips"))
    await y.send(AWARENESS)
    hocuspocus = await admin.open("garden")
    await hocuspocus.write("roses")
    await hocuspocus.settled(2)
    replica = Replica(client_id=77)
    replica.insert("first")
    late = replica.insert("second")
    await y.stored(await _send(y, late))
    record = await strict.record(admin, "garden")
    await strict.store.quarantine_update(record.id, BREAKS, "panic", admin.account, None)
    shown = (await call(admin, "GET", f"{DOCUMENTS}/{record.id}?tail=2"))["document"]
    listed = await call(admin, "GET", f"{DOCUMENTS}?sort=sessions")
    text = str(shown)

    assert (shown["name"], shown["workspace"]) == ("garden", admin.workspace)
    assert [row["sequence"] for row in shown["log_tail"]] == [3, 2]
    assert shown["log_tail"][1]["author"] == admin.account
    assert {each["dialect"] for each in shown["clients"]} == {"y-websocket", "hocuspocus"}
    assert shown["awareness"] == [{"client": 5, "clock": 1, "state": {"user": "ada"}}]
    assert shown["state_vector"]["of"] == "memory"
    assert shown["state_vector"]["clients"] == 2
    assert (shown["pending"]["count"], shown["pending"]["bytes"]) == (1, len(late))
    assert [each["reason"] for each in shown["quarantine"]] == ["panic"]
    assert shown["log"]["head"] == 3
    assert shown["sizes"]["encoded"] > 0
    assert shown["open"]["cost"]["spent_s"] > 0
    assert "tulips" not in text
    assert "roses" not in text
    assert listed["documents"][0]["name"] == "garden"
    assert listed["documents"][0]["pending"] == 1


AWARENESS = bytes.fromhex("01 12 01 05 01 0e".replace(" ", "")) + b'{"user":"ada"}'


async def _send(y: Any, update: bytes) -> bytes:
    await y.send(b"\x00\x02" + len(update).to_bytes(1, "big") + update)
    return update


@MODULE
async def test_compaction_on_demand(strict: Inside, admin: Guest) -> None:
    """A snapshot is made now; of a document that is not open all is told from the store."""
    y = await (await admin.y("long")).sync()
    for word in ("one", "two", "three"):
        await y.stored(await y.write(word))
    await y.close()
    record = await strict.record(admin, "long")
    done = await ask(admin, f"{DOCUMENTS}/{record.id}/compact")
    again = await ask(admin, f"{DOCUMENTS}/{record.id}/compact")
    strict.documents.end(record.id, "restart")
    shown = (await call(admin, "GET", f"{DOCUMENTS}/{record.id}"))["document"]

    assert (done["compacted"]["sequence"], done["compacted"]["rows"]) == (3, 3)
    assert again["compacted"] is None
    assert shown["log"]["snapshot_sequence"] == 3
    assert shown["sizes"]["snapshot"] > 0
    assert (shown["open"], shown["clients"]) == (None, [])
    assert shown["state_vector"]["of"] == "store"


@MODULE
async def test_what_is_not_there_is_404_and_a_bad_question_400(admin: Guest) -> None:
    """Unknown ids, names without a workspace, and numbers out of range."""
    for unknown in ("nobody", "x" * 600, "%00", str(make_id()), "01J9ZV3M8Q4R5S6T7V8W9X0YZA"):
        await call(admin, "GET", f"{DOCUMENTS}/{unknown}", 404)
        for word in ("compact", "close", "open"):
            await ask(admin, f"{DOCUMENTS}/{unknown}/{word}", 404)
    for query in ("limit=0", "limit=100000", "sort=colour", "only=some"):
        await call(admin, "GET", f"{DOCUMENTS}?{query}", 400)
    await (await admin.y("plain")).sync()
    name = f"{admin.workspace}:plain"
    await call(admin, "GET", f"{DOCUMENTS}/{name}?tail=-1", 400)
    await ask(admin, f"{DOCUMENTS}/{name}/close", 400, seconds=0)
    await ask(admin, f"{DOCUMENTS}/{name}/close", 400, reason="x" * 501)


@MODULE
async def test_the_overview_tells_what_the_server_does(strict: Inside, admin: Guest) -> None:
    """Counters with their time, commits by their time, what is stored; no reader is slow."""
    before = await call(admin, "GET", "/api/admin/overview")
    y = await (await admin.y("watched")).sync()
    await y.stored(await y.write("words"))
    after = await call(admin, "GET", "/api/admin/overview")

    assert after["at"] > before["at"]
    assert after["counters"]["updates_in"] > before["counters"]["updates_in"]
    assert sum(after["commits"]["counts"]) > sum(before["commits"]["counts"])
    assert len(after["commits"]["counts"]) == len(after["commits"]["bounds_s"]) + 1
    assert after["slow"] == []
    assert after["storage"]["accounts"] >= 1
    document = (await strict.record(admin, "watched")).id
    shown = (await call(admin, "GET", f"{DOCUMENTS}/{document}"))["document"]
    assert 0 < shown["sizes"]["visible"] < shown["sizes"]["encoded"]
