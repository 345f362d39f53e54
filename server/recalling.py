"""Blocks that were asked for lately and are open here: known without asking the store.

A device pushes the same blocks again and again while somebody writes on it. What names them never
changes its meaning, and of an open document this process knows all that a push must know: whoever
deletes it or rebuilds it here ends its room, and elsewhere the commit is fenced. Only where other
nodes write too is the store asked each time, as it is for whatever is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import UUID

from storage.blocks import Block, Name

if TYPE_CHECKING:
    from server.documents import Documents
    from server.feed import Feed
    from storage.blocks import Blocks
    from storage.changes import Settled

IDS_MAX: Final = 8192
SCOPES_MAX: Final = 1024

V = TypeVar("V")


class Recalling:
    """What the names of blocks mean, for those that are open."""

    def __init__(self, documents: Documents, feed: Feed) -> None:
        self._documents = documents
        self._ids: dict[str, UUID] = {}
        """By the name as it was asked for, a global one."""
        self._markers: dict[str, int] = {}
        """By workspace: a stamp that was the latest once."""
        feed.listen(self._settled)

    async def find(self, store: Blocks, names: Sequence[Name]) -> list[Block | None]:
        """The block of each name; those are asked for that are not known and open here.

        Raises Unavailable.
        """
        if self._documents.nodes is not None:
            return await store.find(names)
        found = [self._look(name.name) for name in names]
        if None in found:
            asked = [name for name, block in zip(names, found, strict=True) if block is None]
            answers = await store.find(asked)
            self._note(asked, answers)
            left = iter(answers)
            found = [next(left) if block is None else block for block in found]
        return found

    def _look(self, name: str) -> Block | None:
        document = self._ids.get(name)
        live = None if document is None else self._documents.peek(document)
        if live is None or live.head == 0 or not live.is_live:
            return None
        record = live.record
        marker = self._markers.get(record.scope)
        if marker is None:
            return None
        return Block(record, live.head, live.whole_bytes + live.tail_bytes, marker, None)

    def _note(self, names: Sequence[Name], blocks: Sequence[Block | None]) -> None:
        """These were asked for."""
        for name, block in zip(names, blocks, strict=True):
            if block is not None and name.is_global:
                _keep(self._ids, name.name, block.record.id, IDS_MAX)
                self._mark(block.record.scope, block.marker)

    def _mark(self, scope: str, marker: int) -> None:
        if marker > self._markers.get(scope, -1):
            _keep(self._markers, scope, marker, SCOPES_MAX)

    def _settled(self, settled: Sequence[Settled]) -> None:
        for one in settled:
            if one.scope in self._markers:
                self._mark(one.scope, one.stamp)


def _keep(kept: dict[str, V], key: str, value: V, most: int) -> None:
    """Keep it as the newest of so many."""
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > most:
        del kept[next(iter(kept))]
