"""The text of notes, of committed rows only: what a crash could take back is shown to nobody."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from crdt import plaintext
from crdt.document import Document
from crdt.errors import DocumentBroken, UpdateError
from server.pace import Pace
from server.workers import WorkerDied, Workers
from storage.blocks import Blocks
from storage.loading import Loaded, rows_of

log = logging.getLogger("plait.sites")

_HERE_BYTES_MAX = 32 * 1024
"""Stored bytes of a document that is put together on the event loop; larger ones in a helper."""
_TOGETHER_BYTES_MAX = 4 * 1024 * 1024
_TOGETHER_MAX = 200


class Wanted(NamedTuple):
    """A document whose text is to be read."""

    document: UUID
    size: int
    """Bytes that are stored of it, from above."""


class Text(NamedTuple):
    """A note's text, and the head of its log at which it is so."""

    head: int
    text: str


class Texts:
    """Reads the texts of many notes."""

    def __init__(self, blocks: Blocks, workers: Workers) -> None:
        self._blocks = blocks
        self._workers = workers

    async def read(self, wanted: Sequence[Wanted]) -> dict[UUID, Text]:
        """The texts of documents; nothing of one that cannot be read. Raises Unavailable."""
        found: dict[UUID, Text] = {}
        pace = Pace()
        for group in _groups(wanted):
            loaded = await self._blocks.load([each.document for each in group])
            pace.start()
            for document, one in loaded.items():
                await pace.rest()
                if isinstance(one, Loaded) and not one.deleted:
                    text = await self._text(document, one)
                    if text is not None:
                        found[document] = Text(one.head, text)
        return found

    async def _text(self, document: UUID, loaded: Loaded) -> str | None:
        rows = rows_of(loaded)
        try:
            if sum(map(len, rows)) > _HERE_BYTES_MAX:
                return await self._workers.run(text_of, rows)
            return text_of(rows)
        except (UpdateError, DocumentBroken, WorkerDied) as error:
            log.warning("the note %s cannot be read: %s", document, error)
            return None


def text_of(rows: Sequence[bytes]) -> str:
    """The text that a document's rows make."""
    return Document.rebuild(rows).look(plaintext.read)


def _groups(wanted: Sequence[Wanted]) -> Iterator[list[Wanted]]:
    group: list[Wanted] = []
    size = 0
    for each in wanted:
        if group and (size + each.size > _TOGETHER_BYTES_MAX or len(group) >= _TOGETHER_MAX):
            yield group
            group, size = [], 0
        group.append(each)
        size += each.size
    if group:
        yield group
