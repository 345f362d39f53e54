"""One live document and its sessions: told what happened, answers what must be done.

`Room.handle(event, now) -> effects`; the caller performs the effects in order. No
socket, clock or database is known here, so the whole engine runs under a simulator.

What holds, whatever comes in:

* an update is checked and applied before it is stored or shown to anybody;
* it is acknowledged, replays and no-ops too, only when everything the room had
  appended before is committed (`Stored`);
* one bad update refuses its own sender and nobody else;
* updates whose predecessor is missing are kept, asked for and handed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from crdt import wire
from crdt.awareness import Awareness
from crdt.bounds import Bounds
from crdt.cursors import Cursors
from crdt.document import Document
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
    Session,
)
from crdt.errors import DocumentBroken, WireError
from crdt.events import (
    CHECKED,
    EDIT,
    JOIN,
    PUSH,
    Drained,
    Event,
    FellBehind,
    Fenced,
    Item,
    Left,
    Loaded,
    Remote,
    Stored,
    Ticked,
    TurnEnded,
)
from crdt.intake import Intake
from crdt.ledger import Answers, Ledger
from crdt.syncing import Syncs
from crdt.turn import Shared, Turn

EMPTY_VECTOR = b"\x00"


class Phase(Enum):
    """A room goes LOADING -> LIVE -> OVER; a document that breaks sends it back to LOADING.

    While LOADING everything that arrives waits in the room, in order.
    """

    LOADING = 1
    LIVE = 2
    OVER = 3


class Room:
    """Pass each event to `handle` and carry out the effects it returns, in order."""

    def __init__(self, bounds: Bounds, *, client_id: int, awareness: Awareness) -> None:
        self.bounds = bounds
        self.phase = Phase.LOADING
        self.document = Document(client_id=client_id)
        self.sessions: dict[Session, None] = {}
        self.ledger = Ledger()
        self.intake = Intake(bounds)
        self.cursors = Cursors(awareness, bounds)
        self.syncs = Syncs(self)
        self._client_id = client_id
        self._waiting: list[Item] = []
        self._vector_before = EMPTY_VECTOR

    # -- what the shell may ask ------------------------------------------------------

    @property
    def is_live(self) -> bool:
        """The document is loaded."""
        return self.phase is Phase.LIVE

    @property
    def idle(self) -> bool:
        """Nobody is here and nothing waits for the store."""
        return self.ledger.idle and not (self.sessions or self._waiting)

    @property
    def uncommitted(self) -> int:
        """Batches appended and not yet stored."""
        return len(self.ledger.in_flight)

    def waiting_sessions(self) -> list[Session]:
        """Sessions that joined while the document was loading."""
        return [item[0] for item in self._waiting if item[1] == JOIN and not item[0].left]

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Let one thing happen; `now` is in seconds of a clock that never goes back."""
        if type(event) is TurnEnded:
            return self._turn(event.inbox, now)
        return self._rarely(event, now)

    def _rarely(self, event: Event, now: float) -> list[Effect]:
        effects: list[Effect] = []
        match event:
            case Stored(batch):
                ready = self.stored(batch)
                effects = [*([Acknowledge(ready)] if ready else []), *self.syncs.owed()]
            case Left(session):
                effects = self._left(session, now)
            case FellBehind(session):
                if session.behind is None:
                    session.behind = self._vector_before
            case Drained(session):
                effects = self.syncs.drained(session)
            case Ticked():
                effects = [Presence(body) for body in self.cursors.tick(now)]
            case Loaded(rows, retired):
                effects = self._loaded(rows, retired, now)
            case Remote(rows):
                effects = self._remote(rows, now)
            case Fenced(_, reason):
                effects = self._fenced(reason)
        return effects

    # -- a turn ----------------------------------------------------------------------

    def _turn(self, inbox: list[Item], now: float) -> list[Effect]:
        if self.phase is not Phase.LIVE:
            if self.phase is Phase.LOADING:
                self._waiting.extend(inbox)
            return []
        turn = Turn(self)
        self._vector_before = self.document.state_vector()
        updates: list[Item] = []
        done = 0
        try:
            for item in inbox:
                if item[1] == wire.UPDATE:
                    updates.append(item)
                else:
                    if updates and item[1] != wire.AWARENESS:
                        turn.apply(updates)
                    self._other(item, turn, now)
                done += 1
            if updates:
                turn.apply(updates)
        except DocumentBroken as broken:
            return self._broke(updates, inbox[done:], turn, broken, now)
        return self._finish(turn, now)

    def _finish(self, turn: Turn, now: float) -> list[Effect]:
        """Close the turn: one append, one acknowledgement (or its place in the queue)."""
        effects = turn.effects
        if turn.rows:
            self.syncs.changed()
            effects.insert(0, Append(self.ledger.append(turn.rows), turn.rows))
        if turn.acks:
            ready = self.ledger.answer(turn.acks)
            if ready:
                effects.append(Acknowledge(ready))
        if turn.presence:
            body = self.cursors.show(turn.presence, now, len(self.sessions))
            if body is not None:
                effects.append(Presence(body))
        return effects

    def _other(self, item: Item, turn: Turn, now: float) -> None:
        """Everything but a plain update frame."""
        session, kind, payload, body = item
        if kind == wire.AWARENESS:
            try:
                for entry in self.cursors.hear(session, payload, now):
                    turn.presence[entry.client] = entry
            except WireError as error:
                turn.effects.append(Refuse(session, error.reason))
        elif kind == wire.STEP1:
            self.syncs.step1(session, payload, turn)
        elif kind & ~CHECKED in (wire.STEP2, PUSH):
            turn.observed(item)
        elif kind == wire.UPDATE | CHECKED:
            turn.apply([item])
        elif kind == JOIN:
            self._join(session, turn)
        elif kind == wire.QUERY_AWARENESS:
            self.syncs.tell_states(session, turn.effects)
        elif kind == wire.VERSION:
            turn.acks.append((session, True, body))
        else:
            assert kind == EDIT, f"an inbox kind the room does not know: {kind}"
            turn.edit(session, payload)

    # -- joining ---------------------------------------------------------------------

    def _join(self, session: Session, turn: Turn) -> None:
        if session.left:
            return
        self.sessions[session] = None
        if session.greets:
            self.syncs.greet(session, turn)
        self.syncs.tell_states(session, turn.effects)

    def _left(self, session: Session, now: float) -> list[Effect]:
        """Forget a session; those who stay see its cursors go."""
        session.left = True
        self.sessions.pop(session, None)
        body = self.cursors.leave(session, now)
        return [] if body is None else [Presence(body)]

    # -- the store -------------------------------------------------------------------

    def stored(self, batch: int) -> Answers:
        """`handle(Stored(batch))` without its two objects; `syncs.owed` is to be asked too."""
        return self.ledger.stored(batch)

    def _fenced(self, reason: str) -> list[Effect]:
        """Deleted or rebuilt under us: what is in flight is refused and the room ends."""
        self.phase = Phase.OVER
        refused = self.ledger.refuse_all()
        sessions = list(self.sessions)
        self.sessions.clear()
        return [*([Acknowledge(refused)] if refused else []), CloseAll(reason, sessions)]

    def _loaded(self, rows: Sequence[bytes], retired: frozenset[int], now: float) -> list[Effect]:
        """Build the document from the log and what is still on its way there; then catch up."""
        assert self.phase is Phase.LOADING
        flying = [update for batch in self.ledger.in_flight.values() for _, update in batch]
        self.document = Document.rebuild([*rows, *flying], client_id=self._client_id)
        self.intake.loaded(sum(map(len, rows)) + sum(map(len, flying)))
        self.syncs.retired = retired
        self.syncs.changed()
        self.phase = Phase.LIVE
        waiting, self._waiting = self._waiting, []
        effects = self._turn(waiting, now) if waiting else []
        return [*effects, *self.syncs.owed()]

    def _remote(self, rows: Sequence[bytes], now: float) -> list[Effect]:
        """Rows of another node: applied and shown, never appended again."""
        if self.phase is not Phase.LIVE:
            return []
        turn = Turn(self)
        self._vector_before = self.document.state_vector()
        try:
            errors = self.document.apply_turn(rows)
        except DocumentBroken:
            return self._reload([])
        self.syncs.changed()
        applied = [row for row, error in zip(rows, errors, strict=True) if error is None]
        shared: Shared = [(None, wire.update(row)) for row in applied]
        for row in applied:
            self.intake.remember(row)
        if shared:
            turn.effects.append(Broadcast(shared, None))
        return self._finish(turn, now)

    def _broke(
        self, run: list[Item], rest: list[Item], turn: Turn, broken: DocumentBroken, now: float
    ) -> list[Effect]:
        """pycrdt panicked: keep the culprit out, rebuild from the log, hold what comes after it.

        `run` is what is left of a run of update frames, `rest` the inbox from the item on that was
        being handled.
        """  # noqa: D403 - the library's name
        suspects = run or rest[:1]
        guilty = turn.applying or suspects
        if broken.culprit is not None and broken.culprit < len(guilty):
            guilty = guilty[broken.culprit :][:1]
        spared = [item for item in suspects if not any(item is bad for bad in guilty)]
        for item in guilty:
            turn.refuse(item, "malformed")
            if isinstance(item[2], bytes):
                turn.effects.append(Quarantine(item[0], item[2], broken.cause))
        return [*self._finish(turn, now), *self._reload(spared + (rest if run else rest[1:]))]

    def _reload(self, held: list[Item]) -> list[Effect]:
        self.phase = Phase.LOADING
        self._waiting = held + self._waiting
        self.syncs.changed()
        return [Reload()]
