"""How many changes of a scope lie behind a marker, counted without reading them.

Stamps are cut into stretches of three lengths, one within the other, and of each stretch it is
known how many documents have their latest stamp in it. What lies behind a marker is then the rest
of its own shortest stretch, counted from the index, the rest of the stretches around that, and all
later ones of the longest: some thousand rows at most, whatever the size of the scope.

    bits 12   4 s     at most 4,096 stamps, counted in `changes`
    bits 22   70 min  1,024 of the former
    bits 33   99 days 2,048 of the former

Settling keeps it up, under the lock of the scope's row, as it does `changes`; whether a page has a
next one is never read from here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from storage.pool import Connection

SHORT, MIDDLE, LONG = 12, 22, 33
BITS = (SHORT, MIDDLE, LONG)


class Place(msgspec.Struct, frozen=True):
    """Where one document stands in the feed of its scope."""

    scope: str
    stamp: int
    gone: bool
    trashed: bool
    """Gone into the trash and no further."""
    size: int = 0
    """Stored bytes when it was stamped."""


BEHIND = f"""
SELECT coalesce(sum(live), 0)::bigint AS changed, coalesce(sum(gone), 0)::bigint AS gone FROM (
    SELECT count(*) FILTER (WHERE NOT deleted) AS live, count(*) FILTER (WHERE deleted) AS gone
    FROM changes WHERE scope = $1 AND collection = ''
      AND stamp > $2 AND stamp < (($2 >> {SHORT}) + 1) << {SHORT}
    UNION ALL SELECT sum(live), sum(gone) FROM change_counts WHERE scope = $1 AND bits = {SHORT}
      AND stretch > $2 >> {SHORT} AND stretch < (($2 >> {MIDDLE}) + 1) << {MIDDLE - SHORT}
    UNION ALL SELECT sum(live), sum(gone) FROM change_counts WHERE scope = $1 AND bits = {MIDDLE}
      AND stretch > $2 >> {MIDDLE} AND stretch < (($2 >> {LONG}) + 1) << {LONG - MIDDLE}
    UNION ALL SELECT sum(live), sum(gone) FROM change_counts WHERE scope = $1 AND bits = {LONG}
      AND stretch > $2 >> {LONG}
) AS parts
"""  # noqa: S608  (numbers of ours)
"""Totals of scope $1 behind marker $2."""
TOTALS = f"""
SELECT coalesce(sum(live), 0)::bigint AS live, coalesce(sum(trashed), 0)::bigint AS trashed,
       coalesce(sum(bytes), 0)::bigint AS bytes
FROM change_counts WHERE scope = $1 AND bits = {LONG}
"""  # noqa: S608
MOVE = """
moved AS MATERIALIZED (
    SELECT d.scope, d.bits, d.stretch, c.ctid AS place, coalesce(c.live, 0) + d.live AS live,
           coalesce(c.gone, 0) + d.gone AS gone, coalesce(c.trashed, 0) + d.trashed AS trashed,
           coalesce(c.bytes, 0) + d.bytes AS bytes
    FROM unnest({columns}) AS d (scope, bits, stretch, live, gone, trashed, bytes)
    LEFT JOIN LATERAL (
        SELECT ctid, live, gone, trashed, bytes FROM change_counts
        WHERE scope = d.scope AND bits = d.bits AND stretch = d.stretch OFFSET 0
    ) c ON true
), emptied AS (
    DELETE FROM change_counts WHERE ctid = ANY (
        ARRAY(SELECT place FROM moved WHERE place IS NOT NULL AND live <= 0 AND gone <= 0))
), counted AS (
    INSERT INTO change_counts (scope, bits, stretch, live, gone, trashed, bytes)
    SELECT scope, bits, stretch, live, gone, trashed, bytes FROM moved WHERE live > 0 OR gone > 0
    ON CONFLICT (scope, bits, stretch) DO UPDATE SET live = excluded.live, gone = excluded.gone,
        trashed = excluded.trashed, bytes = excluded.bytes
)"""
"""Parts of a statement that add `columns` of `difference` under the scopes' locks: what is empty
goes, so that a document which is edited for years does not leave a row for each four seconds."""
_COUNTED = f"""
SELECT scope, bits, stamp >> bits AS stretch, count(*) FILTER (WHERE NOT deleted) AS live,
       count(*) FILTER (WHERE deleted) AS gone, count(*) FILTER (WHERE trashed) AS trashed,
       coalesce(sum(size) FILTER (WHERE bits = {LONG} AND (NOT deleted OR trashed)), 0)::bigint
       AS bytes
FROM changes CROSS JOIN unnest(ARRAY[{SHORT}, {MIDDLE}, {LONG}]) AS bits
WHERE collection = '' {{within}} GROUP BY 1, 2, 3
"""  # noqa: S608
RECOUNT = (
    "DELETE FROM change_counts WHERE scope = $1",
    "INSERT INTO change_counts (scope, bits, stretch, live, gone, trashed, bytes)"
    + _COUNTED.format(within="AND scope = $1"),
)
WRONG = f"""
SELECT coalesce(m.scope, c.scope) AS scope FROM ({_COUNTED.format(within="")}) m
FULL JOIN change_counts c USING (scope, bits, stretch)
WHERE (m.live, m.gone, m.trashed, m.bytes) IS DISTINCT FROM (c.live, c.gone, c.trashed, c.bytes)
GROUP BY 1
"""  # noqa: S608
"""Scopes whose counts are not those of their rows."""


def difference(before: Iterable[Place], after: Iterable[Place]) -> list[list[str] | list[int]]:
    """What becomes of the counts where documents moved, as the columns of `MOVE`."""
    found: defaultdict[tuple[str, int, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for places, sign in ((before, -1), (after, 1)):
        for place in places:
            for bits in BITS:
                counts = found[place.scope, bits, place.stamp >> bits]
                counts[place.gone] += sign
                counts[2] += sign * place.trashed
                if bits == LONG and (place.trashed or not place.gone):
                    counts[3] += sign * place.size
    rows = [(*key, *counts) for key, counts in sorted(found.items()) if any(counts)]
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(7)]


async def recount(connection: Connection, scope: str) -> None:
    """Count a scope anew, inside a transaction that holds its row."""
    for sql in RECOUNT:
        await connection.execute(sql, scope)
