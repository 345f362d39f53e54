"""Scans of many files: killed on the way, gone on with, and quick where nothing changed."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from storage.pool import Pool
from storage.scans import Scans
from tests.live import LiveServer
from tests.server.person import Person

FULL = bool(os.environ.get("PLAIT_TEST_FULL"))
FILES = 10_000 if FULL else 300
KILLS = 5 if FULL else 2
END_S_MAX = 900 if FULL else 120

pytestmark = pytest.mark.xdist_group("processes")


class Scanner:
    """Somebody who scans a folder on a server that dies."""

    def __init__(self, server: LiveServer, person: Person) -> None:
        self.server = server
        self.person = person

    async def ask(self, method: str, path: str, /, **body: Any) -> dict[str, Any]:
        """A request that must be answered with 200."""
        async with (
            aiohttp.ClientSession(self.server.url) as web,
            web.request(method, path, json=body, headers=self.person.bearer) as response,
        ):
            answer = await response.json()
            assert response.status == 200, answer
            return dict(answer)

    async def log_in(self) -> None:
        """Again, after each start."""
        async with aiohttp.ClientSession(self.server.url) as web:
            client: Any = web
            await self.person.log_in(client)

    async def active(self) -> list[dict[str, Any]]:
        """The scans under way."""
        return list((await self.ask("GET", "/api/active_scans"))["scans"])

    async def over(self) -> None:
        """Wait until none is under way."""
        end = time.monotonic() + END_S_MAX
        while await self.active():
            assert time.monotonic() < end, "the scan does not end"
            await asyncio.sleep(0.2)


async def test_a_scan_outlives_the_server(tmp_path: Path, database: str, pool: Pool) -> None:
    """Killed again and again it comes to its end: one block for each file, none twice.

    The next scan finds nothing to do; how fast both were is printed.
    """
    folder = tmp_path / "files"
    for number in range(FILES):
        path = folder / f"{number // 100:03}" / f"{number:05}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"the words of file {number}\n" * 20)
    server = LiveServer(tmp_path, database_url=database, shutdown_grace_s=0.2).start()
    one = Scanner(server, Person())
    try:
        await one.log_in()
        await Scans(pool).set_root(one.person.account, str(folder.resolve()))
        started = time.monotonic()
        await one.ask("POST", "/api/scan_folder", path=".", heap_id=one.person.workspace)
        for kill in range(KILLS):
            await _done(pool, FILES * (kill + 1) // (KILLS + 2))
            server.kill()
            if not FULL:  # The long form waits until the dead server has been silent for 8 s.
                await pool.execute("UPDATE jobs SET beat_at = beat_at - interval '8 s'")
            server.start()
            await one.log_in()
        await one.over()
        first_s = time.monotonic() - started
        started = time.monotonic()
        await one.ask("POST", "/api/scan_folder", path=".", heap_id=one.person.workspace)
        await one.over()
        second_s = time.monotonic() - started
        paths = await _paths(pool, one.person.workspace)
    finally:
        server.kill()

    print(  # noqa: T201
        f"{FILES} files: {FILES / first_s:.0f}/s with {KILLS} kills, again {FILES / second_s:.0f}/s"
    )
    assert len(paths) == FILES
    assert set(Counter(paths).values()) == {1}
    last = await pool.fetchval("SELECT counts FROM jobs ORDER BY created_at DESC LIMIT 1")
    assert f'"unchanged":{FILES}' in str(last).replace(" ", "")


async def _done(pool: Pool, count: int) -> None:
    """Wait until so many files have their blocks."""
    end = time.monotonic() + END_S_MAX
    while (
        await pool.fetchval("SELECT count(*) FROM scanned_files WHERE state = 'done'") or 0
    ) < count:
        assert time.monotonic() < end, "the scan does not go on"
        await asyncio.sleep(0.05)


async def _paths(pool: Pool, scope: str) -> list[str]:
    """The files of a workspace's blocks that are not in the trash, by their names."""
    rows = await pool.fetch(
        "SELECT f.name FROM files f JOIN documents d ON d.id = f.document "
        "WHERE d.scope = $1 AND d.deleted_at IS NULL AND f.announced",
        scope,
    )
    blocks = await pool.fetchval(
        "SELECT count(*) FROM documents d JOIN heads h ON h.document = d.id WHERE d.scope = $1 "
        "AND h.head > 0 AND EXISTS (SELECT FROM files f WHERE f.document = d.id)",
        scope,
    )
    assert blocks == len(rows)
    return [row["name"] for row in rows]
