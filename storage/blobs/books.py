"""Who uses which blob, in PostgreSQL: counted, so that what nobody uses can go.

    stored     begin (a row, not ready) → the store publishes → finish (ready)
    collected  condemn (not ready) → under the row's lock: the store deletes → the row goes

So of a blob that is stored again while it is being removed, the bytes are published after they
were deleted, or are not deleted: `begin` touches the row and waits for a removal that holds it, and
a removal passes over a row that was touched. Locks are taken in this order: accounts, blobs, uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from storage.errors import QuotaExceeded, UnknownBlob
from storage.pool import Asked, Connection

DERIVED = "derived"
"""The kind of use of what was made from another blob, whose hash in hex is the holder: a thumbnail.
It is let go when that blob is."""


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody needs a blob."""

    kind: str
    """What kind of holder: "file", "derived", "image"; each part of the program has its own."""
    holder: str
    """Which one of that kind: the id of a document, a site, …"""
    account: str | None = None
    """Whose quota it counts in; None: nobody's."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What an account uses."""

    files: int = 0
    bytes: int = 0
    reserved_bytes: int = 0
    """Announced by uploads that are under way; they count as used."""


_BEGIN = """
INSERT INTO blobs (hash, size) VALUES ($1, $2)
ON CONFLICT (hash) DO UPDATE SET touched_at = now()
"""
_FINISH = "UPDATE blobs SET ready = true, touched_at = now() WHERE hash = $1 RETURNING true"
_FIND = "SELECT size FROM blobs WHERE hash = $1 AND ready"
_LOCK_ACCOUNT = """
INSERT INTO blob_accounts (account) VALUES ($1)
ON CONFLICT (account) DO UPDATE SET files = blob_accounts.files
RETURNING blob_accounts.files, blob_accounts.bytes, blob_accounts.reserved_bytes
"""
_LOCK_BLOB = "SELECT size FROM blobs WHERE hash = $1 AND ready FOR UPDATE"
_USE = """
INSERT INTO blob_uses (hash, kind, holder, account) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING true
"""
_COUNT_USE = "UPDATE blobs SET uses = uses + 1, touched_at = now() WHERE hash = $1"
_COUNT_ACCOUNT = """
UPDATE blob_accounts SET files = files + 1, bytes = bytes + $2 WHERE account = $1
"""
_RESERVE = "UPDATE blob_accounts SET reserved_bytes = reserved_bytes + $2 WHERE account = $1"
_RELEASE = """
WITH wanted AS MATERIALIZED (
    SELECT hash, account FROM blob_uses
    WHERE kind = $1 AND holder = $2 AND ($3::bytea IS NULL OR hash = $3)
), accounts AS MATERIALIZED (
    SELECT account FROM blob_accounts WHERE account IN (SELECT account FROM wanted)
    ORDER BY account FOR UPDATE
), locked AS MATERIALIZED (
    SELECT hash, size FROM blobs
    WHERE hash IN (SELECT hash FROM wanted) AND (SELECT count(*) FROM accounts) >= 0
    ORDER BY hash FOR UPDATE
), gone AS (
    DELETE FROM blob_uses u USING locked l
    WHERE u.hash = l.hash AND u.kind = $1 AND u.holder = $2 RETURNING u.hash, u.account, l.size
), uncounted AS (
    UPDATE blobs b SET uses = uses - 1, touched_at = now() FROM gone WHERE b.hash = gone.hash
), freed AS (
    UPDATE blob_accounts a SET files = a.files - g.files, bytes = a.bytes - g.bytes
    FROM (SELECT account, count(*) AS files, sum(size)::bigint AS bytes
          FROM gone WHERE account IS NOT NULL GROUP BY account) g
    WHERE a.account = g.account
)
SELECT hash FROM gone
"""
_USAGE = "SELECT files, bytes, reserved_bytes FROM blob_accounts WHERE account = $1"
_CONDEMN = """
UPDATE blobs SET ready = false WHERE hash IN (
    SELECT hash FROM blobs WHERE uses = 0 AND touched_at < $1
    ORDER BY touched_at LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING hash
"""
_LOCK_CONDEMNED = """
SELECT true FROM blobs WHERE hash = $1 AND uses = 0 AND NOT ready AND touched_at < $2 FOR UPDATE
"""
_FORGET = "DELETE FROM blobs WHERE hash = $1"


