"""Blocks that were settled and read, for tests of what readers ask."""

from __future__ import annotations

from typing import Any

from storage.documents import DocumentRecord, Documents
from storage.extracts import Extract, Extracts
from storage.pool import Pool
from tests.storage.feeds import marked, settle, titled
from tests.storage.papers import make_scope, write

ADA = "ada"


async def block(
    pool: Pool, database: str, name: str, title: str = "T", scope: str = "W", **marks: Any
) -> DocumentRecord:
    """A settled block with a title, and what its `meta_v0` says."""
    await make_scope(pool, scope)
    made = await Documents(pool).create(scope, name, ADA)
    await write(database, made.id, titled(title), *([marked(**marks)] if marks else []))
    await settle(pool, scope)
    return made


def extract(record: DocumentRecord, body: str = "", sequence: int = 1, **more: Any) -> Extract:
    """What was read from a block."""
    given: dict[str, Any] = {
        "title": "T", "relations": [], "files": 0, "file_bytes": 0, "lineage": 1,
    }  # fmt: skip
    return Extract(document=record.id, sequence=sequence, body=body, **(given | more))


async def keep(pool: Pool, *extracts: Extract, scope: str = "W", stamp: int = 1) -> None:
    """Write what was read."""
    await Extracts(pool).write(scope, extracts, [], stamp)
