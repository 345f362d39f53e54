"""What readers find follows the documents: at once when somebody asks, soon when nobody does."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pycrdt
import pytest

from crdt.projection import project_rows
from server import extracting
from server.catalogue import CATALOGUE
from server.extracting import QUIET_S_MAX, UNREAD_MAX, Due
from storage.extracts import Extracts
from tests.crdt.odd import CONTENTS, update_of
from tests.inside import Guest, Inside, fresh_database, serving
from tests.patience import PATIENCE_S, until
from tests.server.adapters.heaps.asking import ask
from tests.server.adapters.heaps.conftest import ada, inside
from tests.server.adapters.heaps.device import Device, new_id, replica, text64
from tests.storage.papers import BREAKS, typing, write

__all__ = ["ada", "inside"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def words(inside: Inside, scope: str) -> list[str]:
    """What was read of a workspace."""
    rows = await inside.pool.fetch("SELECT body FROM block_texts WHERE scope = $1", scope)
    return sorted(row["body"] for row in rows)


async def test_what_was_committed_is_read_when_somebody_asks(inside: Inside, ada: Guest) -> None:
    """From memory and from the store, both at once; asking again reads nothing."""
    device = Device(ada)
    first, second = device.write("first"), device.write("second")
    await device.push(first, second)
    record = await inside.store.by_global_id(second)
    assert record is not None
    inside.documents.end(record.id, "internal")
    await inside.app[CATALOGUE].extracting.catch_up(ada.workspace)

    assert await words(inside, ada.workspace) == ["first", "second"]
    assert await Extracts(inside.pool).behind(ada.workspace, 10) == []


async def test_what_another_node_wrote_is_read_though_the_document_is_open(
    inside: Inside, ada: Guest
) -> None:
    """The room here may not have heard of it yet: then the store is read."""
    device = Device(ada)
    block = device.write("here")
    await device.push(block)
    await ada.open(f"{ada.workspace}:{block}")
    record = await inside.store.by_global_id(block)
    assert record is not None
    live = inside.documents.room(record)
    await until(lambda: live.is_live)
    await write(inside.settings.database_url, record.id, *typing("elsewhere"))
    await inside.app[CATALOGUE].extracting.catch_up(ada.workspace)

    (said,) = await words(inside, ada.workspace)
    assert live.head == 1
    assert "elsewhere" in said
    assert "here" in said.replace("elsewhere", "")


async def test_changes_are_read_though_nobody_asks(
    inside: Inside, ada: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once nobody types in it any more."""
    monkeypatch.setattr(extracting, "PAUSE_S", 0.05)
    monkeypatch.setattr(extracting, "QUIET_S", 0.0)
    device = Device(ada)
    await device.push(device.write("quiet"))
    async with asyncio.timeout(PATIENCE_S):
        while not await words(inside, ada.workspace):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    assert await words(inside, ada.workspace) == ["quiet"]


async def test_what_is_typed_in_is_read_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes first is read at once; then what is quiet, and all of it after half a minute."""
    first, second, third = (UUID(int=number) for number in range(3))
    monkeypatch.setattr(time, "time", lambda: 100.0)
    due = Due()
    due.note(first, 92_000)
    assert due.end(50.0, 6.0) == 92_000
    due.take(92_000)
    assert due.end(51.0, 6.0) == 0
    due.note(first, 93_000)
    due.note(second, 93_500)
    due.note(third, 94_500)
    due.note(first, 95_000)

    assert due.end(51.0, 6.0) == 94_000
    due.take(94_000)
    assert list(due.stamps) == [third, first]
    assert due.end(51.0, 6.0) == 0
    assert due.end(50.0 + QUIET_S_MAX, 6.0) == 95_000


async def test_few_documents_wait_for_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import is read as it comes."""
    monkeypatch.setattr(time, "time", lambda: 100.0)
    due = Due()
    due.whole_at = 50.0
    for number in range(UNREAD_MAX):
        due.note(UUID(int=number), 99_000 + number)
    assert due.end(51.0, 6.0) == 0
    due.note(UUID(int=UNREAD_MAX), 102_000)
    assert due.end(51.0, 6.0) == 102_000


