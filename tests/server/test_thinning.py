"""Old history is thinned in the background, as the settings say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.settings import Settings
from server.thinning import Thinning
from server.workers import Workers
from storage.compaction import Compactor
from storage.history import versions
from storage.pool import Pool
from tests.storage.papers import paper, row, typing, write

NOW = datetime.now(UTC)
"""The store notes by its own clock when a history is due, so the edits are of today."""


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    """One helper process."""
    made = Workers(processes=1, memory_bytes=1 << 30, timeout_s=30)
    yield made
    made.close()


async def test_edits_of_an_old_hour_become_one_version(
    pool: Pool, database: str, workers: Workers, tmp_path: Path
) -> None:
    """Six edits of ten minutes each are one version an hour once they are days old."""
    document = (await paper(pool)).id
    rows = [
        row(data, "a", NOW.timestamp() - n * 600) for n, data in enumerate(typing("0123456789"))
    ]
    await write(database, document, *rows)
    await Compactor(pool).compact(document)
    thinning = Thinning(pool, workers, Settings(data=tmp_path))

    young = await thinning.look(NOW + timedelta(hours=3))
    old = await thinning.look(NOW + timedelta(days=3))

    assert young == 0
    assert old > 0
    assert len(await versions(pool, document)) < len(rows)


async def test_what_is_not_due_is_not_looked_at_again(
    pool: Pool, database: str, workers: Workers, tmp_path: Path
) -> None:
    """A second look at the same moment finds nothing to do."""
    document = (await paper(pool)).id
    await write(database, document, *(row(d, "a", NOW.timestamp()) for d in typing("0123")))
    await Compactor(pool).compact(document)
    thinning = Thinning(pool, workers, Settings(data=tmp_path))

    await thinning.look(NOW + timedelta(days=3))

    assert await thinning.look(NOW + timedelta(days=3)) == 0


async def test_a_history_that_cannot_be_read_does_not_keep_others_from_thinning(
    pool: Pool, database: str, workers: Workers, tmp_path: Path
) -> None:
    """It is the first that is due, at each look; the ones behind it are thinned all the same."""
    broken, whole = (await paper(pool)).id, (await paper(pool)).id
    for document in (broken, whole):
        rows = [row(d, "a", NOW.timestamp() - n) for n, d in enumerate(typing("0123456789"))]
        await write(database, document, *rows)
        await Compactor(pool).compact(document)
    await pool.execute("UPDATE updates SET data = 'no update' WHERE document = $1", broken)
    thinning = Thinning(pool, workers, Settings(data=tmp_path))

    await thinning.look(NOW + timedelta(days=3))

    assert len(await versions(pool, broken)) == 10
    assert len(await versions(pool, whole)) < 10
