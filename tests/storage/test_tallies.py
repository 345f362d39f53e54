"""The counts of the change feed: equal to its rows whatever happened, and no row without a use."""

import random

from storage.changes import Changes
from storage.documents import Documents
from storage.pool import Pool
from storage.tallies import LONG, MIDDLE, SHORT, WRONG, Place, difference
from storage.workspaces import LIVE, TRASHED, Workspaces
from tests.storage.feeds import NOW_MS, marked, settle, titled
from tests.storage.papers import paper, write

STEPS_MS = (1, 900, 1 << SHORT, 1 << MIDDLE, 1 << LONG)
"""Within a stretch, into the next of each length."""


async def test_the_totals_behind_any_marker_are_those_of_the_rows(
    pool: Pool, database: str
) -> None:
    """Whether blocks are new, edited, trashed, restored, deleted, or their scope is."""
    chance, documents, changes = random.Random(3), Documents(pool), Changes(pool)
    blocks = [await paper(pool) for _ in range(6)]
    now_ms = NOW_MS
    for turn in range(16):
        now_ms += chance.choice(STEPS_MS)
        for block in chance.sample(blocks[:4], 2):
            marks = chance.choice(({"deletedAt": NOW_MS}, {"deletedAt": None}, {"a": turn}))
            await write(database, block.id, marked(100 + turn, **marks))
        if turn in {5, 9}:
            await (documents.delete if turn == 5 else documents.restore)(blocks[4].id)
        if turn in {7, 11}:
            await changes.set_scope_deleted("W", now_ms, deleted=turn == 7)
        if turn == 12:
            await write(database, blocks[5].id, marked(9, permanentlyDeletedAt=NOW_MS))
        await settle(pool, now_ms=now_ms)

        assert await pool.fetch(WRONG) == []
    rows = await pool.fetch("SELECT stamp, deleted FROM changes ORDER BY stamp")
    for since in (0, *(row["stamp"] + step for row in rows for step in (-1, 0, 1))):
        later = [row["deleted"] for row in rows if row["stamp"] > since]
        page = await changes.since("W", since, 2)
        assert (page.changed, page.deleted) == (later.count(False), later.count(True))
        assert page.has_more == (len(later) > 2)
    workspaces, kept = Workspaces(pool), 0
    for which in (LIVE, TRASHED):
        listed = await workspaces.contents("W", which, 10, 0)
        assert await workspaces.count("W", which) == len(listed)
        kept += sum(row.size for row in listed)
    assert (await workspaces.counts("W")).bytes == kept


async def test_a_block_that_is_edited_for_years_leaves_one_row_of_each_length(
    pool: Pool, database: str
) -> None:
    """Stretches that nothing lies in any more are gone."""
    block = await paper(pool)
    for year in range(4):
        await write(database, block.id, titled(f"{year}", 50 + year))
        await settle(pool, now_ms=NOW_MS + year * (1 << 35))

    assert await pool.fetchval("SELECT array_agg(bits ORDER BY bits) FROM change_counts") == [
        SHORT, MIDDLE, LONG,
    ]  # fmt: skip


def test_what_stays_in_its_stretches_costs_nothing() -> None:
    """An edit a moment after another moves a document within all three; nothing is written."""
    before = Place("W", 1 << 40, gone=False, trashed=False)
    after = Place("W", (1 << 40) + 5, gone=False, trashed=False)

    assert difference([before], [after]) == [[]] * 7
    assert difference([], [after])[:3] == [
        ["W"] * 3, [SHORT, MIDDLE, LONG], [1 << 28, 1 << 18, 1 << 7],
    ]  # fmt: skip
