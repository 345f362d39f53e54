"""What a document is opened from: a snapshot that is sent as it is, or rows that are read."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

from server.live import LiveRoom
from tests.clients import text_of
from tests.inside import Guest, Inside, serving
from tests.patience import until
from tests.server.test_documents import forgotten

_PAGE = "many words that are worth packing " * 600


def _open(inside: Inside, document: UUID) -> LiveRoom:
    live = inside.documents.peek(document)
    assert live is not None
    return live


async def _long(inside: Inside, guest: Guest) -> UUID:
    """A document with a long log that nobody has open; its id."""
    writer = await (await guest.y("doc")).sync()
    await writer.stored(await writer.write(_PAGE))
    await writer.close()
    return (await inside.record(guest, "doc")).id


async def test_a_long_log_becomes_a_snapshot_when_nobody_edits(
    database: str, tmp_path: Path
) -> None:
    """Not at the first look after an edit, but at the next one; and once only."""
    never = dict.fromkeys(("sweep_s", "keepalive_s", "idle_s"), 600.0)
    settings = {**never, "compact_quiet_bytes": 10_000}
    async with serving(database, tmp_path, **settings) as inside, inside.visitor() as guest:
        document = await _long(inside, guest)
        live, is_long = _open(inside, document), inside.documents.backlog.is_long
        await until(lambda: live.tail_bytes >= len(_PAGE))

        assert [is_long(live), is_long(live), is_long(live)] == [False, True, False]
        writer = await (await guest.y("doc")).sync()
        await writer.stored(await writer.write("short"))
        assert [is_long(live), is_long(live)] == [False, False]


async def test_who_opens_a_snapshot_is_sent_it_and_may_edit(database: str, tmp_path: Path) -> None:
    """Readers get the whole text undecoded; the first edit stands behind it."""
    async with (
        serving(database, tmp_path, compact_quiet_bytes=10_000, sweep_s=0.05) as inside,
        inside.visitor() as guest,
    ):
        document = await _long(inside, guest)
        await until(lambda: inside.metrics.compactions == 1)
        await forgotten(inside, document)

        reader = await guest.y("doc")
        other = await guest.y("doc")
        await asyncio.gather(reader.sync(), other.sync())
        assert reader.replica.text == other.replica.text == _PAGE
        assert _open(inside, document).room.document.is_asleep

        await other.stored(await other.write("the end"))
        await until(lambda: reader.replica.text.endswith("the end"))
        await other.close()
        await reader.close()
        await forgotten(inside, document)

        again = await guest.open("doc")
        assert again.replica.text == _PAGE + "the end"
        record = await inside.record(guest, "doc")
        assert text_of(await inside.documents.encoded(record)) == _PAGE + "the end"
