"""Stamps of single records: what settling writes of them, and what readers of the feed are told.

A document that holds collections has, beside its own row in `changes`, one for each record that
ever changed. They are stamped in the same transaction as the document, later than it, each with a
stamp of its own, so that a page can end between any two.

    changes        (scope, document, collection, record) -> stamp, deleted
    record_marks   up to which row of its log the records of a document were stamped
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from crdt.tracking import Item
from storage.pool import Connection

if TYPE_CHECKING:
    from storage.changes import Projected


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the records of a document since they were last stamped."""

    items: Sequence[Item]
    collections: Sequence[str]
    is_whole: bool = False
    """The items are all records that there are; of others nobody knew when they went."""


class RecordChange(msgspec.Struct, frozen=True, kw_only=True):
    """One record at its latest stamp."""

    stamp: int
    document: UUID
    collection: str
    record: str
    deleted: bool


class RecordPage(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the feed of records; all of it is as at one moment."""

    entries: list[RecordChange]
    marker: int
    """Ask on from here: the last entry's stamp, or the scope's where nothing is left."""
    has_more: bool


SINCE = """
SELECT s.last_stamp, p.stamp, p.document, p.collection, p.record, p.deleted FROM scopes s
LEFT JOIN (
    SELECT r.* FROM unnest($2::text[]) AS c (name) CROSS JOIN LATERAL (
        SELECT stamp, document, collection, record, deleted FROM changes
        WHERE scope = $1 AND collection = c.name AND stamp > $3
          AND ($5::uuid IS NULL OR document = $5)
        ORDER BY stamp LIMIT $4
    ) r ORDER BY r.stamp LIMIT $4
) p ON true
WHERE s.id = $1 ORDER BY p.stamp
"""
MARKS = "SELECT document, lineage, sequence FROM record_marks WHERE document = ANY ($1)"
_TOLD = """
SELECT collection, record FROM changes
WHERE scope = $1 AND document = $2 AND collection = ANY ($3)
"""
# What is gone without a tombstone has a row only where somebody was told of it.
_STAMP = """
WITH told AS (
    SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::bool[],
                         $7::bool[])
        AS t (scope, document, collection, record, stamp, deleted, gone)
), written AS (
    INSERT INTO changes (scope, document, collection, record, stamp, deleted)
    SELECT scope, document, collection, record, stamp, deleted FROM told WHERE NOT gone
    ON CONFLICT (scope, document, collection, record)
    DO UPDATE SET stamp = excluded.stamp, deleted = excluded.deleted
)
UPDATE changes c SET stamp = t.stamp, deleted = true FROM told t
WHERE t.gone AND (c.scope, c.document, c.collection, c.record)
    = (t.scope, t.document, t.collection, t.record)
"""
_MARK = """
INSERT INTO record_marks (document, lineage, sequence)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[])
ON CONFLICT (document) DO UPDATE SET lineage = excluded.lineage, sequence = excluded.sequence
"""


async def due_records(
    connection: Connection, due: Sequence[Projected]
) -> dict[UUID, Sequence[Item]]:
    """The records to be stamped with each document, those left out that somebody stamped since."""
    told = {p.dirty.document: p for p in due if p.records is not None}
    if not told:
        return {}
    marks = {
        row["document"]: (row["lineage"], row["sequence"])
        for row in await connection.fetch(MARKS, list(told))
    }
    found: dict[UUID, Sequence[Item]] = {}
    for document, one in told.items():
        assert one.records is not None
        if marks.get(document, (0, -1)) >= (one.dirty.lineage, one.sequence):
            continue
        found[document] = one.records.items
        if one.records.is_whole:
            found[document] = await _with_gone(connection, one, one.records)
    return found


async def _with_gone(connection: Connection, one: Projected, changed: Changed) -> list[Item]:
    """All records that there are, and all ever told of: a tombstone may be gone too."""
    there = {(item.collection, item.record) for item in changed.items}
    rows = await connection.fetch(
        _TOLD, one.dirty.scope, one.dirty.document, list(changed.collections)
    )
    gone = [Item(name, key, "gone") for name, key in rows if (name, key) not in there]
    return [*changed.items, *gone]


def stamped(document: UUID, items: Sequence[Item], stamp: int) -> list[RecordChange]:
    """The records of a document with their stamps, which follow the document's own."""
    return [
        RecordChange(
            stamp=at,
            document=document,
            collection=item.collection,
            record=item.record,
            deleted=item.state != "there",
        )
        for at, item in enumerate(items, stamp + 1)
    ]


async def write_records(
    connection: Connection,
    due: Sequence[Projected],
    items: Mapping[UUID, Sequence[Item]],
    changes: Mapping[UUID, Sequence[RecordChange]],
) -> None:
    """Write the stamps, and up to where the records of each document were stamped."""
    marked = [p for p in due if p.dirty.document in items]
    if not marked:
        return
    rows = [
        (p.dirty.scope, p.dirty.document, c.collection, c.record, c.stamp, c.deleted, i.state)
        for p in marked
        for c, i in zip(changes[p.dirty.document], items[p.dirty.document], strict=True)
    ]
    if rows:
        *columns, states = zip(*rows, strict=True)
        gone = [state == "gone" for state in states]
        await connection.execute(_STAMP, *map(list, columns), gone)
    await connection.execute(
        _MARK,
        [p.dirty.document for p in marked],
        [p.dirty.lineage for p in marked],
        [p.sequence for p in marked],
    )
