"""The change feed: which documents of a scope changed or went, since a marker.

An append only marks its head dirty. Settling gives each dirty document of a scope the next stamp,
later than all before it, and clears the mark; whoever asks what changed settles first. That is
complete whatever commits meanwhile: under the lock of the scope's row, a change is either committed
and seen, or its head is held by a writer who is not done and stays dirty after that. Such a head is
stamped for what is committed of it and not waited for.

What is known of a block is read from its document before the lock is taken, so nothing is decoded
under it. A document that moved on meanwhile is stamped for what was read and stays dirty.

    scopes.last_stamp   the latest stamp of a scope: its marker
    heads.dirty         something was committed since the last stamp
    changes             the latest stamp of each document, and on which side it is; and of each
                        record of the documents that hold collections (`storage.recording`)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from crdt.blocks import Facts
from storage.errors import reaching
from storage.pool import Connection, Pool, transaction
from storage.recording import MARKS, SINCE, Changed, RecordChange, RecordPage
from storage.settling import Settled, settle_under_lock
from storage.tallies import BEHIND, recount

__all__ = [
    "Changed",
    "Changes",
    "Dirty",
    "Entry",
    "Page",
    "Projected",
    "RecordChange",
    "RecordPage",
    "Settled",
]

NOWHERE = UUID(int=0)


class Dirty(msgspec.Struct, frozen=True, kw_only=True):
    """A document with committed changes that have no stamp yet."""

    document: UUID
    scope: str
    kind: str
    name: str
    head: int
    lineage: int
    deleted: bool
    """No append is taken any more; its content need not be read."""
    size: int
    """Stored bytes, from above."""


class Projected(msgspec.Struct, frozen=True, kw_only=True):
    """A dirty document, and what its committed rows up to `sequence` say of it."""

    dirty: Dirty
    sequence: int
    facts: Facts | None
    """None where there is nothing to know: another kind, deleted, unreadable."""
    records: Changed | None = None
    """What became of its records; None where it holds no collections that the feed follows."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One document in a feed, at its latest stamp."""

    stamp: int
    deleted: bool
    document: UUID
    name: str
    sync_version: int
    created_at: datetime
    title: str
    trashed_at: int | None
    removed_at: int | None
    deleted_at: datetime | None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a feed; all of it is as at one moment."""

    entries: list[Entry]
    marker: int
    """Ask on from here: the last entry's stamp, or the scope's where nothing is left."""
    changed: int
    """How many entries match in all, before paging."""
    deleted: int
    has_more: bool


# Only the partial index can give this order and range: after a bulk import the statistics say that
# most heads are dirty, and a planner that believes them reads all heads in the order of their key.
# OFFSET 0 keeps each look-up what it is, one by key for each row that was found.
_DIRTY = """
SELECT h.document, h.scope, d.kind, d.name, h.head, h.lineage, h.deleted, h.size
FROM (
    SELECT document, scope, head, lineage, deleted, log_bytes + snapshot_bytes AS size FROM heads
    WHERE dirty AND (scope, document) > ($1, $2) {within} ORDER BY scope, document LIMIT $3
) h CROSS JOIN LATERAL (
    SELECT kind, name FROM documents WHERE id = h.document OFFSET 0
) d ORDER BY h.scope, h.document
"""
_DIRTY_IN = _DIRTY.format(within="AND scope <= $1")
_DIRTY_ANYWHERE = _DIRTY.format(within="")
_SINCE = f"""
WITH totals AS ({BEHIND}), page AS MATERIALIZED (
    SELECT stamp, document, deleted FROM changes
    WHERE scope = $1 AND collection = '' AND stamp > $2 ORDER BY stamp LIMIT $3
)
SELECT p.stamp, p.deleted, d.id AS document, d.name, d.sync_version, d.created_at,
       coalesce(b.title, '') AS title, b.trashed_at, b.removed_at, d.deleted_at,
       s.last_stamp, t.changed, t.gone
FROM scopes s CROSS JOIN totals t
LEFT JOIN (
    page p CROSS JOIN LATERAL (SELECT * FROM documents WHERE id = p.document OFFSET 0) d
    LEFT JOIN LATERAL (SELECT * FROM blocks WHERE document = p.document OFFSET 0) b ON true
) ON true
WHERE s.id = $1 ORDER BY p.stamp
"""  # noqa: S608  (parts of ours)
_ENTRY = Entry.__struct_fields__
_MARKERS = "SELECT id, last_stamp FROM scopes WHERE id = ANY ($1)"
_LATEST = """
SELECT id, last_stamp, EXISTS (SELECT FROM heads WHERE dirty AND scope = id) AS dirty FROM scopes
WHERE id = ANY ($1)
"""
_UNSETTLED = """
SELECT id FROM unnest($1::text[]) AS id
WHERE EXISTS (SELECT FROM heads WHERE dirty AND scope = id)
"""
_OUTLIVED = """
SELECT EXISTS (SELECT FROM scopes s JOIN members m ON m.scope = s.id
               WHERE s.id = $1 AND m.account = $2 AND s.deleted_at IS NOT NULL)
"""
_END_SCOPE = """
UPDATE scopes SET rights_version = rights_version + 1,
    deleted_at = CASE WHEN $2 THEN coalesce(deleted_at, now()) END
