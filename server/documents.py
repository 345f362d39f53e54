"""Live documents: open, join, edit and read them; the one place that knows every room.

Loading is shared by all who wait for it, and an error refuses the room: a document that could not
be loaded is never shown empty and never written. A room whose last session left is dropped after a
while; nothing has to be saved then, because every update already is.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from aiohttp import web

from auth.errors import Forbidden
from crdt import structure
from crdt.awareness import Awareness
from crdt.document import Document
from crdt.effects import Session
from crdt.errors import DocumentBroken, UpdateError
from crdt.events import CHECKED, EDIT, PUSH, Drained, Loaded, Remote, Ticked
from crdt.room import Phase, Room
from server.errors import Busy
from server.live import LiveRoom, Member
from server.workers import WorkerDied
from storage.errors import StorageError
from storage.log import Stored

if TYPE_CHECKING:
    from auth.principal import Principal
    from crdt.bounds import Bounds
    from server.guard import Guard
    from server.metrics import Metrics
    from server.outbox import Turns
    from server.settings import Settings
    from server.workers import Workers
    from storage.documents import DocumentRecord
    from storage.documents import Documents as Store
    from storage.log import Flusher

log = logging.getLogger("plait.documents")


class Caller(Member):
    """Somebody who changes a document without being in its room: a REST request, an adapter."""

    __slots__ = ("done", "error", "reason")

    def __init__(self, account: str, device: str | None) -> None:
        super().__init__(account, can_write=True, greets=False, outbox=None, device=device)
        self.done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.reason = "refused"
        self.error: Exception | None = None
        """What a change that was to be made raised itself."""

    def acknowledged(self, body: bytes, *, ok: bool) -> None:
        """Committed, or refused."""
        del body
        if not self.done.done():
            self.done.set_result(ok)

    def refused(self, reason: str) -> None:
        """Remember why."""
        self.reason = reason

    def dismissed(self, reason: str) -> None:
        """The room ended before the commit."""
        self.reason = reason
        if not self.done.done():
            self.done.set_result(False)


class Documents:
    """Every live room of this process."""

    def __init__(
        self,
        *,
        settings: Settings,
        bounds: Bounds,
        store: Store,
        flusher: Flusher,
        workers: Workers,
        metrics: Metrics,
        turns: Turns,
        guard: Guard,
        compact: Callable[[UUID], None],
    ) -> None:
        self.settings = settings
        self.bounds = bounds
        self.store = store
        self.flusher = flusher
        self.metrics = metrics
        self.turns = turns
        self.guard = guard
        self._workers = workers
        self._compact = compact
        self._rooms: dict[UUID, LiveRoom] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticking: set[LiveRoom] = set()
        self.closed = False
        metrics.gauge("rooms", "Rooms in memory", lambda: len(self._rooms))
        metrics.gauge(
            "sessions",
            "Sessions in rooms",
            lambda: sum(len(live.room.sessions) for live in self._rooms.values()),
        )
        metrics.gauge("unsaved_bytes", "Bytes not yet committed", lambda: flusher.unsaved_bytes)

    # -- rooms --------------------------------------------------------------------------

    def room(self, record: DocumentRecord) -> LiveRoom:
        """The room of a document; the first who asks starts the load that all share.

        Raises Busy when too many documents are in memory.
        """
        live = self._rooms.get(record.id)
        if live is None:
            settings = self.settings
            if len(self._rooms) >= settings.rooms_max:
                raise Busy("too many documents are open")
            room = Room(
                self.bounds,
                client_id=secrets.randbits(32),
                awareness=Awareness(self.bounds, silence_s=settings.awareness_timeout_s),
            )
            live = self._rooms[record.id] = LiveRoom(self, record, room)
            live.idle_since = self.turns.clock()
            self._spawn(self._load(live), f"load {record.id}")
        return live

    def join(self, member: Member, record: DocumentRecord, principal: Principal) -> LiveRoom:
        """Make a session a member of its room; its right is watched from now on."""
        live = self.room(record)
        live.join(member)
        self.guard.watch(member, record, principal)
        return live

    def leave(self, member: Member) -> None:
        """A session is gone."""
        self.guard.unwatch(member)
        live = member.live
        if live is not None:
            live.leave(member)

    async def renew(self, member: Member, principal: Principal) -> None:
        """The same person showed a newer token."""
        live = member.live
        if live is not None:
            await self.guard.renew(member, live.record, principal)

    def bring_up(self, member: Member) -> None:
        """A slow reader can take frames again: one difference brings it up to date."""
        if member.live is not None:
            self.metrics.caught_up += 1
            member.live.tell(Drained(member))

    async def _load(self, live: LiveRoom) -> None:
        try:
            loaded = await self.store.load(live.record.id)
        except StorageError as error:
            log.warning("document %s cannot be loaded: %s", live.record.id, error)
            self.metrics.load_errors += 1
            self.give_up(live, "load-failed")
            return
        if live.room.phase is Phase.OVER or self._rooms.get(live.record.id) is not live:
            return
        if loaded.deleted or loaded.lineage != live.record.lineage:
            self.give_up(live, "deleted" if loaded.deleted else "lineage")
            return
        self.metrics.loads += 1
        rows = [row.data for row in loaded.rows]
        live.head = max(live.head, loaded.head)
        if loaded.snapshot is not None:
            rows.insert(0, loaded.snapshot)
        try:
            live.tell(Loaded(rows, loaded.retired))
        except DocumentBroken:
            self._spawn(self._load_suspect(live), f"isolate {live.record.id}")
        if loaded.tail_rows >= self.settings.compact_rows:
            self._compact(live.record.id)

    async def _load_suspect(self, live: LiveRoom) -> None:
        """A stored row breaks the document: set it aside and load again (one alarm, no loss)."""
        log.error("document %s holds a row that breaks it; isolating", live.record.id)
        try:
            found = await self._workers.run(_find_poison, await self._all_rows(live))
            for sequence, reason in found:
                self.metrics.quarantined += 1
                await self.store.quarantine_row(live.record.id, sequence, reason)
        except (StorageError, WorkerDied):
            log.exception("document %s stays closed", live.record.id)
            found = []
        if found:
            await self._load(live)
        else:
            self.give_up(live, "load-failed")

    async def _all_rows(self, live: LiveRoom) -> list[tuple[int, bytes]]:
        loaded = await self.store.load(live.record.id)
        rows = [(row.sequence, row.data) for row in loaded.rows]
        return [(0, loaded.snapshot), *rows] if loaded.snapshot is not None else rows

    def reload(self, live: LiveRoom) -> None:
        """The document in memory broke: build it again from the log."""
        self._spawn(self._load(live), f"reload {live.record.id}")

    def quarantine(
        self, live: LiveRoom, session: Session | None, update: bytes, reason: str
    ) -> None:
        """Keep an update that broke the document on record, away from the log."""
        self.metrics.quarantined += 1
        author = session.account if session is not None else None
        device = getattr(session, "device", None)
        work = self.store.quarantine_update(live.record.id, update, reason, author, device)
        self._spawn(work, f"quarantine {live.record.id}")

    def catch_up(self, live: LiveRoom, last: int) -> None:
        """Another process wrote in between: read what this room has not seen."""
        self._spawn(self._catch_up(live, last), f"catch up {live.record.id}")

    async def _catch_up(self, live: LiveRoom, last: int) -> None:
        rows = await self.store.rows_after(live.record.id, live.head)
        live.head = max(live.head, last)
        if rows:
            live.head = max(live.head, rows[-1].sequence)
            live.tell(Remote([row.data for row in rows]))

    def give_up(self, live: LiveRoom, reason: str) -> None:
        """Refuse the room: everybody in it is told why, nothing is written, nothing is cached."""
        self._rooms.pop(live.record.id, None)
        if reason == "internal":
            self.metrics.room_failures += 1
        live.room.phase = Phase.OVER
        for member in {*live.members(), *live.callers}:
            member.dismissed(reason)

    def forget(self, live: LiveRoom) -> None:
        """The room ended by itself (deleted or rebuilt under it)."""
        if self._rooms.get(live.record.id) is live:
            del self._rooms[live.record.id]

    def end(self, document: UUID, reason: str) -> None:
        """Close a room from outside: its document was deleted, or may no longer be read here."""
        live = self._rooms.get(document)
        if live is not None:
            self.give_up(live, reason)

    # -- what the store tells -----------------------------------------------------------

    def stored(self, live: LiveRoom, outcome: Stored) -> None:
        """A batch is committed: see whether compaction or a held writer is due."""
        settings = self.settings
        if live.held and live.unsaved_bytes < settings.unsaved_bytes_room_soft // 2:
            self._release(live)
        live.rights_version = outcome.rights_version
        self.guard.seen(live.record.scope, outcome.rights_version)
        if outcome.compact:
            self._compact(live.record.id)

    def hold_writers(self, live: LiveRoom) -> None:
        """The store is slower than the room: stop reading from it, and cut what still floods in."""
        settings = self.settings
        if (
            live.unsaved_bytes > settings.unsaved_bytes_room_max
            or self.flusher.unsaved_bytes > settings.unsaved_bytes_process_max
        ):
            for member in live.members():
                member.dismissed("overloaded")
        if not live.held:
            live.held = True
            for member in live.members():
                member.hold(live, on=True)

    def _release(self, live: LiveRoom) -> None:
        live.held = False
        for member in live.members():
            member.hold(live, on=False)

    def presence_later(self, live: LiveRoom, due: float) -> None:
        """Send presence that a busy room gathers, when its tick is over."""
        if live not in self._ticking:
            self._ticking.add(live)
            asyncio.get_running_loop().call_at(due, self._presence_due, live)

    def _presence_due(self, live: LiveRoom) -> None:
        self._ticking.discard(live)
        live.tell(Ticked())

    # -- REST and adapters --------------------------------------------------------------

    async def push(
        self, record: DocumentRecord, update: bytes, *, account: str, device: str | None = None
    ) -> None:
        """Apply an update that came by REST; returns after the commit, open editors see it at once.

        Raises UpdateError (refused), Busy (not committed in time: send it again) or
        Forbidden (the document is gone).
        """
        kind = PUSH
        if structure.is_costly(update):
            await self.inspect(update)
            kind |= CHECKED
        await self._commit(record, kind, update, Caller(account, device))

    async def edit(
        self,
        record: DocumentRecord,
        change: Callable[[Any], None],
        *,
        account: str,
        device: str | None = None,
    ) -> None:
        """Let `change` edit the document in one transaction; returns after the commit.

        What `change` raises is raised here, and nothing of it is kept.
        """
        caller = Caller(account, device)

        def careful(document: object) -> None:
            try:
                change(document)
            except Exception as error:
                caller.error = error
                raise

        await self._commit(record, EDIT, careful, caller)

    async def _commit(
        self, record: DocumentRecord, kind: int, payload: object, caller: Caller
    ) -> None:
        live = self.room(record)
        live.callers.add(caller)
        live.put(caller, kind, payload, b"")
        try:
            async with asyncio.timeout(self.settings.commit_timeout_s):
                ok = await caller.done
        except TimeoutError:
            raise Busy("the store does not answer") from None
        finally:
            live.callers.discard(caller)
        if ok:
            return
        if caller.error is not None:
            raise caller.error
        if caller.reason in ("load-failed", "overloaded", "internal", "restart"):
            raise Busy(caller.reason)
        if caller.reason in ("deleted", "lineage"):
            raise Forbidden(caller.reason)
        raise UpdateError(caller.reason)

    async def encoded(self, record: DocumentRecord) -> bytes:
        """The whole document as one update, of committed rows only.

        Raises StorageError; never an empty document for an error.
        """
        live = self._rooms.get(record.id)
        if live is not None and live.is_live and not live.room.uncommitted:
            return live.room.document.encode()
        loaded = await self.store.load(record.id)
        rows = [row.data for row in loaded.rows]
        if not rows and loaded.snapshot is not None:
            return loaded.snapshot
        if loaded.snapshot is not None:
            rows.insert(0, loaded.snapshot)
        return Document.rebuild(rows, client_id=0).encode()

    async def inspect(self, update: bytes) -> None:
        """Check a costly or suspicious update in a helper process; raises UpdateError."""
        try:
            reason = await self._workers.run(_verdict, update, self.bounds)
        except WorkerDied:
            reason = "malformed"
        if reason is not None:
            raise UpdateError(reason)

    # -- time ---------------------------------------------------------------------------

    def sweep(self, now: float) -> None:
        """Expire presence and drop rooms that nobody needs; called about once a second."""
        for live in list(self._rooms.values()):
            if live.room.sessions:
                live.tell(Ticked())
            elif live.inbox or not live.room.idle or not live.is_live or live.idle_since is None:
                live.idle_since = now
            elif now - live.idle_since > self.settings.room_idle_s:
                del self._rooms[live.record.id]

    async def close(self) -> None:
        """Wait for what is under way; every batch is the flusher's business by now."""
        self.closed = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(partial(self._finished, name))

    def _finished(self, name: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", name, exc_info=error)


def _verdict(update: bytes, bounds: Bounds) -> str | None:
    """In a helper process: why an update is refused, or None."""
    try:
        structure.check(update, bounds)
    except UpdateError as error:
        return error.reason
    return None


def _find_poison(rows: list[tuple[int, bytes]]) -> list[tuple[int, str]]:
    """In a helper process: the stored rows (by sequence) that break the document."""
    good: list[bytes] = []
    found: list[tuple[int, str]] = []
    for sequence, data in rows:
        try:
            Document.rebuild([*good, data], client_id=1).encode()
        except DocumentBroken as broken:
            found.append((sequence, broken.cause))
        else:
            good.append(data)
    return found


DOCUMENTS = web.AppKey("documents", Documents)
