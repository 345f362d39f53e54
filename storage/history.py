"""Versions of a document, and the thinning of old ones.

A version is the document after some row: the rows up to it, rebuilt. Thinning merges all rows of an
hour, later those of a day, into one row of `history` that keeps the time, the stretch of sequences
and everybody who wrote in it, and deletes the merged rows. Every kept version stays readable, and
since nothing is ever cut out of the middle, so does every later one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby
from uuid import UUID

import asyncpg
import msgspec

from storage.compaction import Run, run_inline
from storage.errors import LogBroken, reaching
from storage.loading import unpack
from storage.pool import Connection, Pool, transaction
from storage.squeezing import merge_pieces

PIECES_MAX = 20_000
PIECE_BYTES_MAX = 32 << 20
"""Rows and bytes, oldest first, that one thinning works on; a longer history takes several."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One readable state of a document: after row `last`."""

    first: int
    last: int
    """The rows since the version before it."""
    at: datetime
    authors: list[str]
    size: int


_VERSIONS = """
SELECT * FROM (
    (SELECT sequence AS first, sequence AS last, at, array_remove(ARRAY[author], NULL) AS authors,
            octet_length(data) AS size
     FROM updates WHERE document = $1 AND sequence < $2 AND data <> ''
     ORDER BY sequence DESC LIMIT $3)
    UNION ALL
    (SELECT first, last, at, authors, octet_length(data) FROM history
     WHERE document = $1 AND last < $2 ORDER BY last DESC LIMIT $3)
) versions ORDER BY last DESC LIMIT $3
"""
_PIECES = """
SELECT last, encoding, data FROM (
    SELECT sequence AS last, 0::smallint AS encoding, data FROM updates
    WHERE document = $1 AND sequence > $2 AND sequence <= $3 AND data <> ''
    UNION ALL
    SELECT last, encoding, data FROM history WHERE document = $1 AND last > $2 AND last <= $3
) pieces ORDER BY last
"""
_LINEAGE_START = """
SELECT coalesce(max(sequence), 0) FROM retired_lineages WHERE document = $1 AND sequence < $2
"""
_PLAN = """
SELECT first, last, at, started_at, authors, size, encoding, merged, pending FROM (
    SELECT sequence AS first, sequence AS last, at, at AS started_at,
           array_remove(ARRAY[author], NULL) AS authors, octet_length(data) AS size,
           0::smallint AS encoding, false AS merged, pending
    FROM updates WHERE document = $1 AND sequence > $2 AND sequence <= $3 AND data <> ''
    UNION ALL
    SELECT first, last, at, started_at, authors, octet_length(data), encoding, true, false
    FROM history WHERE document = $1 AND last > $2 AND last <= $3
) pieces ORDER BY last LIMIT $4
"""
_BOUNDARY = "SELECT sequence FROM snapshots WHERE document = $1"
_DUE = """
SELECT document FROM snapshots WHERE thin_due_at < $1 ORDER BY thin_due_at LIMIT $2
"""
_LATER = "UPDATE snapshots SET thin_due_at = $2 WHERE document = $1"
_DROP_ROWS = """
DELETE FROM updates WHERE document = $1 AND sequence = ANY ($2) AND NOT pending
"""
_DROP_MERGED = "DELETE FROM history WHERE document = $1 AND last = ANY ($2)"
_MERGED = """
INSERT INTO history (document, first, last, started_at, at, encoding, data, authors)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How fine history is kept, by age."""

    full_s: float = 86_400.0
    """Every edit for so long, then one version an hour."""
    hourly_s: float = 7 * 86_400.0
    """One version an hour for so long, then one a day."""


async def versions(
    pool: Pool, document: UUID, before: int | None = None, limit: int = 100
) -> list[Version]:
    """The newest versions below a sequence, newest first."""
    with reaching():
        rows = await pool.fetch(_VERSIONS, document, before or (1 << 62), limit)
    return [Version(**row) for row in rows]


async def read_version(pool: Pool, document: UUID, sequence: int) -> list[bytes]:
    """The updates that rebuild the version after `sequence`, of that sequence's lineage.

    Inside a merged stretch this is the version before it. Raises Unavailable.
    """
    with reaching():
        start = await pool.fetchval(_LINEAGE_START, document, sequence)
        rows = await pool.fetch(_PIECES, document, start, sequence)
    return [await unpack(encoding, data) for _, encoding, data in rows]


async def due(pool: Pool, now: datetime, limit: int = 100) -> list[UUID]:
    """Documents whose history has something to thin, longest overdue first."""
    with reaching():
        return [row[0] for row in await pool.fetch(_DUE, now, limit)]