WHERE id = $1 AND (deleted_at IS NOT NULL) <> $2 RETURNING last_stamp
"""
_TURN_ALL = """
WITH turned AS (
    SELECT c.document, row_number() OVER (ORDER BY c.stamp) AS place,
           $3 OR h.deleted OR b.trashed_at IS NOT NULL OR b.removed_at IS NOT NULL AS deleted,
           b.trashed_at IS NOT NULL AND b.removed_at IS NULL AND NOT h.deleted AS trashed
    FROM changes c JOIN heads h ON h.document = c.document
    LEFT JOIN blocks b ON b.document = c.document
    WHERE c.scope = $1 AND c.collection = ''
), stamped AS (
    UPDATE changes c SET stamp = $2 + t.place, deleted = coalesce(t.deleted, false),
        trashed = coalesce(t.trashed, false) FROM turned t
    WHERE c.scope = $1 AND c.document = t.document AND c.collection = ''
)
UPDATE scopes SET last_stamp = $2 + (SELECT count(*) FROM turned) WHERE id = $1
"""


class Changes:
    """The change feed of every scope. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def dirty(self, scope: str, after: UUID = NOWHERE, limit: int = 1000) -> list[Dirty]:
        """Documents of a scope that wait for a stamp, in order of their ids."""
        with reaching():
            return [Dirty(**row) for row in await self._pool.fetch(_DIRTY_IN, scope, after, limit)]

    async def dirty_anywhere(
        self, after: tuple[str, UUID] = ("", NOWHERE), limit: int = 1000
    ) -> list[Dirty]:
        """Documents of any scope that wait for a stamp, in order of scope and id."""
        with reaching():
            rows = await self._pool.fetch(_DIRTY_ANYWHERE, *after, limit)
        return [Dirty(**row) for row in rows]

    async def settle(
        self, projected: Sequence[Projected], now_ms: int, *, wait: bool = True
    ) -> list[Settled]:
        """Stamp what is still dirty of these documents, in order of scope and id.

        Documents that were deleted for good by what their rows say are closed to appends. With
        `wait` unset, scopes that somebody else is settling are left out.
        """
        if not projected:
            return []
        with reaching():
            async with transaction(self._pool) as connection:
                return await settle_under_lock(connection, projected, now_ms, wait=wait)

    async def since(self, scope: str, since: int, limit: int) -> Page:
        """What has a later stamp than `since`, oldest first; settle before, to miss nothing."""
        with reaching():
            rows = await self._pool.fetch(_SINCE, scope, since, limit + 1)
        if not rows:
            return Page(entries=[], marker=0, changed=0, deleted=0, has_more=False)
        first = rows[0]
        # By position: a page holds a thousand of them.
        entries = [
            Entry(**dict(zip(_ENTRY, tuple(row), strict=False)))
            for row in rows[:limit]
            if row[0] is not None
        ]
        has_more = len(rows) > limit
        return Page(
            entries=entries,
            marker=entries[-1].stamp if has_more else first["last_stamp"],
            changed=first["changed"],
            deleted=first["gone"],
            has_more=has_more,
        )

    async def records_since(
        self,
        scope: str,
        collections: Sequence[str],
        since: int,
        limit: int,
        document: UUID | None = None,
    ) -> RecordPage:
        """Which records have a later stamp than `since`, oldest first; settle before.

        Of one document, or of all in the scope. What a record says now is read from its document.
        """
        with reaching():
            rows = await self._pool.fetch(
                SINCE, scope, list(collections), since, limit + 1, document
            )
        entries = [
            RecordChange(**dict(zip(RecordChange.__struct_fields__, tuple(row)[1:], strict=True)))
            for row in rows[:limit]
            if row["stamp"] is not None
        ]
        has_more = len(rows) > limit
        marker = rows[0]["last_stamp"] if rows else 0
        return RecordPage(
            entries=entries,
            marker=entries[-1].stamp if has_more else marker,
            has_more=has_more,
        )

    async def record_marks(self, documents: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
        """Lineage and row of the log up to which the records of documents were stamped."""
        if not documents:
            return {}
        with reaching():
            rows = await self._pool.fetch(MARKS, list(documents))
        return {row["document"]: (row["lineage"], row["sequence"]) for row in rows}

    async def markers(self, scopes: Sequence[str]) -> dict[str, int]:
        """The latest stamp of each of these scopes, of those that there are."""
        with reaching():
            rows = await self._pool.fetch(_MARKERS, list(scopes))
        return {row["id"]: row["last_stamp"] for row in rows}

    async def latest(self, scopes: Sequence[str]) -> dict[str, tuple[int, bool]]:
        """The latest stamp of each of these scopes, and whether something in it waits for one."""
        with reaching():
            rows = await self._pool.fetch(_LATEST, list(scopes))
        return {row["id"]: (row["last_stamp"], row["dirty"]) for row in rows}

    async def unsettled(self, scopes: Sequence[str]) -> list[str]:
        """Those of these scopes in which something was committed that has no stamp yet."""
        with reaching():
            rows = await self._pool.fetch(_UNSETTLED, list(scopes))
        return [row["id"] for row in rows]

    async def outlived(self, scope: str, account: str) -> bool:
        """Whether a scope was deleted of which the account is a member: its feed still says so."""
        with reaching():
            return bool(await self._pool.fetchval(_OUTLIVED, scope, account))

    async def set_scope_deleted(self, scope: str, now_ms: int, *, deleted: bool) -> bool:
        """Delete or restore a whole scope: its rights move and each of its documents changes sides.

        Whether that changed anything.
        """
        with reaching():
            async with transaction(self._pool) as connection:
                return await _turn_all(connection, scope, now_ms, deleted=deleted)


async def _turn_all(connection: Connection, scope: str, now_ms: int, *, deleted: bool) -> bool:
    last = await connection.fetchval(_END_SCOPE, scope, deleted)
    if last is None:
        return False
    await connection.execute(_TURN_ALL, scope, max(now_ms - 1, last), deleted)
    await recount(connection, scope)
    return True
