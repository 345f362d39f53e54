"""Proof that a database holds together: each document rebuilt from its log, and all else compared.

For each document: the log has no gap and ends where its head says; the sum of its bytes is the
head's; the whole log rebuilds, and what a server would load (snapshot and the rows after it) says
the same, struct for struct; the snapshot's state vector is its own; and what is derived (titles,
trash, words, relations, files) is what the document says, where it claims to be of that row. A
server may go on working meanwhile: each document is looked at as it is at one moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from crdt import blocks, projection
from crdt.document import Document, delete_only, state_vector_of
from crdt.errors import DocumentBroken, UpdateError
from storage.errors import reaching
from storage.extracts import body_form, storable, target_form
from storage.loading import unpack
from storage.pool import Connection, Pool
from storage.tallies import WRONG

_PAGE = 500
_KIND = "block"

_IDS = "SELECT id FROM documents WHERE id > $1 ORDER BY id LIMIT $2"
_DOCUMENT = """
SELECT d.id, d.kind, d.lineage AS named_lineage, d.deleted_at IS NOT NULL AS is_deleted,
       d.purged_at IS NOT NULL AS is_purged, h.*,
       s.sequence AS s_sequence, s.lineage AS s_lineage, s.encoding AS s_encoding,
       s.data AS s_data, s.state_vector AS s_vector, s.delete_only AS s_deletes,
       (SELECT coalesce(max(sequence), 0) FROM retired_lineages r WHERE r.document = d.id) AS start
