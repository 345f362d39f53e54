"""A database taken back in time: every document as it was at a moment, or one after some row.

Rows of the log above the cut go, and a snapshot of what is left takes their place, so it does not
matter whether older rows were merged meanwhile: a document is cut where a version of it ends. What
came later than the moment goes altogether; what was deleted later comes back, unless its content
was removed for good. Accounts, rights and tokens stay as they are in the backup: nobody gets back
a right that was taken away.

Editors that still hold later edits bring them back, as they do with any edit made offline. Who must
not have that restores a version over REST instead, which is an edit of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from storage import derived, files
from storage.backup.tables import BackupError
from storage.errors import reaching
from storage.loading import unpack
from storage.pool import Connection, Pool, transaction
from storage.squeezing import squeeze
from storage.tallies import recount


class Rewound(msgspec.Struct, kw_only=True):
    """What a rewinding did."""

    cut: int = 0
    """Documents of which rows went."""
    rows: int = 0
    """How many rows."""
    removed: int = 0
    """Documents that came later."""
    revived: int = 0
    """Documents that were deleted later."""


_LATER = "SELECT id FROM documents WHERE created_at > $1"
_DELETED_LATER = """
SELECT id FROM documents WHERE deleted_at > $1 AND purged_at IS NULL AND created_at <= $1
"""
_REVIVE = (
    "UPDATE heads SET deleted = false, dirty = true WHERE document = ANY ($1)",
    "UPDATE documents SET deleted_at = NULL WHERE id = ANY ($1)",
)
_REVIVE_SCOPES = "UPDATE scopes SET deleted_at = NULL WHERE deleted_at > $1"
_CHANGED = """
SELECT h.document FROM heads h JOIN documents d ON d.id = h.document
WHERE d.purged_at IS NULL AND EXISTS (
    SELECT FROM updates u WHERE u.document = h.document AND u.at > $1
    UNION ALL SELECT FROM history y WHERE y.document = h.document AND y.at > $1)
"""
_CUT_AT = """
SELECT coalesce(max(last), 0) FROM (
    SELECT sequence AS last FROM updates WHERE document = $1 AND at <= $2
      AND NOT EXISTS (SELECT FROM history y WHERE y.document = $1
                      AND y.first <= sequence AND y.last > sequence)
    UNION ALL SELECT last FROM history WHERE document = $1 AND at <= $2) pieces
"""
_CUT_BELOW = """
SELECT coalesce(max(last), 0) FROM (
    SELECT sequence AS last FROM updates WHERE document = $1 AND sequence <= $2
      AND NOT EXISTS (SELECT FROM history y WHERE y.document = $1
                      AND y.first <= sequence AND y.last > sequence)
    UNION ALL SELECT last FROM history WHERE document = $1 AND last <= $2) pieces
"""
_HEAD = "SELECT head, lineage FROM heads WHERE document = $1 FOR UPDATE"
_BACK = """
SELECT lineage, (SELECT coalesce(max(sequence), 0) FROM retired_lineages
                 WHERE document = $1 AND sequence < $2) AS start
FROM retired_lineages WHERE document = $1 AND sequence >= $2 ORDER BY sequence LIMIT 1
"""
_START = "SELECT coalesce(max(sequence), 0) FROM retired_lineages WHERE document = $1"
_PIECES = """
SELECT last, encoding, data FROM (
    SELECT sequence AS last, 0::smallint AS encoding, data FROM updates
    WHERE document = $1 AND sequence > $2 AND sequence <= $3 AND data <> ''
    UNION ALL
    SELECT last, encoding, data FROM history WHERE document = $1 AND last > $2 AND last <= $3
) pieces ORDER BY last
"""
_DROP = (
    "DELETE FROM updates WHERE document = $1 AND sequence > $2",
    "DELETE FROM history WHERE document = $1 AND last > $2",
    "DELETE FROM quarantine WHERE document = $1 AND sequence > $2",
    "DELETE FROM retired_lineages WHERE document = $1 AND sequence >= $2",
    "DELETE FROM named_versions WHERE document = $1 AND sequence > $2",
)
_FORGET = (
    "DELETE FROM snapshots WHERE document = $1",
    "UPDATE updates SET pending = false WHERE document = $1 AND pending",
    # Read again from the documents.
    "DELETE FROM blocks WHERE document = $1",
    "DELETE FROM block_texts WHERE document = $1",
    "DELETE FROM relations WHERE document = $1",
    "DELETE FROM record_marks WHERE document = $1",
)
_SNAPSHOT = """
INSERT INTO snapshots (document, lineage, sequence, encoding, data, state_vector, delete_only)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_WAITS = "UPDATE updates SET pending = true WHERE document = $1 AND sequence = ANY ($2)"
_SET_HEAD = """
UPDATE heads SET head = $2, lineage = $3, snapshot_sequence = $2, snapshot_bytes = $4,
                 log_bytes = 0, dirty = true
WHERE document = $1
"""
_SET_DOCUMENT = """
UPDATE documents SET lineage = $2, sync_version = sync_version + 1 WHERE id = $1
"""
_THEIR_SCOPES = """
SELECT id FROM scopes WHERE id IN (SELECT scope FROM documents WHERE id = ANY ($1))
ORDER BY id FOR NO KEY UPDATE
"""
_HOLDERS = """
SELECT table_name FROM information_schema.columns
WHERE table_schema = current_schema() AND column_name = 'document' AND udt_name = 'uuid'
"""


