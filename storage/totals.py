"""How much is stored in all, for those who run the server."""

from __future__ import annotations

import msgspec

from storage.errors import reaching
from storage.pool import Pool


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Counts and bytes of everything in the store."""

    accounts: int
    accounts_pending: int
    workspaces: int
    documents: int
    log_bytes: int
    snapshot_bytes: int
    files: int
    file_bytes: int
    """Each content once, however many blocks have it."""
    database_bytes: int
    """On disk, indexes and what is not vacuumed yet included."""


_TOTALS = """
SELECT (SELECT count(*) FROM accounts WHERE state = 'active') AS accounts,
       (SELECT count(*) FROM accounts WHERE state = 'pending') AS accounts_pending,
       (SELECT count(*) FROM scopes WHERE kind = 'workspace' AND deleted_at IS NULL) AS workspaces,
       h.documents, h.log_bytes, h.snapshot_bytes, b.files, b.file_bytes,
       pg_database_size(current_database())::bigint AS database_bytes
FROM (SELECT count(*) AS documents, coalesce(sum(log_bytes), 0)::bigint AS log_bytes,
             coalesce(sum(snapshot_bytes), 0)::bigint AS snapshot_bytes FROM heads) h,
     (SELECT count(*) AS files, coalesce(sum(size), 0)::bigint AS file_bytes
      FROM blobs WHERE ready) b
"""


async def totals(pool: Pool) -> Totals:
    """Count everything; it reads a narrow table whole, so ask for it seldom."""
    with reaching():
        row = await pool.fetchrow(_TOTALS)
    assert row is not None
    return Totals(**dict(row))
