"""Large documents that nobody has open: worked on in a helper process, not brought into this one.

pycrdt holds the interpreter for a whole call: reading 4 MB takes 160 ms, in which no editor of any
document would be answered.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias

from crdt import blocks, structure
from crdt.bounds import Bounds
from crdt.document import Document
from crdt.errors import DocumentBroken, UpdateError
from server.caller import refusal
from server.workers import WorkerDied
from storage.errors import LogBroken, UnknownDocument
from storage.loading import Loaded, rows_of
from storage.log import Fenced, Row, Stored

if TYPE_CHECKING:
    from server.bringing import Piece
    from server.documents import Documents
    from storage.blocks import Block, Blocks

Rows: TypeAlias = list[bytes]


class Large:
    """Pushes into large documents and reads them, without a room."""

    def __init__(self, documents: Documents, blocks: Blocks) -> None:
        self._documents = documents
        self._blocks = blocks

    async def push(self, block: Block, update: bytes, piece: Piece) -> None:
        """Judge an update in a helper and store it; the piece hears of its commit.

        Raises Unavailable when the store cannot be read.
        """
        record = block.record
        loaded = (await self._blocks.load([record.id]))[record.id]
        if isinstance(loaded, LogBroken | UnknownDocument):
            piece.dismissed("load-failed")
            return
        if loaded.deleted or loaded.lineage != record.lineage:
            piece.dismissed("deleted" if loaded.deleted else "lineage")
            return
        bounds = self._documents.bounds
        try:
            reason = await self._documents.workers.run(
                judge, rows_of(loaded), update, loaded.retired, bounds
            )
        except WorkerDied:
            reason = "malformed"
        if reason is not None:
            piece.outcome.changed = False
            piece.outcome.settle(None if reason == "known" else refusal(reason))
            return

        def done(outcome: Stored | Fenced) -> None:
            if isinstance(outcome, Fenced):
                piece.dismissed(outcome.reason)
                return
            self._stored(block, outcome)
            piece.outcome.settle(None)

        row = Row(update, piece.account, piece.device, time.time())
        self._documents.flusher.append(record.id, record.lineage, [row], done)

    def _stored(self, block: Block, outcome: Stored) -> None:
        """Somebody may have opened the document meanwhile: the room must see the row."""
        documents, record = self._documents, block.record
        if documents.nodes is not None:
            documents.nodes.speaker.rows(record, outcome.first, outcome.last, None)
        live = documents.peek(record.id)
        if live is not None:
            documents.opening.catch_up(live, outcome.last)
        documents.guard.seen(record.scope, outcome.rights_version)
        if outcome.compact:
            documents.compact(record.id)

    async def difference(
        self, loaded: Loaded, state_vector: bytes | None
    ) -> tuple[bytes, bytes, bool]:
        """The state vector, what a replica is missing, and whether that is the whole document.

        Raises UpdateError, DocumentBroken, or WorkerDied.
        """
        return await self._documents.workers.run(
            difference, rows_of(loaded), state_vector, loaded.retired
        )


async def whole(documents: Documents, loaded: Loaded) -> bytes:
    """The whole document as one update, made in a helper where that would take long."""
    if not loaded.rows and loaded.snapshot is not None:
        return loaded.snapshot
    rows = rows_of(loaded)
    if sum(map(len, rows)) > documents.settings.costly_bytes:
        return await documents.workers.run(encoded_of, rows)
    return encoded_of(rows)


def encoded_of(rows: Rows) -> bytes:
    """The whole document as one update."""
    return Document.rebuild(rows).encode()


def judge(rows: Rows, update: bytes, retired: frozenset[int], bounds: Bounds) -> str | None:
    """Why an update may not be stored, "known" if it changes nothing, else None."""
    try:
        if retired and structure.client_ids(update) & retired:
            return "lineage"
        document = Document.rebuild(rows, bounds=bounds)
        if document.apply_observed(update) is None:
            return "known"
        only_deletes = update[:1] == b"\0"
        if not only_deletes and len(document.encode()) > bounds.document_bytes_max:
            return "document-full"
    except UpdateError as error:
        return error.reason
    except DocumentBroken:
        return "malformed"
    return None


def difference(
    rows: Rows, state_vector: bytes | None, retired: frozenset[int]
) -> tuple[bytes, bytes, bool]:
    """See `Large.difference`."""
    return difference_of(Document.rebuild(rows), state_vector, retired)


def difference_of(
    document: Document, state_vector: bytes | None, retired: frozenset[int]
) -> tuple[bytes, bytes, bool]:
    """The state vector, what a replica is missing, and whether that is the whole document.

    Who names clients of a retired lineage has to start anew, with all of it. Raises UpdateError
    when the bytes are not a state vector.
    """
    whole = not state_vector
    if state_vector and retired and structure.vector_clients(state_vector) & retired:
        whole = True
    update = document.encode() if whole else document.diff(state_vector or b"")
    return document.state_vector(), update, whole


def facts_of(rows: Rows) -> blocks.Facts:
    """What the document says of itself. Raises UpdateError or DocumentBroken."""
    return blocks.read(Document.rebuild(rows))
