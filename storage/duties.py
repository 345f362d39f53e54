"""Work that is done once for all nodes: a node takes it for a while, and others leave it alone.

No lock, and nothing that correctness depends on: whatever is done under a duty may be done twice.
"""

from __future__ import annotations

from storage.errors import reaching
from storage.pool import Pool

_TAKE = """
INSERT INTO duties (name, node, until) VALUES ($1, $2, now() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE SET node = excluded.node, until = excluded.until
WHERE duties.node = excluded.node OR duties.until < now() RETURNING true
"""
_LEAVE = "DELETE FROM duties WHERE node = $1"


class Duties:
    """Of one node. Every method may raise Unavailable."""

    def __init__(self, pool: Pool, node: str) -> None:
        self._pool = pool
        self._node = node

    async def take(self, name: str, for_s: float) -> bool:
        """Whether this node is to do it now; nobody else will be for so many seconds."""
        with reaching():
            found = await self._pool.fetchval(_TAKE, name, self._node, for_s)
        return bool(found)

    async def leave(self) -> None:
        """Leave everything to others."""
        with reaching():
            await self._pool.execute(_LEAVE, self._node)
