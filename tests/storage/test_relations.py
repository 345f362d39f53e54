"""Relations, asked from their other end."""

from storage.pool import Pool
from storage.relations import Relations
from tests.storage.shelves import block, extract, keep

ULID = "01J9ZV3M8Q4R5S6T7V8W9X0YZA"


async def test_backlinks_are_of_one_scope_and_outside_the_trash(pool: Pool, database: str) -> None:
    """However the id is spelled; in pages."""
    here = await block(pool, database, "here", "Here")
    gone = await block(pool, database, "gone", deletedAt=5)
    there = await block(pool, database, "there", scope="X")
    said = [("tag", ULID, "l"), ("mention", ULID.lower(), "")]
    await keep(pool, extract(here, relations=said), extract(gone, relations=said))
    await keep(pool, extract(there, relations=said), scope="X")
    relations = Relations(pool)
    found = await relations.backlinks("W", ULID.lower(), 10)

    assert [(b.name, b.title, b.kind, b.label) for b in found] == [
        ("here", "Here", "mention", ""),
        ("here", "Here", "tag", "l"),
    ]
    assert await relations.backlinks("W", ULID, 1, 1) == found[1:]
    assert await relations.backlinks("W", "other", 10) == []


async def test_titles_of_targets(pool: Pool, database: str) -> None:
    """Of those that are blocks of the scope, by the one spelling of their ids."""
    await block(pool, database, ULID, "Global")
    await block(pool, database, "plain", "Plain")
    await block(pool, database, "far", "Far", scope="X")

    assert await Relations(pool).titles("W", [ULID.lower(), "plain", "far", "no\0"]) == {
        ULID: "Global",
        "plain": "Plain",
    }
