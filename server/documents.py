"""Live documents: open, join, edit and read them; the one place that knows every room.

Loading is shared by all who wait, and an error refuses the room: it is never shown empty, never
written. A room that nobody needs is dropped; every update is stored by then.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from aiohttp import web

from crdt import structure
from crdt.awareness import Awareness
from crdt.events import CHECKED, EDIT, PUSH, Drained, Fenced, Ticked
from crdt.layout import Layout, Trial
from crdt.room import Phase, Room
from server.backlog import Backlog
from server.caller import Caller
from server.dozing import rest, tick
from server.errors import Busy
from server.inspecting.breaker import Breaker
from server.large import whole
from server.live import LiveRoom
from server.member import Member
from server.opening import Opening
from server.tasks import Tasks
from storage.log import Stored

if TYPE_CHECKING:
    from auth.principal import Principal
    from crdt.bounds import Bounds
    from server.guard import Guard
    from server.metrics import Metrics
    from server.nodes.exchange import Nodes
    from server.outbox import Turns
    from server.settings import Settings
    from server.workers import Workers
    from storage.documents import DocumentRecord
    from storage.documents import Documents as Store
    from storage.log import Flusher

log = logging.getLogger("plait.documents")


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
        compact: Callable[..., None],
        breaker: Breaker,
    ) -> None:
        self.settings = settings
        self.bounds = bounds
        self.store = store
        self.flusher = flusher
        self.metrics = metrics
        self.turns = turns
        self.guard = guard
        self.workers = workers
        self.compact = compact
        self.breaker = breaker
        breaker.on_close = lambda document: self.end(document, "costly")
        self.backlog = Backlog(settings, flusher)
        self.opening = Opening(self)
        self._rooms: dict[UUID, LiveRoom] = {}
        self.collections: dict[str, tuple[str, ...]] = {}
        """By kind of document: the collections of records whose changes the feed tells."""
        self.layouts: dict[str, Layout] = {}
        """By kind of document: what it may hold."""
        self.listened: dict[str, Callable[[], None]] = {}
        """What to call when something is committed in these workspaces."""
        self.nodes: Nodes | None = None
        """The other nodes; None where this one is alone."""
        self.new_awareness: Callable[[], Awareness] = partial(
            Awareness, bounds, silence_s=settings.awareness_timeout_s
        )
        self.tasks = Tasks()
        self._ticking: set[LiveRoom] = set()
        metrics.gauge("rooms", "Rooms in memory", lambda: len(self._rooms))
        metrics.gauge(
            "sessions", "Sessions in rooms", lambda: sum(len(r.room.sessions) for r in self.rooms())
        )
        metrics.gauge("unsaved_bytes", "Bytes not yet committed", lambda: flusher.unsaved_bytes)

    # -- rooms --------------------------------------------------------------------------

    def room(self, record: DocumentRecord) -> LiveRoom:
        """The room of a document; the first who asks starts the load that all share.

        Raises Busy when too many documents are in memory.
        """
        live = self._rooms.get(record.id)
        if live is None:
            live = self.empty_room(record)
            self.tasks.spawn(self.opening.load(live), f"load {record.id}")
        return live

    def peek(self, document: UUID) -> LiveRoom | None:
        """The room of a document, if it is in memory; it may still be loading."""
        return self._rooms.get(document)

    def rooms(self) -> list[LiveRoom]:
        """All that are in memory."""
        return list(self._rooms.values())

    def tables(self) -> list[dict[Any, Any]]:
        """What grows with the number of rooms and sessions."""
        return [self._rooms, *self.flusher.tables(), *self.guard.tables()]

    def empty_room(self, record: DocumentRecord) -> LiveRoom:
        """A room that waits for `Opening.take`.

        Raises Busy when too many are in memory, Closed where this one may not be opened now.
        """
        self.breaker.check(record.id)
        if len(self._rooms) >= self.settings.rooms_max:
            raise Busy("too many documents are open")
        room = Room(self.bounds, client_id=secrets.randbits(32), awareness=self.new_awareness)
        live = self._rooms[record.id] = LiveRoom(self, record, room)
        if self.nodes is not None:
            live.following = self.nodes.follow(live)
        live.track(self.collections.get(record.kind, ()))
        room.intake.trial = Trial.of(self.layouts.get(record.kind))
        return live

    def join(self, member: Member, record: DocumentRecord, principal: Principal) -> LiveRoom:
        """Make a session a member of its room; its right is watched from now on."""
        live = self.room(record)
        if self.nodes is not None and not live.room.sessions:
            self.nodes.joined(live)
        live.join(member)
        self.guard.watch(member, record, principal)
        return live

    def leave(self, member: Member) -> None:
        """A session is gone."""
        self.guard.unwatch(member)
        live = member.live
        if live is not None:
            # Other documents of its socket must not wait for the room it has left.
            member.hold(live, on=False)
            live.leave(member)

    async def renew(self, member: Member, principal: Principal) -> None:
        """The same person showed a newer token."""
        if (live := member.live) is not None:
            await self.guard.renew(member, live.record, principal)

    def bring_up(self, member: Member) -> None:
        """A slow reader can take frames again: one difference brings it up to date."""
        if member.live is not None:
            self.metrics.caught_up += 1
            member.live.tell(Drained(member))

    def give_up(self, live: LiveRoom, reason: str) -> None:
        """Refuse the room: everybody in it is told why, nothing is written, nothing is cached."""
        self.forget(live)
        self.guard.forget(live.record)
        if reason == "internal":
            self.metrics.room_failures += 1
            self.breaker.failed(live.record.id, "a fault of the server ended its room")
        live.tell(Fenced(0, reason))
        live.turn(self.turns.clock())  # What came in this turn of the loop is turned away, too.
        for caller in list(live.callers or ()):
            caller.dismissed(reason)  # A fault may have swallowed its answer.
        self.forget(live)

    def forget(self, live: LiveRoom) -> None:
        """The room ended by itself (deleted or rebuilt under it)."""
        self.backlog.shrank(live)
        if self._rooms.get(live.record.id) is live:
            del self._rooms[live.record.id]

    def end(self, document: UUID, reason: str) -> None:
        """Close a room from outside: its document was deleted, or may no longer be read here."""
        if (live := self._rooms.get(document)) is not None:
            self.give_up(live, reason)

    # -- what the store tells -----------------------------------------------------------

    def stored(self, live: LiveRoom, outcome: Stored) -> None:
        """A batch is committed: see whether compaction or a held writer is due."""
        self.backlog.shrank(live)
        live.rights_version = outcome.rights_version
        self.guard.seen(live.record.scope, outcome.rights_version)
        if outcome.compact:
            self.backlog.compacted(live)
            self.compact(live.record.id)

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

        Raises UpdateError (refused), Busy (not in time: send it again) or Forbidden (it is gone).
        """
        kind = PUSH
        if structure.is_costly(update):
            await self.inspect(update)
            kind |= CHECKED
        live = self.room(record)
        await Caller(account, device).commit(live, kind, update, self.settings.commit_timeout_s)

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
        if self.nodes is not None:
            await self.nodes.fresh(record.id)
        live = self.room(record)
        caller = Caller(account, device)
        await caller.commit(live, EDIT, caller.watching(change), self.settings.commit_timeout_s)

    async def encoded(self, record: DocumentRecord) -> bytes:
        """The whole document as one update, of committed rows only.

        Raises StorageError; never an empty document for an error.
        """
        if self.nodes is not None:
            await self.nodes.fresh(record.id)
        live = self._rooms.get(record.id)
        if live is not None and live.is_live and not live.room.uncommitted:
            return live.room.document.encode()
        return await whole(self, await self.store.load(record.id))

    async def inspect(self, update: bytes) -> None:
        """Check a costly or suspicious update in a helper process; raises UpdateError, Busy."""
        await self.workers.check(update, self.bounds)

    # -- time ---------------------------------------------------------------------------

    def sweep(self, now: float) -> None:
        """Expire presence and drop rooms that nobody needs; called about once a second."""
        for live in list(self._rooms.values()):
            rest(live, now, self.settings.room_doze_s)
            if live.tail_bytes and self.backlog.is_long(live):
                self.compact(live.record.id, is_last=True)
            if live.room.sessions:
                tick(live)
            elif live.inbox or not live.room.idle or not live.is_live or live.idle_since is None:
                live.idle_since = now
            elif now - live.idle_since > self.settings.room_idle_s:
                del self._rooms[live.record.id]
                self.guard.forget(live.record)
                if self.backlog.is_worth(live):
                    self.compact(live.record.id, is_last=True)  # Who comes next reads no rows.

    async def close(self) -> None:
        """Wait for what is under way; the flusher has every batch by now."""
        await self.tasks.close()

    def is_current(self, live: LiveRoom) -> bool:
        """Whether this is the document's room, and not one that was given up."""
        return self._rooms.get(live.record.id) is live and live.room.phase is not Phase.OVER

    def late(self, live: LiveRoom, outcome: Stored) -> None:
        """Rows of a room that was given up were stored after all: its successor must see them."""
        successor = self._rooms.get(live.record.id)
        if successor is not None and successor is not live:
            self.opening.catch_up(successor, outcome.last)


DOCUMENTS = web.AppKey("documents", Documents)