async def thin(
    pool: Pool,
    document: UUID,
    now: datetime,
    retention: Retention,
    run: Run = run_inline,
    *,
    pieces_max: int = PIECES_MAX,
) -> int:
    """Merge what is old enough; answers how many rows went.

    Only rows below the load boundary are touched, and never one that waits. Raises Unavailable, and
    LogBroken when the merged rows are not proven or somebody else thinned at the same time; then
    nothing changed.
    """
    with reaching():
        boundary = await pool.fetchval(_BOUNDARY, document)
        if boundary is None:
            return 0
        start = await pool.fetchval(_LINEAGE_START, document, boundary)
        plan = await pool.fetch(_PLAN, document, start, boundary, pieces_max + 1)
    # A version is the state after some row, whatever waits: those rows stay as they are.
    some = _some(plan, pieces_max)
    settled = [row for row in some if not row["pending"]]
    groups = _groups(settled, now, retention)
    later = _next_due(settled, now, retention)
    if len(some) < len(plan):
        later = now if groups else now + timedelta(days=1)
    if not groups:
        with reaching():
            await pool.execute(_LATER, document, later)
        return 0
    with reaching():
        rows = await pool.fetch(_PIECES, document, start, some[-1]["last"])
    data = {last: await unpack(encoding, piece) for last, encoding, piece in rows}
    whole = [data[row["last"]] for row in settled]
    merged = await run(merge_pieces, whole, groups)
    if isinstance(merged, str):
        raise LogBroken(document, merged)
    with reaching():
        async with transaction(pool) as connection:
            gone = 0
            for (begin, end), (encoding, piece) in zip(groups, merged, strict=True):
                gone += await _replace(connection, document, settled[begin:end], encoding, piece)
            await connection.execute(_LATER, document, later)
    return gone


def _some(plan: list[asyncpg.Record], pieces_max: int) -> list[asyncpg.Record]:
    """The oldest pieces, within the bounds."""
    size = 0
    for count, row in enumerate(plan[:pieces_max]):
        size += row["size"]
        if size > PIECE_BYTES_MAX:
            return plan[:count]
    return plan[:pieces_max]


async def _replace(
    connection: Connection,
    document: UUID,
    rows: list[asyncpg.Record],
    encoding: int,
    piece: bytes,
) -> int:
    """Put one merged row in the place of these."""
    dropped = 0
    for sql, merged in ((_DROP_ROWS, False), (_DROP_MERGED, True)):
        lasts = [row["last"] for row in rows if row["merged"] is merged]
        if lasts:
            dropped += int((await connection.execute(sql, document, lasts)).split()[1])
    if dropped != len(rows):
        raise LogBroken(document, "its history changed while it was thinned")
    first, last = rows[0], rows[-1]
    authors = sorted({author for row in rows for author in row["authors"]})
    await connection.execute(
        _MERGED,
        document,
        first["first"],
        last["last"],
        first["started_at"],
        last["at"],
        encoding,
        piece,
        authors,
    )
    return dropped


def _groups(
    rows: list[asyncpg.Record], now: datetime, retention: Retention
) -> list[tuple[int, int]]:
    """Stretches (start, end) of rows to merge: whole hours or days that are over and old enough."""
    found: list[tuple[int, int]] = []
    at = 0
    for bucket, members in groupby(rows, lambda row: _bucket(row["at"], now, retention)):
        count = sum(1 for _ in members)
        if bucket is not None and count > 1:
            found.append((at, at + count))
        at += count
    return found


def _bucket(at: datetime, now: datetime, retention: Retention) -> datetime | None:
    """The hour or day whose rows become one; None while every edit is kept."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if day + timedelta(days=1, seconds=retention.hourly_s) <= now:
        return day
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if hour + timedelta(hours=1, seconds=retention.full_s) <= now:
        return hour
    return None


def _next_due(rows: list[asyncpg.Record], now: datetime, retention: Retention) -> datetime | None:
    """When the next hour or day will be over and old enough; None if nothing is left to merge."""
    moments: list[datetime] = []
    for row in rows:
        at = row["at"].astimezone(UTC)
        hour = at.replace(minute=0, second=0, microsecond=0)
        day = hour.replace(hour=0)
        moments += (
            hour + timedelta(hours=1, seconds=retention.full_s),
            day + timedelta(days=1, seconds=retention.hourly_s),
        )
    return min((moment for moment in moments if moment > now), default=None)
