"""Documents that are closed for a while: what the breakers of all nodes and administrators say."""

from __future__ import annotations

from uuid import UUID

import msgspec

from storage.errors import reaching
from storage.pool import Pool

BREAKER = "breaker"
"""The author of a closure that no person made."""
LISTED_MAX = 10_000
"""Closures that one look takes in; the newest ones count."""


class Closure(msgspec.Struct, frozen=True, kw_only=True):
    """A document that nobody may open."""

    document: UUID
    author: str
    """`breaker`, or the account of an administrator."""
    reason: str
    times: int
    """How often the breaker closed it without an hour of peace between."""
    closed_at: float
    """Epoch seconds."""
    until: float | None
    """Epoch seconds; None: until it is opened."""


_CLOSE = """
INSERT INTO closures (document, author, reason, times, closed_at, until)
SELECT id, $2, $3, $4, to_timestamp($5), to_timestamp($6) FROM documents WHERE id = $1
ON CONFLICT (document) DO UPDATE SET author = excluded.author, reason = excluded.reason,
    times = excluded.times, closed_at = excluded.closed_at, until = excluded.until
    -- What a person closed is not opened by the breaker's shorter time.
    WHERE excluded.author <> 'breaker' OR closures.until IS NOT NULL
"""
_LIST = """
SELECT document, author, reason, times, extract(epoch FROM closed_at)::float8 AS closed_at,
       extract(epoch FROM until)::float8 AS until
FROM closures WHERE until IS NULL OR until > to_timestamp($1)
ORDER BY closed_at DESC LIMIT $2
"""
_SWEEP = "DELETE FROM closures WHERE until < to_timestamp($1)"


class Closures:
    """The closures in the database. All methods raise Unavailable when it cannot be reached."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def close(self, closure: Closure) -> None:
        """Record one; nothing happens for a document that is not there."""
        with reaching():
            await self._pool.execute(
                _CLOSE,
                closure.document,
                closure.author,
                closure.reason,
                closure.times,
                closure.closed_at,
                closure.until,
            )

    async def open(self, document: UUID) -> bool:
        """Forget one; whether there was one."""
        with reaching():
            done = await self._pool.execute("DELETE FROM closures WHERE document = $1", document)
        return done == "DELETE 1"

    async def listed(self, now: float) -> list[Closure]:
        """All that hold now."""
        with reaching():
            rows = await self._pool.fetch(_LIST, now, LISTED_MAX)
        return [Closure(**row) for row in rows]

    async def sweep(self, now: float) -> None:
        """Forget what ended."""
        with reaching():
            await self._pool.execute(_SWEEP, now)
