"""Workspaces as they are made and found. Lists and counts are tested over HTTP too."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from storage.changes import Changes
from storage.pool import Pool
from storage.workspaces import ANY, FILES, LIVE, TRASHED, Workspaces
from tests.storage.feeds import NOW_MS
from tests.storage.people import join
from tests.storage.shelves import block, extract, keep

HEAP = "01J9ZV3M8Q4R5S6T7V8W9X0YZA"


async def test_a_workspace_is_made_once(pool: Pool) -> None:
    """Whoever races, with one root block; a second owner gets nothing."""
    ada, _ = await join(pool)
    bob, _ = await join(pool)
    workspaces = Workspaces(pool)
    made = await asyncio.gather(*(workspaces.add(HEAP, ada.id, "T", HEAP) for _ in range(6)))

    assert set(made) == {HEAP}
    assert await workspaces.add(HEAP, bob.id, "T", HEAP) is None
    assert [
        w.index_block for w in await workspaces.of(ada.id, shared=False, limit=9, offset=1)
    ] == [HEAP]
    assert await workspaces.owner(HEAP) == (ada.id, False)
    assert await workspaces.owner("other") is None


async def test_a_taken_root_block_is_told(pool: Pool, database: str) -> None:
    """So that the caller gives another id."""
    ada, _ = await join(pool)
    await block(pool, database, HEAP, scope="X")
    workspaces = Workspaces(pool)

    assert await workspaces.add("N", ada.id, "T", HEAP) == ""
    assert await workspaces.ensure_index("N", ada.id, "plain") == "plain"
    assert await workspaces.ensure_index("N", ada.id, "other") == "plain"
    assert await workspaces.ensure_index("unknown", ada.id, "other") == ""


async def test_a_deleted_workspace_is_nowhere_but_restorable(pool: Pool) -> None:
    """For as long as it was deleted after the given moment."""
    ada, _ = await join(pool)
    workspaces = Workspaces(pool)
    await workspaces.add("N", ada.id, "T", HEAP)
    assert not await workspaces.is_restorable("N", datetime.now(UTC) - timedelta(days=1))
    await Changes(pool).set_scope_deleted("N", NOW_MS, deleted=True)

    assert await workspaces.one("N") is None
    assert await workspaces.add("N", ada.id, "T", HEAP) is None
    assert await workspaces.is_restorable("N", datetime.now(UTC) - timedelta(days=1))
    assert not await workspaces.is_restorable("N", datetime.now(UTC) + timedelta(days=1))


async def test_which_workspaces_are_somebodys_default(pool: Pool) -> None:
    """Those that came with an account."""
    ada, _ = await join(pool)

    assert await Workspaces(pool).is_default(ada.default_workspace)
    assert not await Workspaces(pool).is_default("N")


async def test_contents_by_side(pool: Pool, database: str) -> None:
    """Blocks that say that they are gone for good are on none."""
    live = await block(pool, database, "live")
    await block(pool, database, "trashed", deletedAt=5)
    await block(pool, database, "gone", deletedAt=5, permanentlyDeletedAt=5)
    await keep(pool, extract(live, files=2, file_bytes=7))
    workspaces = Workspaces(pool)
    names = {
        which: [row.name for row in await workspaces.contents("W", which, 10, 0)]
        for which in (LIVE, TRASHED, ANY, FILES)
    }

    assert names == {
        LIVE: ["live"], TRASHED: ["trashed"], ANY: ["trashed", "live"], FILES: ["live"],
    }  # fmt: skip
    assert [await workspaces.count("W", which) for which in names] == [1, 1, 2, 1]
    counts = await workspaces.counts("W")
    assert (counts.blocks, counts.trashed, counts.files, counts.file_bytes) == (1, 1, 2, 7)


async def test_the_trash_in_pages(pool: Pool, database: str) -> None:
    """Last trashed first, also where many were trashed at one moment."""
    for n, at in enumerate([5, 7, 7, 7, 9]):
        await block(pool, database, f"b{n}", deletedAt=at)
    workspaces = Workspaces(pool)
    names, before = [], None
    for _ in range(3):
        page = await workspaces.trash("W", before, 2)
        names += [one.name for one in page]
        before = (page[-1].trashed_at, page[-1].document) if page else (0, UUID(int=0))

    assert (names[0], names[-1]) == ("b4", "b0")
    assert sorted(names) == [f"b{n}" for n in range(5)]
