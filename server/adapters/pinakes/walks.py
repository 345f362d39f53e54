"""How far a device was when it began to read page after page: what it cannot have seen yet.

A path that changes moves to the end of the feed. Who reads in pages may so pass the place where it
came to be without ever having been told of it; the cursor alone does not show that. Therefore the
cursors that were handed out in the middle of a reading are remembered here, a bounded number. What
is forgotten makes `modified` of some `created`, which devices take alike.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID


class Seen(NamedTuple):
    """What a device has seen that asks on from a cursor."""

    cursor: int
    since: int
    """The cursor at which its reading began: it has everything up to there."""
    head: int
    """The newest stamp at that time."""

    def has(self, born: int, stamp: int) -> bool:
        """Whether it was told of a path that came to be at `born` and changed at `stamp` last."""
        return born <= self.since or (stamp > self.head and born <= self.cursor)


class Walks:
    """Readings that are under way."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[tuple[str, UUID | None, int], tuple[int, int]] = {}

    def seen(self, account: str, device: UUID | None, cursor: int, head: int) -> Seen:
        """What somebody has seen who asks on from a cursor while `head` is the newest stamp."""
        since, then = self._known.get((account, device, cursor), (cursor, head))
        return Seen(cursor, since, then)

    def paused(self, account: str, device: UUID | None, seen: Seen, cursor: int) -> None:
        """A page was handed out that is not the last one."""
        self._known[account, device, cursor] = (seen.since, seen.head)
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]
