"""A new lineage of a document: its content starts anew, and clients of the old one must reset.

The old lineage's state vector stays, so that a session or a push that names client ids found only
there is recognised and refused instead of doubling the content.
"""

from __future__ import annotations

from uuid import UUID

from crdt.document import Document, delete_only, state_vector_of
from storage.errors import UnknownDocument
from storage.loading import Loaded, pack
from storage.pool import Connection

_LOCK_SNAPSHOT = "SELECT 1 FROM snapshots WHERE document = $1 FOR UPDATE"
_NEXT = """
UPDATE heads SET lineage = lineage + 1, head = head + 1, snapshot_sequence = head + 1,
                 snapshot_bytes = $3, log_bytes = 0, dirty = true
WHERE document = $1 AND lineage = $2 RETURNING lineage, head
"""
_RETIRE = """
INSERT INTO retired_lineages (document, lineage, sequence, state_vector) VALUES ($1, $2, $3, $4)
"""
_FORGET_PENDING = "UPDATE updates SET pending = false WHERE document = $1 AND pending"
_ROW = """
INSERT INTO updates (document, sequence, at, writer, batch, data, author)
VALUES ($1, $2, now(), 0, 0, $3, $4)
"""
_SNAPSHOT = """
INSERT INTO snapshots (document, lineage, sequence, encoding, data, state_vector, delete_only)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (document) DO UPDATE SET lineage = $2, sequence = $3, encoding = $4, data = $5,
    state_vector = $6, delete_only = $7, at = now()
"""


async def replace(
    connection: Connection, document: UUID, old: Loaded, update: bytes, author: str | None
) -> int:
    """Write the new lineage's first row and snapshot; answers its number.

    Raises UnknownDocument when somebody else replaced the document since it was loaded.
    """
    rows = [row.data for row in old.rows]
    vector = Document.rebuild([old.snapshot, *rows] if old.snapshot else rows).state_vector()
    fresh = Document.rebuild([update]).encode()
    encoding, data = pack(fresh)
    await connection.execute(_LOCK_SNAPSHOT, document)  # Before the head, as compaction does it.
    new = await connection.fetchrow(_NEXT, document, old.lineage, len(fresh))
    if new is None:
        raise UnknownDocument(document)
    lineage, head = new
    await connection.execute(_RETIRE, document, old.lineage, head - 1, vector)
    await connection.execute(_FORGET_PENDING, document)
    await connection.execute(_ROW, document, head, update, author)
    facts = (state_vector_of(fresh), delete_only(fresh))
    await connection.execute(_SNAPSHOT, document, lineage, head, encoding, data, *facts)
    return int(lineage)
