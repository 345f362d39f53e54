"""The one transaction that stamps changed documents and writes down what is known of them.

Locks are taken in the order of the house: scope rows by id, then heads by id. A head that a writer
holds is not waited for, except to close a document for good. The scope rows are locked as for an
ordinary update, so documents can be created and rows appended meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import msgspec

from storage.pool import Connection
from storage.recording import RecordChange, due_records, stamped, write_records
from storage.tallies import MOVE, Place, difference

if TYPE_CHECKING:
    from crdt.blocks import Facts
    from storage.changes import Projected


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was given a stamp."""

    document: UUID
    scope: str
    kind: str
    name: str
    stamp: int
    deleted: bool
    trashed: bool = False
    """It lies in the trash, and can be taken out of it."""
    size: int = 0
    """Stored bytes, from above."""
    was_deleted: bool | None
    """On which side it was before; None: it was not in the feed yet."""
    closed: bool
    """It was deleted for good by what its own rows say, just now."""
    facts: Facts | None
    records: Sequence[RecordChange] = ()
    """Its records that were stamped with it."""


_LOCK_SCOPES = """
SELECT id, last_stamp, deleted_at IS NOT NULL AS deleted FROM scopes
WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE {skip}
"""
_WAITING = _LOCK_SCOPES.format(skip="")
_PASSING = _LOCK_SCOPES.format(skip="SKIP LOCKED")
# By key, whatever the statistics say: right after many documents came, they know nothing of them,
# and a join over whole tables took 0.7 s for a thousand. OFFSET 0 keeps each look-up what it is;
# the order makes the one in `changes` go by its primary key, where '' comes first.
_STATE = """
SELECT h.document, h.deleted, b.sequence, b.lineage, b.trashed_at, b.removed_at,
       c.deleted AS was_deleted, c.stamp AS was_stamp, c.trashed AS was_trashed,
       c.size AS was_size
FROM unnest($1::uuid[]) AS w (document)
CROSS JOIN LATERAL (SELECT * FROM heads WHERE document = w.document OFFSET 0) h
LEFT JOIN LATERAL (SELECT * FROM blocks WHERE document = w.document OFFSET 0) b ON true
LEFT JOIN LATERAL (
    SELECT collection, record, deleted, stamp, trashed, size FROM changes
    WHERE scope = h.scope AND document = w.document ORDER BY collection, record LIMIT 1
) c ON c.collection = '' AND c.record = ''
WHERE h.dirty
"""
_CLOSE = (
    "SELECT 1 FROM heads WHERE document = ANY ($1) ORDER BY document FOR UPDATE",
    "UPDATE heads SET deleted = true WHERE document = ANY ($1)",
    "UPDATE documents SET deleted_at = coalesce(deleted_at, now()) WHERE id = ANY ($1)",
    """
    UPDATE scopes SET rights_version = rights_version + 1
    WHERE id IN (SELECT scope FROM heads WHERE document = ANY ($1))
    """,
)
_COUNTS = "$21::text[], $22::int[], " + ", ".join(f"${n}::bigint[]" for n in range(23, 28))
_WRITE = f"""
WITH held AS MATERIALIZED (
    SELECT document, head, lineage, deleted FROM heads
    WHERE document = ANY ($1) AND dirty ORDER BY document FOR UPDATE SKIP LOCKED
), read AS (
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $18::bool[])
        AS r (document, sequence, lineage, deleted)
), cleared AS (
    UPDATE heads h SET dirty = false FROM held JOIN read r USING (document)
    WHERE h.document = held.document AND held.deleted = r.deleted
      AND (held.deleted OR (held.head = r.sequence AND held.lineage = r.lineage))
), stamped AS (
    INSERT INTO changes (scope, document, stamp, deleted, trashed, size)
    SELECT * FROM unnest($4::text[], $1::uuid[], $5::bigint[], $6::bool[], $19::bool[],
                         $20::bigint[])
    ON CONFLICT (scope, document, collection, record) DO UPDATE SET stamp = excluded.stamp,
        deleted = excluded.deleted, trashed = excluded.trashed, size = excluded.size
), {MOVE.format(columns=_COUNTS)}, known AS (
    INSERT INTO blocks (scope, document, sequence, lineage, trashed_at, removed_at, title,
                        state_vector, delete_only)
    SELECT * FROM unnest($7::text[], $8::uuid[], $9::bigint[], $10::bigint[], $11::bigint[],
                         $12::bigint[], $13::text[], $14::bytea[], $15::bytea[])
    ON CONFLICT (document) DO UPDATE SET sequence = excluded.sequence, lineage = excluded.lineage,
        trashed_at = excluded.trashed_at, removed_at = excluded.removed_at,
        title = excluded.title, state_vector = excluded.state_vector,
        delete_only = excluded.delete_only
)
UPDATE scopes s SET last_stamp = m.stamp
FROM unnest($16::text[], $17::bigint[]) AS m (id, stamp) WHERE s.id = m.id
"""  # noqa: S608  (parts of ours)


