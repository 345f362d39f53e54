"""What readers find follows the documents: at once when somebody asks, soon when nobody does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from server import extracting
from server.catalogue import CATALOGUE
from storage.extracts import Extracts
from tests.inside import Guest, Inside, fresh_database, serving
from tests.server.adapters.heaps.conftest import ada, inside
from tests.server.adapters.heaps.device import Device
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


async def test_changes_are_read_though_nobody_asks(
    inside: Inside, ada: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A moment after they were settled."""
    monkeypatch.setattr(extracting, "PAUSE_S", 0.05)
    device = Device(ada)
    await device.push(device.write("quiet"))
    async with asyncio.timeout(10):
        while not await words(inside, ada.workspace):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    assert await words(inside, ada.workspace) == ["quiet"]


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
        async with serving(database, tmp_path) as second, asyncio.timeout(10):
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