FROM documents d LEFT JOIN heads h ON h.document = d.id LEFT JOIN snapshots s ON s.document = d.id
WHERE d.id = $1
"""
_ROWS = """
SELECT sequence, data, pending FROM updates WHERE document = $1 ORDER BY sequence
"""
_MERGED = "SELECT first, last, encoding, data FROM history WHERE document = $1 ORDER BY last"
_KNOWN = "SELECT * FROM blocks WHERE document = $1"
_TEXTS = "SELECT * FROM block_texts WHERE document = $1"
_RELATIONS = "SELECT kind, target, label FROM relations WHERE document = $1"
_STAMPED = """
SELECT EXISTS (SELECT FROM changes c WHERE c.document = $1 AND c.collection = '' AND c.record = '')
"""
_ORPHANS = """
SELECT 'updates' AS what, count(*) AS count FROM updates u
WHERE NOT EXISTS (SELECT FROM documents d WHERE d.id = u.document)
UNION ALL SELECT 'snapshots', count(*) FROM snapshots s
WHERE NOT EXISTS (SELECT FROM documents d WHERE d.id = s.document)
UNION ALL SELECT 'blobs counted wrongly', count(*) FROM blobs b
WHERE b.uses <> (SELECT count(*) FROM blob_uses u WHERE u.hash = b.hash)
UNION ALL SELECT 'files without their bytes', count(*) FROM files f
WHERE NOT EXISTS (SELECT FROM blobs b WHERE b.hash = f.hash AND b.ready)
UNION ALL SELECT 'accounts without a workspace', count(*) FROM accounts a
WHERE NOT EXISTS (SELECT FROM scopes s WHERE s.id = a.default_workspace)
"""
BLOBS = "SELECT hash, size FROM blobs WHERE ready ORDER BY hash"


class Problem(msgspec.Struct, frozen=True):
    """Something that does not fit."""

    where: str
    what: str


class Verified(msgspec.Struct, kw_only=True):
    """What was looked at, and what does not fit."""

    documents: int = 0
    rows: int = 0
    snapshots: int = 0
    projections: int = 0
    problems: list[Problem] = []

    def add(self, where: object, what: str) -> None:
        """Note a problem."""
        self.problems = [*self.problems, Problem(str(where), what)]


async def verify(pool: Pool, told: Callable[[Verified], None] = lambda _: None) -> Verified:
    """Look at everything; `told` hears how far it is after each page. Raises Unavailable."""
    done = Verified()
    after = UUID(int=0)
    with reaching():
        while ids := [row[0] for row in await pool.fetch(_IDS, after, _PAGE)]:
            for document in ids:
                async with (
                    pool.acquire() as connection,
                    connection.transaction(isolation="repeatable_read", readonly=True),
                ):
                    await _document(connection, document, done)
            after = ids[-1]
            told(done)
        for row in await pool.fetch(_ORPHANS):
            if row["count"]:
                done.add("database", f"{row['what']}: {row['count']}")
        for row in await pool.fetch(WRONG):
            done.add(f"workspace {row['scope']}", "its changes are counted wrongly")
    return done


async def _document(connection: Connection, document: UUID, done: Verified) -> None:
    done.documents += 1
    record = await connection.fetchrow(_DOCUMENT, document)
    if record is None:
        return  # It was removed a moment ago.
    if record["head"] is None:
        done.add(document, "it has no head")
        return
    rows = await connection.fetch(_ROWS, document)
    merged = await connection.fetch(_MERGED, document)
    done.rows += len(rows)
    for what in _of_head(record, rows, merged):
        done.add(document, what)
    if record["is_purged"]:
        if rows or merged or record["s_sequence"] is not None:
            done.add(document, "it was removed for good, and still holds content")
        return
    if not (rows or merged or record["s_sequence"] is not None):
        return
    try:
        whole = await _rebuilt(record, rows, merged)
        for what in await _of_load(record, rows, whole, done):
            done.add(document, what)
        if record["kind"] == _KIND:
            await _derived(connection, record, whole, done)
    except (DocumentBroken, UpdateError) as error:
        done.add(document, f"it does not rebuild from its log: {error}")


def _of_head(
    record: asyncpg.Record, rows: list[asyncpg.Record], merged: list[asyncpg.Record]
) -> Iterator[str]:
    """The counts and bounds that a head states."""
    if record["named_lineage"] != record["lineage"]:
        yield f"its head has lineage {record['lineage']}, it {record['named_lineage']}"
    if record["is_deleted"] != record["deleted"]:
        yield "its head and it disagree about its deletion"
    if record["is_purged"]:
        return
    covered = sorted(
        [(row["sequence"], row["sequence"]) for row in rows]
        + [(row["first"], row["last"]) for row in merged]
    )
    reached = 0
    for first, last in covered:
        if first > reached + 1:
            yield f"rows {reached + 1} to {first - 1} are missing"
        reached = max(reached, last)
    if reached != record["head"]:
        yield f"its log ends at {reached}, its head says {record['head']}"
    boundary = record["snapshot_sequence"]
    tail = sum(len(row["data"]) for row in rows if row["sequence"] > boundary)
    if tail != record["log_bytes"]:
        yield f"{tail} bytes follow its snapshot, its head says {record['log_bytes']}"
    if (record["s_sequence"] or 0) != boundary:
        yield f"its snapshot is of row {record['s_sequence']}, its head says {boundary}"


async def _rebuilt(
    record: asyncpg.Record, rows: list[asyncpg.Record], merged: list[asyncpg.Record]
) -> Document:
    """The document of its whole log, without any snapshot."""
    start = record["start"]
    pieces = [(row["sequence"], row["data"]) for row in rows if row["data"]]
    pieces += [(row["last"], await unpack(row["encoding"], row["data"])) for row in merged]
    return Document.rebuild([data for at, data in sorted(pieces) if at > start])


async def _of_load(
    record: asyncpg.Record, rows: list[asyncpg.Record], whole: Document, done: Verified
) -> list[str]:
    """What a server would load, against the whole log."""
    found = []
    boundary = record["snapshot_sequence"]
    updates = [
        row["data"]
        for row in rows
        if row["data"] and (row["sequence"] > boundary or row["pending"])
    ]
    if record["s_data"] is not None:
        done.snapshots += 1
        snapshot = await unpack(record["s_encoding"], record["s_data"])
        updates.insert(0, snapshot)
        if record["s_lineage"] != record["lineage"]:
            found.append("its snapshot is of another lineage")
        if state_vector_of(snapshot) != record["s_vector"]:
            found.append("its snapshot's state vector is not the one beside it")
        if delete_only(snapshot) != record["s_deletes"]:
            found.append("its snapshot's deletions are not those beside it")
    if not whole.same(Document.rebuild(updates)):
        found.append("its snapshot and the rows after it do not say what its log says")
    return found


async def _derived(
    connection: Connection, record: asyncpg.Record, whole: Document, done: Verified
) -> None:
    """What other tables say that the document says; of an older row they may say anything."""
    document = record["id"]
    now = (record["head"], record["lineage"])
    known = await connection.fetchrow(_KNOWN, document)
    if not record["dirty"]:
        if not await connection.fetchval(_STAMPED, document):
            done.add(document, "the change feed never told of it")
        if not record["deleted"] and known is None:
            done.add(document, "nothing is known of it, although it is settled")
    if known is not None and not record["deleted"] and _place(known) == now:
        done.projections += 1
        for what in _unlike(known, blocks.read(whole)):
            done.add(document, what)
    texts = await connection.fetchrow(_TEXTS, document)
    if texts is not None and _place(texts) == now:
        done.projections += 1
        related = await connection.fetch(_RELATIONS, document)
        for what in _unread(texts, related, projection.project(whole)):
            done.add(document, what)


def _place(row: asyncpg.Record) -> tuple[int, int]:
    return row["sequence"], row["lineage"]


def _unlike(known: asyncpg.Record, facts: blocks.Facts) -> Iterator[str]:
    for name in ("title", "trashed_at", "removed_at", "state_vector", "delete_only"):
        if known[name] != getattr(facts, name):
            yield f"its {name} is not what is kept beside it"


def _unread(
    texts: asyncpg.Record, related: list[asyncpg.Record], seen: projection.Projection
) -> Iterator[str]:
    said: dict[str, Any] = {
        "title": storable(seen.title),
        "body": body_form(seen.text),
        "files": len(seen.files),
    }
    for name, value in said.items():
        if texts[name] != value:
            yield f"its {name} is not what search knows"
    kept = {(row["kind"], row["target"]) for row in related}
    if kept != {(storable(r.kind), target_form(r.target)) for r in seen.relations}:
        yield "its relations are not those that are kept"