async def rewind(pool: Pool, moment: datetime) -> Rewound:
    """Take every document back to a moment. Raises BackupError, Unavailable."""
    done = Rewound()
    with reaching():
        async with transaction(pool) as connection:
            later = [row[0] for row in await connection.fetch(_LATER, moment)]
            await remove_documents(connection, later)
            back = [row[0] for row in await connection.fetch(_DELETED_LATER, moment)]
            for sql in _REVIVE:
                await connection.execute(sql, back)
            await connection.execute(_REVIVE_SCOPES, moment)
            done.removed, done.revived = len(later), len(back)
        changed = [row[0] for row in await pool.fetch(_CHANGED, moment)]
        for document in changed:
            async with transaction(pool) as connection:
                cut = await connection.fetchval(_CUT_AT, document, moment)
                _add(done, await _cut(connection, document, cut))
    return done


async def rewind_one(pool: Pool, document: UUID, sequence: int) -> Rewound:
    """Take one document back to where row `sequence` was its last.

    In a stretch of history that was merged, to the version before it. Raises BackupError.
    """
    done = Rewound()
    with reaching():
        async with transaction(pool) as connection:
            cut = await connection.fetchval(_CUT_BELOW, document, sequence)
            _add(done, await _cut(connection, document, cut))
    return done


async def remove_documents(connection: Connection, documents: Iterable[UUID]) -> None:
    """Remove documents with all that hangs on them, as if they had never been."""
    gone = list(documents)
    if not gone:
        return
    scopes = [row[0] for row in await connection.fetch(_THEIR_SCOPES, gone)]
    for document in gone:
        await files.forget(connection, document)
        await derived.forget(connection, document)
    holders = {row[0] for row in await connection.fetch(_HOLDERS)}
    # What refers to documents by other columns follows from these (ON DELETE CASCADE).
    for name in sorted(holders - {"heads"}):
        await connection.execute(f'DELETE FROM "{name}" WHERE document = ANY ($1)', gone)  # noqa: S608
    await connection.execute("DELETE FROM heads WHERE document = ANY ($1)", gone)
    await connection.execute("DELETE FROM documents WHERE id = ANY ($1)", gone)
    for scope in scopes:
        await recount(connection, scope)


def _add(done: Rewound, rows: int) -> None:
    done.rows += rows
    done.cut += rows > 0


async def _cut(connection: Connection, document: UUID, cut: int) -> int:
    """Let a document's log end at `cut`; how many rows went."""
    head = await connection.fetchrow(_HEAD, document)
    if head is None:
        raise BackupError(f"there is no document {document}")
    if cut >= head["head"]:
        return 0
    back = await connection.fetchrow(_BACK, document, cut)
    lineage = head["lineage"] if back is None else back["lineage"]
    start = await connection.fetchval(_START, document) if back is None else back["start"]
    rows = await connection.fetch(_PIECES, document, start, cut)
    squeezed = squeeze(None, await _plain(rows))
    if isinstance(squeezed, str):
        raise BackupError(f"document {document} cannot be cut at {cut}: {squeezed}")
    for sql in _DROP:
        await connection.execute(sql, document, cut)
    for sql in _FORGET:
        await connection.execute(sql, document)
    if cut > start:
        await connection.execute(
            _SNAPSHOT,
            document,
            lineage,
            cut,
            squeezed.encoding,
            squeezed.data,
            squeezed.state_vector,
            squeezed.delete_only,
        )
    await connection.execute(_WAITS, document, squeezed.pending)
    plain = squeezed.plain_bytes if cut > start else 0
    await connection.execute(_SET_HEAD, document, cut, lineage, plain)
    await connection.execute(_SET_DOCUMENT, document, lineage)
    return int(head["head"]) - cut


async def _plain(rows: list[asyncpg.Record]) -> list[tuple[int, bytes]]:
    return [(row["last"], await unpack(row["encoding"], row["data"])) for row in rows]