async def begin(connection: Asked, digest: bytes, size: int) -> None:
    """Bytes are about to be published: nobody removes them from now on for the grace time."""
    await connection.execute(_BEGIN, digest, size)


async def finish(connection: Asked, digest: bytes) -> bool:
    """The bytes were published. False where the row is gone, which the grace time rules out."""
    return bool(await connection.fetchval(_FINISH, digest))


async def find(connection: Asked, digest: bytes) -> int | None:
    """The size of a blob that is there."""
    found: int | None = await connection.fetchval(_FIND, digest)
    return found


async def use(connection: Connection, digest: bytes, by: Use, quota: int | None = None) -> bool:
    """Somebody needs a blob; whether that is new. Inside a transaction.

    Raises UnknownBlob (store it again), or QuotaExceeded where `quota` bytes do not suffice.
    """
    if by.account is not None:
        usage = await lock(connection, by.account)
    size = await connection.fetchval(_LOCK_BLOB, digest)
    if size is None:
        raise UnknownBlob(digest.hex())
    if not await connection.fetchval(_USE, digest, by.kind, by.holder, by.account):
        return False
    await connection.execute(_COUNT_USE, digest)
    if by.account is not None:
        _judge(usage, size, quota)
        await connection.execute(_COUNT_ACCOUNT, by.account, size)
    return True


async def release(
    connection: Asked, kind: str, holder: str, digest: bytes | None = None
) -> list[bytes]:
    """A holder needs one blob, or all of its blobs, no more; which those were."""
    return [row["hash"] for row in await connection.fetch(_RELEASE, kind, holder, digest)]


async def reserve(
    connection: Connection, account: str, size: int, quota: int | None = None
) -> None:
    """Set bytes of a quota aside for an upload. Inside a transaction. Raises QuotaExceeded."""
    _judge(await lock(connection, account), size, quota)
    await connection.execute(_RESERVE, account, size)


async def unreserve(connection: Connection, account: str, size: int) -> None:
    """An upload ended: what it set aside is free again, or counted as a use from now on."""
    await connection.execute(_RESERVE, account, -size)


async def usage(connection: Asked, account: str) -> Usage:
    """What an account uses."""
    row = await connection.fetchrow(_USAGE, account)
    return Usage() if row is None else Usage(**row)


async def condemn(connection: Asked, before: datetime, limit: int) -> Sequence[bytes]:
    """Blobs that nobody used since before a moment: from now on nobody can begin to use them."""
    return [row["hash"] for row in await connection.fetch(_CONDEMN, before, limit)]


async def lock_condemned(connection: Connection, digest: bytes, before: datetime) -> bool:
    """Whether a blob is still to go; if so nobody can store it until the transaction ends."""
    return bool(await connection.fetchval(_LOCK_CONDEMNED, digest, before))


async def forget(connection: Connection, digest: bytes) -> None:
    """The bytes are gone from the store."""
    await connection.execute(_FORGET, digest)


async def lock(connection: Connection, account: str) -> Usage:
    """What an account uses, which stays so until the transaction ends."""
    row = await connection.fetchrow(_LOCK_ACCOUNT, account)
    assert row is not None
    return Usage(**row)


def _judge(usage: Usage, wanted: int, quota: int | None) -> None:
    used = usage.bytes + usage.reserved_bytes
    if quota is not None and used + wanted > quota:
        raise QuotaExceeded(wanted=wanted, used=used, quota=quota)
