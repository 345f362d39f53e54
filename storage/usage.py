"""How much an account has stored, counted from what is there."""

import msgspec

from storage.errors import reaching
from storage.pool import Pool


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What counts as an account's: the workspaces that it owns, its files and its credentials."""

    workspaces: int
    documents: int
    """Those in the trash included."""
    log_bytes: int
    snapshot_bytes: int
    history_bytes: int
    """Kept to read older versions: rows behind the snapshots, merged ones, and named versions."""
    files: int
    file_bytes: int
    """A file that several blocks have counts once for each."""
    reserved_bytes: int
    """Announced by uploads that are under way."""
    devices: int
    sessions: int
    access_tokens: int


_USAGE = """
WITH own AS (
    SELECT d.id, h.snapshot_sequence, h.log_bytes, h.snapshot_bytes
    FROM scopes s JOIN documents d ON d.scope = s.id AND d.purged_at IS NULL
    JOIN heads h ON h.document = d.id
    WHERE s.owner = $1 AND s.kind = 'workspace' AND s.deleted_at IS NULL
), kept AS (
    SELECT octet_length(u.data) AS size FROM own
    JOIN updates u ON u.document = own.id AND u.sequence <= own.snapshot_sequence AND NOT u.pending
    UNION ALL SELECT octet_length(data) FROM own JOIN history ON document = own.id
    UNION ALL SELECT octet_length(data) FROM own JOIN named_versions ON document = own.id
)
SELECT s.workspaces, d.documents, d.log_bytes, d.snapshot_bytes,
       (SELECT coalesce(sum(size), 0)::bigint FROM kept) AS history_bytes,
       coalesce(b.files, 0) AS files, coalesce(b.bytes, 0) AS file_bytes,
       coalesce(b.reserved_bytes, 0) AS reserved_bytes,
       (SELECT count(*) FROM account_keys WHERE account = $1) AS devices,
       (SELECT count(*) FROM refresh_families
        WHERE account = $1 AND expires_at > to_timestamp($2)) AS sessions,
       (SELECT count(*) FROM access_tokens WHERE account = $1
        AND (expires_at IS NULL OR expires_at > to_timestamp($2))) AS access_tokens
FROM (
    SELECT count(*) AS workspaces FROM scopes
    WHERE owner = $1 AND kind = 'workspace' AND deleted_at IS NULL
) s CROSS JOIN (
    SELECT count(*) AS documents, coalesce(sum(log_bytes), 0)::bigint AS log_bytes,
           coalesce(sum(snapshot_bytes), 0)::bigint AS snapshot_bytes
    FROM own
) d LEFT JOIN blob_accounts b ON b.account = $1
"""


class Usages:
    """Counts what accounts have stored. Raises Unavailable with the database out of reach."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of(self, account: str, now: float) -> Usage:
        """What an account has at `now` (epoch seconds)."""
        with reaching():
            row = await self._pool.fetchrow(_USAGE, account, now)
        assert row is not None
        return Usage(**row)