async def test_what_was_missed_is_read_after_a_start(postgres: str, tmp_path: Path) -> None:
    """Settled by a server that ended before it read."""
    async with fresh_database(postgres) as database:
        async with serving(database, tmp_path) as first, first.visitor() as guest:
            device = Device(guest)
            await device.push(device.write("missed"))
            await device.changes()
            await first.app[CATALOGUE].extracting.stop()
            await first.pool.execute("DELETE FROM block_texts")
            await first.pool.execute("DELETE FROM read_marks")
        async with serving(database, tmp_path) as second, asyncio.timeout(PATIENCE_S):
            while not await words(second, guest.workspace):  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_a_document_that_cannot_be_read_does_not_hold_up_the_others(
    inside: Inside, ada: Guest
) -> None:
    """It is left out, and the mark goes past it."""
    device = Device(ada)
    good, bad = device.write("good"), device.write("bad")
    await device.push(good, bad)
    record = await inside.store.by_global_id(bad)
    assert record is not None
    inside.documents.end(record.id, "internal")
    await write(inside.settings.database_url, record.id, typing("x", 7)[0], BREAKS)
    await inside.app[CATALOGUE].extracting.catch_up(ada.workspace)

    assert "good" in await words(inside, ada.workspace)
    assert await Extracts(inside.pool).behind(ada.workspace, 10) == []


async def test_a_large_document_is_read_in_a_helper(
    inside: Inside, ada: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nobody waits for it."""
    calls: list[str] = []
    run = inside.documents.workers.run

    async def counted(function: Any, *arguments: object) -> Any:
        calls.append(function.__name__)
        return await run(function, *arguments)

    monkeypatch.setattr(inside.documents.workers, "run", counted)
    device = Device(ada)
    block = device.write("large " * 60_000)
    await device.push(block)
    status, shown, _ = await ada.post(f"/api/block/{block}", json={})

    assert (status, len(shown["text"])) == (200, 360_000)
    assert "project_rows" in calls


@pytest.mark.parametrize("name", CONTENTS)
async def test_whatever_peers_write_every_reader_is_answered(ada: Guest, name: str) -> None:
    """Blocks, search, lists, history, versions, diffs and restores of odd contents; no 5xx."""
    device = Device(ada)
    block, plain = new_id(), device.write("plain")
    device.blocks[block] = replica()
    first = text64(update_of(CONTENTS[name]))
    item = {"block_id": block, "workspace_id": ada.workspace, "update": first, "sync_version": 1}
    (result,) = (await device.send(item))["results"]
    assert result["status"] == "created"
    device.blocks[block].apply(update_of(CONTENTS[name]))
    device.write("more", block)
    await device.push(block, plain)

    shown = await ask(ada, f"/api/block/{block}")
    assert shown["block_id"] == block
    await ask(ada, "/api/search", heap_id=ada.workspace, query="more")
    await ask(ada, "/api/heap", heap_id=ada.workspace)
    updates = (await ask(ada, f"/api/block_updates/{block}"))["updates"]
    assert len(updates) == 2
    version = await ask(ada, f"/api/block_version/{block}", sequence=1)
    assert version["title"] == shown["title"]
    await ask(ada, f"/api/block_diff/{block}", **{"from": {"sequence": 1}, "to": {"sequence": 2}})
    await ask(ada, f"/api/block_restore/{block}", sequence=1)
    changed, gone = await device.changes()
    assert block in changed + gone


async def test_reading_a_long_note_does_not_hold_up_the_loop(inside: Inside, ada: Guest) -> None:
    """Two hundred kilobytes of paragraphs are read in a helper, from memory and from the store."""
    device = Device(ada)
    block = new_id()
    device.blocks[block] = replica()
    update = text64(update_of(lines))
    item = {"block_id": block, "workspace_id": ada.workspace, "update": update, "sync_version": 1}
    await device.send(item)
    helped = []
    run = inside.documents.workers.run

    async def counted(function: Any, *arguments: Any) -> Any:
        helped.append(function)
        return await run(function, *arguments)

    inside.documents.workers.run = counted  # type: ignore[method-assign]
    try:
        shown = await ask(ada, f"/api/block/{block}")
    finally:
        inside.documents.workers.run = run  # type: ignore[method-assign]

    assert shown["text"].startswith("line 0")
    assert project_rows in helped


def lines(doc: Any) -> None:
    """A long note."""
    content = doc.get("content_v0", type=pycrdt.XmlFragment)
    for number in range(2_000):
        words = pycrdt.XmlText(f"line {number} of a long note, with some words in it")
        content.children.append(pycrdt.XmlElement("paragraph", {}, [words]))
