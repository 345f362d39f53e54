"""One live room on the event loop: feeds the pure room and carries out what it answers.

The room (crdt/room.py) decides; this file reaches sockets and the store. What arrives in one turn
of the loop waits in `inbox`; `turn` hands it over whole (server/outbox.py says when).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from crdt import events
from crdt.effects import (
    Acknowledge,
    Append,
    Broadcast,
    CloseAll,
    Effect,
    Presence,
    Quarantine,
    Refuse,
    Reload,
    Send,
    Session,
)
from crdt.events import FellBehind, Item, Left, TurnEnded
from crdt.room import Phase, Room
from crdt.tracking import Tracker
from server import dozing, sharing, websocket
from server.backlog import ROW_BYTES
from server.member import Member
from storage.documents import DocumentRecord
from storage.log import Fenced, Stored

if TYPE_CHECKING:
    from server.documents import Documents
    from server.nodes.following import Following

log = logging.getLogger("plait.documents")

_PACED_MAX = 12
"""Messages for which the turn of a crowded room is not held up any longer."""
_BUSY_ROWS = 64
"""Rows waiting for the store from which on acknowledgements wait for a frame to leave with."""


class LiveRoom:
    """A room, its inbox, and the way to the store and to its members."""

    __slots__ = (
        "_turns", "callers", "dirty", "documents", "expected", "following", "head", "held",
        "idle_since", "inbox", "not_before", "record", "rights_version", "room", "seen_bytes",
        "slow_turns", "spent_s", "tail_bytes", "tail_rows", "tracker", "unsaved_bytes",
        "whole_bytes", "written", "written_at",
    )  # fmt: skip

    def __init__(self, documents: Documents, record: DocumentRecord, room: Room) -> None:
        self.documents = documents
        self._turns = documents.turns
        self.record = record
        self.room = room
        self.inbox: list[Item] = []
        self.dirty = False
        self.not_before = 0.0
        """Loop time before which the next turn waits for company; 0: it need not."""
        self.idle_since: float | None = documents.turns.clock()
        self.head = 0
        """Sequence up to which this room has seen the log."""
        self.expected = 0
        """Sequence up to which somebody else is known to have written."""
        self.rights_version = 0
        """The workspace's rights version as the last commit saw it."""
        self.held = False
        """Its writers are not read, because the store cannot keep up."""
        self.tail_rows = 0
        """Rows of the log above the newest snapshot, as far as this room knows."""
        self.tail_bytes = self.seen_bytes = 0
        """Bytes of updates in them; as many as there were at the last look."""
        self.whole_bytes = 0
        """Bytes of the newest snapshot, from above."""
        self.unsaved_bytes = 0
        self.written, self.written_at = 0, 0.0
        """Batches appended, as a sweep saw them last, and about when the last was."""
        self.tracker: Tracker | None = None
        """What hears of changed records, in documents that hold collections."""
        self.spent_s = 0.0
        """For how long it kept the process busy since it was opened."""
        self.slow_turns = 0
        """How often that was noticeable to others."""
        self.following: Following | None = None
        """Its place in a log that other nodes write too."""
        self.callers: set[Member] | None = None
        """REST requests that wait for their commit, while there are any; see `await_commit`."""

    def track(self, collections: Sequence[str]) -> None:
        """Hear of the records that change in these collections, from the load on."""
        if collections:
            tracker = self.tracker = Tracker(collections)
            self.room.on_document = lambda document: tracker.follow(document, self.head)

    # -- in ---------------------------------------------------------------------------

    def put(self, session: Session, kind: int, payload: object, body: bytes) -> None:
        """Something arrived for the room; it is handled when this turn of the loop ends."""
        self.inbox.append((session, kind, payload, body))
        if not self.dirty:
            self.dirty = True
            if not (self.not_before and self._turns.wait(self)):
                self.not_before = 0.0
                self._turns.room(self)
        elif self.not_before and len(self.inbox) == _PACED_MAX:
            self.not_before = 0.0
            self._turns.room(self)

    def join(self, member: Member) -> None:
        """A session becomes a member; it is greeted once the document is loaded."""
        member.live = self
        self.idle_since = None
        self.documents.metrics.joins += 1
        self.put(member, events.JOIN, None, b"")

    def leave(self, member: Member) -> None:
        """A session is gone; others see its cursors go at once.

        What it sent before is handled when the turn ends: a turn in between, while the effects of
        another are carried out, would be seen by slow readers in the wrong order.
        """
        member.live = None
        self.perform(self.room.handle(Left(member), self._turns.clock()))
        if self.room.idle:
            self.idle_since = self._turns.clock()

    def tell(self, event: events.Event) -> None:
        """Something else happened to the room (stored, loaded, remote rows, time)."""
        started = perf_counter()
        self.perform(self.room.handle(event, self._turns.clock()))
        self.took(perf_counter() - started)

    def turn(self, now: float) -> None:
        """Handle everything that arrived since the last turn."""
        self.dirty = False
        inbox = self.inbox
        if inbox:
            started = perf_counter()
            self.inbox = []
            slept = self.room.document.is_asleep
            try:
                effects = self.room.handle(TurnEnded(inbox), now)
            except BaseException:
                self.inbox = inbox + self.inbox  # Nobody in it may be left without an answer.
                raise
            self.perform(effects)
            if self.room.phase is Phase.LOADING:
                self.documents.backlog.grew(self)
            if slept and self.room.sessions and not self.room.document.is_asleep:
                dozing.roused(self, now, self.documents.settings.room_doze_s)
            self.took(perf_counter() - started)

    def took(self, seconds: float) -> None:
        """It kept the process busy for so long."""
        self.spent_s += seconds
        breaker = self.documents.breaker
        if seconds >= breaker.slow_s:
            self.slow_turns += 1
            breaker.stalled(self.record.id, seconds)

    def tick(self) -> None:
        """Time passed; a fault of ours over it costs this room only."""
        try:
            self.tell(events.Ticked())
        except Exception:
            log.exception("document %s is given up", self.record.id)
            self.failed()

    def failed(self) -> None:
        """A fault of our own: refuse this room, keep the process."""
        self.documents.give_up(self, "internal")

    def await_commit(self, caller: Member, *, on: bool) -> None:
        """A REST request waits for its commit, or does no longer."""
        callers = self.callers
        if on:
            if callers is None:
                callers = self.callers = set()
            callers.add(caller)
        elif callers is not None:
            callers.discard(caller)
            if not callers:
                self.callers = None  # An empty set takes 216 bytes.

    # -- out --------------------------------------------------------------------------

    def perform(self, effects: Iterable[Effect]) -> None:
        """Carry out what the room asked for, in order."""
        for effect in effects:
            kind = type(effect)
            if kind is Append:
                sharing.store(self, effect)  # type: ignore[arg-type]
            elif kind is Broadcast:
                count = sharing.broadcast(self, self._turns, effect)  # type: ignore[arg-type]
                self.documents.metrics.updates_out += count
            elif kind is Acknowledge:
                self._acknowledge(effect.items)  # type: ignore[union-attr]
            else:
                self._rare(effect)
        cursors = self.room.cursors
        if cursors.due is not None:
            self.documents.presence_later(self, cursors.due)
        if cursors.news and (nodes := self.documents.nodes) is not None:
            nodes.show(self)

    def _rare(self, effect: Effect) -> None:
        match effect:
            case Send(session, body):
                self.send(session, body)
            case Presence(body):
                self.documents.metrics.awareness_out += sharing.present(self, self._turns, body)
            case Refuse(session, reason):
                self.documents.metrics.refuse(reason)
                session.refused(reason)  # type: ignore[attr-defined]
            case CloseAll(reason, sessions):
                for session in sessions:
                    session.dismissed(reason)  # type: ignore[attr-defined]
                if self.room.phase is Phase.OVER:
                    self.documents.guard.forget(self.record)  # Who comes next finds what is now.
                    self.documents.forget(self)
            case Reload():
                self.documents.opening.reload(self)
            case Quarantine(session, update, reason):
                self.documents.opening.quarantine(self, session, update, reason)
            case _:
                raise AssertionError(f"an effect the shell does not know: {effect!r}")

    def show(self, body: bytes | None) -> None:
        """Somebody on another node moved, came or went."""
        self.perform([] if body is None else [Presence(body)])

    def send(self, session: Session, body: bytes) -> None:
        """Send one message to one session."""
        outbox = session.outbox  # type: ignore[attr-defined]
        if outbox is not None:
            prefix = session.prefix  # type: ignore[attr-defined]
            self._turns.queue(outbox, websocket.encode(prefix + body))

    def settled(self, batch: int, size: int, outcome: Stored | Fenced) -> None:
        """The flusher committed a batch of ours, or refused it for good."""
        self.unsaved_bytes -= size
        if isinstance(outcome, Fenced):
            self.tell(events.Fenced(batch, outcome.reason))
            return
        self.tail_bytes += size - ROW_BYTES * (outcome.last - outcome.first + 1)
        listened = self.documents.listened
        if listened and (heard := listened.get(self.record.scope)) is not None:
            heard()
        if self.following is not None:
            self.following.stored(batch, outcome)
        elif self.room.phase is Phase.OVER:
            self.documents.late(self, outcome)
        elif outcome.first == self.head + 1:
            self.advance(outcome.last)
        else:
            self.documents.opening.catch_up(self, outcome.last)
        ready = self.room.stored(batch)
        if ready:
            self._acknowledge(ready)
        if self.room.ledger.owes:
            self.perform(self.room.syncs.owed())
        if outcome.rights_version != self.rights_version or outcome.compact or self.held:
            self.documents.stored(self, outcome)

    def advance(self, head: int) -> None:
        """The room has seen the log up to `head`."""
        self.tail_rows += head - self.head
        self.head = head

    def _acknowledge(self, items: list[tuple[Session, bool, bytes]]) -> None:
        self.documents.metrics.acknowledged += len(items)
        self._turns.hurried = self.documents.flusher.unsaved_rows < _BUSY_ROWS
        for session, ok, body in items:
            session.acknowledged(body, ok=ok)  # type: ignore[attr-defined]

    def fell_behind(self, session: Session) -> None:
        """A session's outbox is full: it gets nothing shared until it reads again."""
        self.documents.metrics.fell_behind += 1
        self.perform(self.room.handle(FellBehind(session), 0.0))

    # -- asked by the registry ----------------------------------------------------------

    def members(self) -> list[Member]:
        """Who is here now, those included that wait for the load."""
        waiting = [i[0] for i in self.inbox if i[1] == events.JOIN]
        return [*self.room.sessions, *self.room.waiting.sessions(), *waiting]  # type: ignore[list-item]

    @property
    def is_live(self) -> bool:
        """The document is loaded and the room can be asked."""
        return self.room.is_live
