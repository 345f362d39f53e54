"""What waits for a document that is still loading is bounded, as is what waits for the store."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from crdt import wire
from server.backlog import Backlog
from server.realtime.codes import OVERLOADED
from server.settings import Settings
from storage.log import Flusher
from tests.inside import serving
from tests.patience import until
from tests.server.test_documents import heads_locked, stored


async def test_writers_are_not_read_while_their_document_loads(
    database: str, tmp_path: Path
) -> None:
    """Above the soft bound; when it is loaded all is read, stored and confirmed."""
    async with (
        serving(database, tmp_path, unsaved_bytes_room_soft=50_000) as inside,
        inside.visitor() as guest,
    ):
        document = await stored(inside, guest, "doc", "old ")
        async with heads_locked(inside):
            writer = await guest.y("doc")
            updates = [await writer.write("x" * 5000) for _ in range(40)]
            await until(lambda: (live := inside.documents.peek(document)) and live.held)
            assert inside.documents.backlog.bytes > 50_000
        for update in updates:
            await writer.stored(update)

        live = inside.documents.peek(document)
        assert live is not None
        await until(lambda: not live.held)
        assert not inside.documents.backlog._loading
        assert len(await guest.stored_text("doc")) == 200_004


async def test_a_flood_for_a_document_that_is_not_loaded_is_sent_away(
    database: str, tmp_path: Path
) -> None:
    """1013, come back later: no more waits than the bound says, and the document opens."""
    bounds = {"waiting_bytes_max": 100_000, "unsaved_bytes_room_max": 32_000_000}
    async with serving(database, tmp_path, **bounds) as inside, inside.visitor() as guest:
        document = await stored(inside, guest, "doc", "old ")
        async with heads_locked(inside):
            flooder = await guest.y("doc")
            for _ in range(50):
                await flooder.send(wire.update(b"\0" * 50_000))
            assert await flooder.closed() == OVERLOADED
            live = inside.documents.peek(document)
            assert live is not None
            assert live.room.waiting.bytes <= 100_000
        reader = await guest.open("doc")

        assert reader.replica.text == "old "


def test_snapshots_of_a_large_document_are_made_of_more() -> None:
    """Each takes time by the document's size: so what is written costs the same in all sizes."""
    backlog = Backlog(Settings(compact_quiet_bytes=1000, compact_idle_rows=10), Flusher(""))
    live: Any = SimpleNamespace(seen_bytes=0, tail_bytes=1000, tail_rows=10, whole_bytes=0)
    small = (backlog.is_worth(live), backlog.is_long(live), backlog.is_long(live))
    live.whole_bytes, live.tail_rows = 80_000, 10
    large = []
    for tail in (9_999, 10_000):
        live.tail_bytes = tail
        large += [backlog.is_long(live), backlog.is_long(live)]

    assert small == (True, False, True)
    assert large == [False, False, False, True]
    assert (live.tail_bytes, live.whole_bytes) == (0, 90_000)
    live.tail_rows = 80
    assert not backlog.is_worth(live)