async def settle_under_lock(
    connection: Connection, projected: Sequence[Projected], now_ms: int, *, wait: bool
) -> list[Settled]:
    """Inside a transaction: lock, look again, stamp in order, write. What was stamped."""
    by_place = sorted(projected, key=lambda p: (p.dirty.scope, p.dirty.document))
    wanted = list({p.dirty.scope for p in by_place})
    scopes = {
        row["id"]: row for row in await connection.fetch(_WAITING if wait else _PASSING, wanted)
    }
    documents = [p.dirty.document for p in by_place if p.dirty.scope in scopes]
    states = {row["document"]: row for row in await connection.fetch(_STATE, documents)}
    due = [p for p in by_place if _is_due(p, states.get(p.dirty.document))]
    if not due:
        return []
    closed = {p.dirty.document for p in due if _is_closing(p, states[p.dirty.document])}
    if closed:
        for sql in _CLOSE:
            await connection.execute(sql, list(closed))
    items = await due_records(connection, due)
    settled: list[Settled] = []
    for scope, group in groupby(due, lambda p: p.dirty.scope):
        stamp = max(now_ms, scopes[scope]["last_stamp"] + 1)
        for one in group:
            document = one.dirty.document
            records = stamped(document, items.get(document, ()), stamp)
            it = _settled(one, states[document], stamp, scopes[scope], closed)
            settled.append(msgspec.structs.replace(it, records=records) if records else it)
            stamp += 1 + len(records)
    moved = difference(_before(settled, states), map(_place, settled))
    fenced = [_is_fenced(p, states, closed) for p in due]
    shown = [[s.trashed for s in settled], [s.size for s in settled]]
    await _write(connection, due, settled, (fenced, *shown, *moved))
    await write_records(connection, due, items, {s.document: s.records for s in settled})
    return settled


def _is_due(one: Projected, state: asyncpg.Record | None) -> bool:
    """Whether it still waits for a stamp, and nobody stamped it for later rows meanwhile."""
    if state is None:
        return False
    known = (state["lineage"] or 0, state["sequence"] or 0)
    return known <= (one.dirty.lineage, one.sequence) or one.facts is None


def _is_closing(one: Projected, state: asyncpg.Record) -> bool:
    """Whether it says for the first time that it is deleted for good."""
    return (
        one.facts is not None
        and one.facts.removed_at is not None
        and state["removed_at"] is None
        and not state["deleted"]
    )


def _is_fenced(
    one: Projected, states: Mapping[UUID, asyncpg.Record], closed: Iterable[UUID]
) -> bool:
    """Whether it must be deleted to be done with.

    One that was not read because it was deleted, and is back by now, has to be read first.
    """
    if one.facts is None:
        return one.dirty.deleted
    return one.dirty.document in closed or bool(states[one.dirty.document]["deleted"])


def _settled(
    one: Projected,
    state: asyncpg.Record,
    stamp: int,
    scope: asyncpg.Record,
    closed: Iterable[UUID],
) -> Settled:
    dirty, facts = one.dirty, one.facts
    said = (state["trashed_at"], state["removed_at"])
    if facts is not None:
        said = (facts.trashed_at, facts.removed_at)
    return Settled(
        document=dirty.document,
        scope=dirty.scope,
        kind=dirty.kind,
        name=dirty.name,
        stamp=stamp,
        deleted=state["deleted"] or scope["deleted"] or said != (None, None),
        size=dirty.size,
        trashed=said[0] is not None and said[1] is None and not state["deleted"],
        was_deleted=state["was_deleted"],
        closed=dirty.document in closed,
        facts=facts,
    )


def _before(settled: Iterable[Settled], states: Mapping[UUID, asyncpg.Record]) -> Iterator[Place]:
    """Where they stood in the feed."""
    for one in settled:
        state = states[one.document]
        if state["was_stamp"] is not None:
            was = (state[f"was_{name}"] for name in ("stamp", "deleted", "trashed", "size"))
            yield Place(one.scope, *was)


def _place(one: Settled) -> Place:
    return Place(one.scope, one.stamp, one.deleted, one.trashed, one.size)


async def _write(
    connection: Connection,
    due: Sequence[Projected],
    settled: Sequence[Settled],
    more: Sequence[object],
) -> None:
    known = [p for p in due if p.facts is not None]
    facts = [p.facts for p in due if p.facts is not None]
    markers = {s.scope: s.stamp + len(s.records) for s in settled}
    await connection.execute(
        _WRITE,
        [p.dirty.document for p in due],
        [p.sequence for p in due],
        [p.dirty.lineage for p in due],
        [s.scope for s in settled],
        [s.stamp for s in settled],
        [s.deleted for s in settled],
        [p.dirty.scope for p in known],
        [p.dirty.document for p in known],
        [p.sequence for p in known],
        [p.dirty.lineage for p in known],
        [f.trashed_at for f in facts],
        [f.removed_at for f in facts],
        [f.title for f in facts],
        [f.state_vector for f in facts],
        [f.delete_only for f in facts],
        list(markers),
        list(markers.values()),
        *more,
    )
