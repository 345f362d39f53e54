"""From the store into a room: load, load again, catch up, and set aside what breaks a document."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from crdt.errors import DocumentBroken, UpdateError
from crdt.events import Loaded, Remote
from server.operating import spans
from server.workers import WorkerDied
from storage.errors import LogBroken, StorageError
from storage.squeezing import rebuild_without_bad

if TYPE_CHECKING:
    from crdt.effects import Session
    from server.documents import Documents
    from server.live import LiveRoom
    from storage.loading import Loaded as Stored

log = logging.getLogger("plait.documents")


class Opening:
    """Reads documents for their rooms. An error refuses the room and is never cached."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def load(self, live: LiveRoom) -> None:
        """Give the room what is stored; who waits for it is answered then, or refused."""
        documents = self._documents
        try:
            with spans.span("load", document=str(live.record.id)):
                loaded = await documents.store.load(live.record.id)
                await self.take(live, loaded)
        except StorageError as error:
            log.warning("document %s cannot be loaded: %s", live.record.id, error)
            if isinstance(error, LogBroken):
                documents.breaker.failed(live.record.id, "its log cannot be read")
            self._refuse(live)
        except Exception:
            # Whatever it is: who waits for this load must not wait for ever.
            log.exception("document %s cannot be loaded", live.record.id)
            documents.breaker.failed(live.record.id, "it cannot be loaded")
            self._refuse(live)

    def _refuse(self, live: LiveRoom) -> None:
        self._documents.metrics.load_errors += 1
        self._documents.give_up(live, "load-failed")

    async def take(self, live: LiveRoom, loaded: Stored) -> None:
        """Open the room with what was read from the store; waits for nothing if all is well."""
        documents = self._documents
        if not documents.is_current(live):
            return
        if loaded.deleted or loaded.lineage != live.record.lineage:
            documents.give_up(live, "deleted" if loaded.deleted else "lineage")
            return
        documents.metrics.loads += 1
        rows = [row.data for row in loaded.rows]
        live.head = max(live.head, loaded.head)
        live.tail_rows, live.tail_bytes = loaded.tail_rows, loaded.tail_bytes
        if loaded.snapshot is not None:
            live.whole_bytes = len(loaded.snapshot)
            rows.insert(0, loaded.snapshot)
        try:
            live.tell(Loaded(rows, loaded.retired, loaded.vector))
        except (DocumentBroken, UpdateError):
            await self._isolate(live)
            return
        documents.backlog.shrank(live)
        if live.following is not None:
            live.following.loaded()
        elif live.head < live.expected:
            await self._catch_up(live, live.expected)
        if loaded.tail_rows >= documents.settings.compact_rows:
            documents.compact(live.record.id)

    def reload(self, live: LiveRoom) -> None:
        """The document in memory broke: build it again from the log."""
        self._documents.tasks.spawn(self.load(live), f"reload {live.record.id}")

    def catch_up(self, live: LiveRoom, last: int) -> None:
        """Somebody else wrote up to `last`: read what this room has not seen."""
        live.expected = max(live.expected, last)
        if live.following is not None:
            live.following.catch_up(last)
        elif live.is_live:
            self._documents.tasks.spawn(self._catch_up(live, last), f"catch up {live.record.id}")

    async def _catch_up(self, live: LiveRoom, last: int) -> None:
        documents = self._documents
        while live.head < last and documents.is_current(live):
            try:
                rows = await documents.store.rows_after(live.record.id, live.head)
            except LogBroken:
                # They are only in a snapshot by now: read the document whole again.
                documents.give_up(live, "load-failed")
                return
            if not rows:
                return
            live.head = max(live.head, rows[-1].sequence)
            live.tell(Remote([row.data for row in rows]))

    async def _isolate(self, live: LiveRoom) -> None:
        """A stored row breaks the document: set it aside and load again (one alarm, no loss)."""
        documents = self._documents
        document = live.record.id
        log.error("document %s holds a row that breaks it; looking for it", document)
        found: list[tuple[int, str]] = []
        try:
            loaded = await documents.store.load(document)
            rows = [(row.sequence, row.data) for row in loaded.rows]
            found = await documents.workers.run(_find_bad, loaded.snapshot, rows)
            for sequence, reason in found:
                documents.metrics.quarantined += 1
                await documents.store.quarantine_row(document, sequence, reason)
        except (StorageError, WorkerDied):
            log.exception("document %s stays closed", document)
            found = []
        if found:
            await self.load(live)
        else:
            documents.breaker.failed(document, "a row breaks it, and cannot be set aside")
            documents.give_up(live, "load-failed")

    def quarantine(
        self, live: LiveRoom, session: Session | None, update: bytes, reason: str
    ) -> None:
        """Keep an update that broke the document on record, away from the log."""
        documents = self._documents
        documents.metrics.quarantined += 1
        author = session.account if session is not None else None
        device = getattr(session, "device", None)
        work = documents.store.quarantine_update(live.record.id, update, reason, author, device)
        documents.tasks.spawn(work, f"quarantine {live.record.id}")


def _find_bad(snapshot: bytes | None, rows: list[tuple[int, bytes]]) -> list[tuple[int, str]]:
    """In a helper process: the rows (by sequence; 0 is the snapshot) that break the document.

    A row that only stands before or behind a bad one is not blamed.
    """
    try:
        return rebuild_without_bad(snapshot, rows)[3]
    except DocumentBroken as broken:
        return [(0, broken.cause)]
