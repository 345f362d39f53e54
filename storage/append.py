"""The one statement of a commit: rows of many documents, one round trip, no gaps.

A `Flight` gathers what goes into one commit and hands it out as the columns that the statement
takes. In the statement the head rows are locked in id order (two writers can then never wait for
each other in a circle), sequences are counted on from the head under that lock, and the fences are
judged under it too.

An element of an array costs 0.15 to 0.3 us here whatever its type, so there are as few columns as
will do: a commit holds one lineage only, and one with a single row per document, which is what
many rooms make, or with a single document has a statement of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias
from uuid import UUID

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


class Line:
    """The rows of one document that wait for a commit, in order, and those that are in one."""

    __slots__ = ("aloft", "document", "entries", "lane", "rows", "size", "start", "suspects")

    def __init__(self, document: UUID, lane: object) -> None:
        self.document = document
        self.lane = lane
        """The lane whose turn it is to commit these rows; all of them wait for that one."""
        self.entries: list[Entry] = []
        self.aloft: list[Entry] = []
        """In a commit now; none of the later ones may be, until these are settled."""
        self.start = self.rows = self.size = 0
        """Of what is aloft: rows of the flight before it, its rows, its bytes."""
        self.suspects = 0
        """The database refuses one of so many next entries: they go one by one to find it."""

    def put_back(self) -> None:
        """Queue what is aloft again, before all that came later."""
        self.entries[:0] = self.aloft
        self.aloft = []


_LOCKED = """
held AS MATERIALIZED (
    SELECT document, scope, lineage, deleted FROM heads
    WHERE document = ANY ($1) ORDER BY document FOR UPDATE {skip}
)"""

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
    WHERE h.document = held.document AND NOT held.deleted AND held.lineage = $2
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
    WHERE h.document = held.document AND NOT held.deleted AND held.lineage = $2
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


class Flight:
    """The rows of one commit: what some lines have aloft, all of one lineage."""

    __slots__ = ("bytes", "doubtful", "free", "lineage", "lines", "rows")

    def __init__(self, lineage: int) -> None:
        self.lineage = lineage
        self.lines: list[Line] = []
        self.rows: list[Row] = []
        self.bytes = 0
        self.doubtful: int | None = None
        """The batch number of an attempt whose outcome is not known (yet)."""
        self.free = False
        """Some head is locked: leave those out that are."""

    def take(self, line: Line, rows_max: int, bytes_max: int) -> bool:
        """Lift entries of the flight's lineage off the line, up to the bounds. Whether any.

        An empty flight takes the first entry whatever its size, because an entry is never split.
        """
        rows, entries, count, size = self.rows, line.entries, 0, self.bytes
        start = len(rows)
        for entry in entries:
            if (
                entry.lineage != self.lineage
                or (rows and (size + entry.size > bytes_max or len(rows) >= rows_max))
                or (rows and len(rows) + len(entry.rows) > rows_max)
                or (line.suspects and count)
            ):
                break
            count += 1
            rows += entry.rows
            size += entry.size
        if not count:
            return False
        line.aloft, line.entries = entries[:count], entries[count:]
        line.start, line.rows, line.size = start, len(rows) - start, size - self.bytes
        self.bytes = size
        self.lines.append(line)
        return True

    def keep(self, lines: list[Line]) -> None:
        """Go on with these lines only; the others are settled."""
        self.lines, self.rows = lines, []
        for line in lines:
            line.start = len(self.rows)
            for entry in line.aloft:
                self.rows += entry.rows
        self.bytes = sum(line.size for line in lines)

    def request(self, texts: Statements, writer: int, batch: int) -> tuple[str, list[object]]:
        """The statement for this flight and its arguments."""
        lines, rows = self.lines, self.rows
        arguments: list[object] = [None, self.lineage, writer, batch]
        text = texts.one
        if len(lines) == 1:
            arguments[0] = lines[0].document
            arguments += (lines[0].rows, lines[0].size)
        elif len(lines) == len(rows) and not self.free:
            text = texts.each
            arguments[0] = [line.document for line in lines]
        else:
            text = texts.free if self.free else texts.many
            arguments[0] = [line.document for line in lines]
            places: list[int] = []
            for place, line in enumerate(lines, 1):
                places += [place] * line.rows
            arguments += (
                [line.start for line in lines],
                [line.rows for line in lines],
                [line.size for line in lines],
                places,
            )
        arguments += (
            [row.data for row in rows],
            [row.author for row in rows],
            [row.device for row in rows],
            [row.at for row in rows],
        )
        return text, arguments
