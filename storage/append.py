"""The one statement of a commit: rows of many documents, one round trip, no gaps.

A `Flight` (`flights`) gathers what goes into one commit and hands it out as the columns that the
statement takes. In it the head rows are locked in id order (two writers can then never wait for
each other in a circle), sequences are counted on from the head under that lock, and the fences are
judged under it too.

An element of an array costs 0.15 to 0.3 us here whatever its type, so there are as few columns as
will do: a commit holds one lineage only, and one with a single row per document, which is what
many rooms make, or with a single document has a statement of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec


class Row(msgspec.Struct, frozen=True, gc=False):
    """One received update and who sent it."""

    data: bytes
    """The update as it came, in V1 encoding; never empty."""
    author: str | None
    device: str | None
    at: float
    """Seconds since 1970."""


class Stored(msgspec.Struct, frozen=True, gc=False):
    """The rows of one `append` are committed, under the sequences `first` to `last`."""

    first: int
    last: int
    rights_version: int
    """The scope's rights version in the commit; when it moved, rights must be looked up again."""
    compact: bool
    """The tail behind the snapshot is long enough to be compacted now."""


class Fenced(msgspec.Struct, frozen=True, gc=False):
    """The rows of one `append` are refused for good.

    `reason` is "deleted", "lineage" (the document was rebuilt), or "poisoned": the database takes
    every other row but not this one. What is queued behind a poisoned row is refused with it,
    because it may build on it.
    """

    reason: str


Done: TypeAlias = Callable[[Stored | Fenced], None]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One call of `append`; never split over two commits."""

    lineage: int
    rows: Sequence[Row]
    done: Done
    size: int
    since: float
    """When it was appended, by the monotonic clock."""


_LOCKED = """
held AS MATERIALIZED (
    SELECT document, scope, deleted, lineage = $2 AND NOT deleted AS is_open FROM heads
    WHERE document = ANY ($1) ORDER BY document FOR UPDATE {skip}
)"""
"""The fences are one column: PostgreSQL takes half of the rows to pass it. Of two conditions it
expects a single one while a table has no statistics, and then joins a thousand rows with a thousand
one by one, at three times the price."""

_ANSWER = """
SELECT w.place, m.base, s.rights_version, m.compact, held.deleted
FROM want w JOIN held USING (document) JOIN scopes s ON s.id = held.scope
LEFT JOIN moved m ON m.place = w.place
"""

_MANY = """
WITH want AS (
    SELECT * FROM unnest($1::uuid[], $5::int[], $6::int[], $7::bigint[])
        WITH ORDINALITY AS w (document, start, rows, bytes, place)
), {held}, moved AS (
    UPDATE heads h SET head = h.head + w.rows, log_bytes = h.log_bytes + w.bytes, dirty = true
    FROM held JOIN want w USING (document)
    WHERE h.document = held.document AND held.is_open
    RETURNING w.place, h.document, h.head - w.rows AS base, w.start, {compact} AS compact
), stored AS (
    INSERT INTO updates (document, sequence, at, writer, batch, data, author, device)
    SELECT m.document, m.base - m.start + r.n, to_timestamp(r.at), $3, $4,
           r.data, r.author, r.device
    FROM unnest($8::int[], $9::bytea[], $10::text[], $11::text[], $12::float8[])
        WITH ORDINALITY AS r (place, data, author, device, at, n)
    JOIN moved m ON m.place = r.place
)
{answer}"""

_EACH = """
WITH want AS (
    SELECT * FROM unnest($1::uuid[], $5::bytea[], $6::text[], $7::text[], $8::float8[])
        WITH ORDINALITY AS w (document, data, author, device, at, place)
), {held}, moved AS (
    UPDATE heads h SET head = h.head + 1, log_bytes = h.log_bytes + octet_length(w.data),
                       dirty = true
    FROM held JOIN want w USING (document)
    WHERE h.document = held.document AND held.is_open
    RETURNING w.place, h.document, h.head - 1 AS base, w.data, w.author, w.device, w.at,
              {compact} AS compact
), stored AS (
    INSERT INTO updates (document, sequence, at, writer, batch, data, author, device)
    SELECT document, base + 1, to_timestamp(at), $3, $4, data, author, device FROM moved
)
{answer}"""

_ONE = """
WITH moved AS (
    UPDATE heads h SET head = head + $5, log_bytes = log_bytes + $6, dirty = true
    WHERE document = $1 AND lineage = $2 AND NOT deleted
    RETURNING scope, head - $5 AS base, {compact} AS compact
), stored AS (
    INSERT INTO updates (document, sequence, at, writer, batch, data, author, device)
    SELECT $1, m.base + r.n, to_timestamp(r.at), $3, $4, r.data, r.author, r.device
    FROM moved m, unnest($7::bytea[], $8::text[], $9::text[], $10::float8[])
        WITH ORDINALITY AS r (data, author, device, at, n)
)
SELECT 1 AS place, m.base, s.rights_version, m.compact, false AS deleted
FROM moved m JOIN scopes s ON s.id = m.scope
"""

FENCED = """
SELECT 1, NULL, NULL, NULL, coalesce((SELECT deleted FROM heads WHERE document = $1), true)
"""
"""Why `one` stored nothing: deleted (or never there), else another lineage."""

FOUND = """
SELECT document, min(sequence) - 1, s.rights_version
FROM updates u JOIN heads h USING (document) JOIN scopes s ON s.id = h.scope
WHERE document = ANY ($1) AND writer = $2 AND batch = $3
GROUP BY document, s.rights_version
"""
"""Our own rows of one batch, after a commit whose outcome is unknown."""


class Statements(msgspec.Struct, frozen=True):
    """The texts of the append for one policy of compaction."""

    one: str
    """Any number of rows of one document."""
    each: str
    """One row of each of several documents."""
    many: str
    """Rows of several documents. As the two above it waits for a locked head, up to
    `lock_timeout`."""
    free: str
    """As `many`, leaving out the documents whose head another transaction holds."""


def statements(compact_rows: int, compact_bytes: int) -> Statements:
    """Write the append; a tail of `compact_rows` rows or `compact_bytes` bytes asks for compaction.

    Compacting costs about 0.25 us for each byte of the snapshot, so behind a large one the tail may
    grow in proportion: with one row for 32 bytes the work stays below 10 us a row, and the slowest
    load takes three times as long as one right after a compaction.
    """
    long = (
        f"(h.head - h.snapshot_sequence >= greatest({compact_rows:d}, h.snapshot_bytes / 32)"
        f" OR h.log_bytes >= greatest({compact_bytes:d}, h.snapshot_bytes))"
    )
    held, free = _LOCKED.format(skip=""), _LOCKED.format(skip="SKIP LOCKED")
    return Statements(
        one=_ONE.format(compact=long),
        each=_EACH.format(compact=long, held=held, answer=_ANSWER),
        many=_MANY.format(compact=long, held=held, answer=_ANSWER),
        free=_MANY.format(compact=long, held=free, answer=_ANSWER),
    )
