"""What was set aside because it breaks a document: kept on record, out of every load."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from storage.errors import LogBroken
from storage.pool import Connection

REFUSED_KEPT_MAX: Final = 100
"""Refused updates kept for one document; the oldest go first."""

_ROW = """
WITH bad AS (
    SELECT u.*, h.lineage FROM updates u JOIN heads h USING (document)
    WHERE u.document = $1 AND u.sequence = $2 AND u.data <> ''
), kept AS (
    INSERT INTO quarantine (document, digest, sequence, lineage, data, reason, author, device, at)
    SELECT document, sha256(data), sequence, lineage, data, $3, author, device, at FROM bad
    ON CONFLICT (document, digest) DO UPDATE SET sequence = excluded.sequence
)
UPDATE updates SET data = '', pending = false WHERE document = $1 AND sequence = $2
"""
_SNAPSHOT = """
WITH bad AS (DELETE FROM snapshots WHERE document = $1 RETURNING *)
INSERT INTO quarantine (document, digest, sequence, lineage, data, reason)
SELECT document, sha256(data), 0, lineage, data, $2 FROM bad ON CONFLICT DO NOTHING
"""
_READ_WHOLE_LOG = """
UPDATE heads h SET snapshot_sequence = 0, snapshot_bytes = 0, log_bytes = coalesce(
    (SELECT sum(octet_length(data)) FROM updates WHERE document = $1), 0)
WHERE document = $1
  AND NOT EXISTS (SELECT FROM history WHERE document = $1)
  AND NOT EXISTS (SELECT FROM retired_lineages WHERE document = $1)
"""
_UPDATE = """
INSERT INTO quarantine (document, digest, lineage, data, reason, author, device)
SELECT id, sha256($2), lineage, $2, $3, $4, $5 FROM documents WHERE id = $1 ON CONFLICT DO NOTHING
"""
_TRIM = """
DELETE FROM quarantine WHERE document = $1 AND sequence IS NULL AND digest NOT IN (
    SELECT digest FROM quarantine WHERE document = $1 AND sequence IS NULL
    ORDER BY at DESC, digest LIMIT $2)
"""


async def set_row_aside(connection: Connection, document: UUID, sequence: int, reason: str) -> None:
    """Empty a stored row and keep its bytes here; sequence 0 means the snapshot."""
    if sequence > 0:
        await connection.execute(_ROW, document, sequence, reason)
        return
    await connection.execute(_SNAPSHOT, document, reason)
    if await connection.execute(_READ_WHOLE_LOG, document) != "UPDATE 1":
        raise LogBroken(document, "the snapshot is bad, and older rows are merged or retired")


async def keep_update(
    connection: Connection,
    document: UUID,
    update: bytes,
    *,
    reason: str,
    author: str | None,
    device: str | None,
) -> None:
    """Record an update that never got into the log; exact repeats are kept once."""
    await connection.execute(_UPDATE, document, update, reason, author, device)
    await connection.execute(_TRIM, document, REFUSED_KEPT_MAX)
