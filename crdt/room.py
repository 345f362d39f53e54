"""One live document and its sessions: told what happened, answers what must be done.

`Room.handle(event, now) -> effects`; the caller performs the effects in order. Neither
socket nor clock is known here, so the whole engine runs under a simulator.

What holds, whatever comes in:

* an update is checked and applied before it is stored or shown to anybody;
* it is acknowledged, replays and no-ops too, only when everything the room had
  appended before is committed (`Stored`);
* one bad update refuses its own sender and nobody else;
* updates whose predecessor is missing are kept, asked for and handed on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from crdt import wire
from crdt.alone import push_alone
from crdt.bounds import Bounds
from crdt.breakage import Breakage
from crdt.cursors import Cursors, NewAwareness
from crdt.document import EMPTY_STATE, Document, opened
from crdt.effects import (
    Acknowledge,
    Append,
    Broadcast,
    Effect,
    Presence,
    Refuse,
    Reload,
    Session,
)
from crdt.errors import DocumentBroken
from crdt.events import (
    CHECKED,
    EDIT,
    JOIN,
    PUSH,
    REFUSED,
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
from crdt.extending import mypyc_attr
from crdt.intake import Intake
from crdt.ledger import Answers, Ledger
from crdt.syncing import Syncs
from crdt.turn import Turn, turn_away
from crdt.waiting import Waiting


class Phase(Enum):
    """LOADING (all waits, in order) -> LIVE -> OVER; a document that breaks leads to to LOADING."""

    LOADING = 1
    LIVE = 2
    OVER = 3


@mypyc_attr(allow_interpreted_subclasses=True)
class Room:
    """Pass each event to `handle` and carry out the effects it returns, in order."""

    __slots__ = (
        *("_client_id", "_over", "_rebuilt", "bounds", "breakage", "cursors", "document", "intake"),
        *("ledger", "on_document", "phase", "sessions", "syncs", "vector_before", "waiting"),
    )

    def __init__(self, bounds: Bounds, *, client_id: int, awareness: NewAwareness) -> None:
        self.bounds, self.phase = bounds, Phase.LOADING
        self.document = Document(client_id=client_id, bounds=bounds, exact=True)
        self.sessions: dict[Session, None] = {}
        self.ledger, self.intake = Ledger(), Intake(bounds)
        self.cursors, self.syncs = Cursors(awareness, bounds), Syncs(self)
        self.on_document: Callable[[Document], None] | None = None
        """Told of each document that was loaded, before anything else is applied to it."""
        self.breakage, self._client_id = Breakage(), client_id
        self.vector_before = EMPTY_STATE
        """What all who are not behind were given before what is being handled."""
        self.waiting, self._rebuilt, self._over = Waiting(bounds), False, "restart"

    @property
    def is_live(self) -> bool:
        """The document is loaded."""
        return self.phase is Phase.LIVE

    @property
    def idle(self) -> bool:
        """Nobody is here and nothing waits for the store."""
        return self.ledger.idle and not (self.sessions or self.waiting)

    @property
    def uncommitted(self) -> int:
        """Batches appended and not yet stored."""
        return len(self.ledger.in_flight)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Let one thing happen; `now` is in seconds of a clock that never goes back."""
        if type(event) is TurnEnded:
            return self._turn(event.inbox, now)
        if type(event) is Loaded:
            return self._loaded(event, now)
        effects: list[Effect] = []
        try:
            self._rarely(event, now, effects)
        except DocumentBroken:
            effects += self.reload([])
        return effects

    def _rarely(self, event: Event, now: float, effects: list[Effect]) -> None:
        """What was done before the document broke is kept."""
        match event:
            case Stored(batch):
                ready = self.stored(batch)
                effects += [*([Acknowledge(ready)] if ready else []), *self.syncs.owed()]
            case Left(session):
                effects += self._left(session, now)
            case FellBehind(session):
                if session.behind is None:
                    session.behind = self.vector_before
            case Drained(session):
                self.syncs.drained(session, effects)
            case Ticked():
                self.syncs.settle(effects)
                self.intake.rest()
                effects += [Presence(body) for body in self.cursors.tick(now)]
            case Remote(rows):
                effects += self._remote(rows, now)
            case Fenced(_, reason):
                effects += self._fenced(reason)

    def _turn(self, inbox: list[Item], now: float) -> list[Effect]:
        if self.phase is Phase.OVER:
            return turn_away(inbox, self._over)
        if self.phase is Phase.LOADING:
            return [] if self.waiting.fits(inbox) else turn_away(inbox, "overloaded")
        is_alone = len(inbox) == 1 and inbox[0][1] & ~CHECKED == PUSH and not self.sessions
        return (is_alone and push_alone(self, inbox[0], now)) or self._all_of(inbox, now)

    def _all_of(self, inbox: list[Item], now: float) -> list[Effect]:
        turn, done = Turn(self), 0
        updates: list[Item] = []
        try:
            self.vector_before = self.document.state_vector()
            for item in inbox:
                if item[1] == wire.UPDATE:
                    updates.append(item)
                else:
                    if updates and item[1] != wire.AWARENESS:
                        turn.apply(updates)
                    if turn.spoiled:
                        break
                    self._other(item, turn, now)
                done += 1
            if updates and not turn.spoiled:
                turn.apply(updates)
        except DocumentBroken as broken:
            held = self.breakage.held(updates, inbox[done:], turn, broken)
            return [*self.finish(turn, now), *self.reload(held)]
        effects = self.finish(turn, now)
        if turn.spoiled:
            effects += self.reload(updates + inbox[done:])
        return effects

    def finish(self, turn: Turn, now: float) -> list[Effect]:
        """Close the turn: one append, one acknowledgement (or its place in the queue)."""
        effects = turn.effects
        if turn.rows:
            self.syncs.changed()
            effects.insert(0, Append(self.ledger.append(turn.rows), turn.rows))
        if turn.acks and (ready := self.ledger.answer(turn.acks)):
            effects.append(Acknowledge(ready))
        if turn.presence:
            body = self.cursors.show(turn.presence, now, len(self.sessions))
            if body is not None:
                effects.append(Presence(body))
        return effects

    def _other(self, item: Item, turn: Turn, now: float) -> None:
        """Everything but a plain update frame."""
        session, kind, payload, _ = item
        if session.left and kind in (wire.AWARENESS, wire.STEP1, wire.QUERY_AWARENESS, JOIN):
            return  # It went while the document was loading: its updates count, nothing else.
        if kind in (wire.STEP1, wire.QUERY_AWARENESS) and not turn.is_first(session, kind):
            return
        if kind == wire.AWARENESS:
            turn.hear(session, payload, now)
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
        elif kind in (wire.VERSION, REFUSED):
            turn.answer(item)
        else:
            assert kind == EDIT, f"an inbox kind the room does not know: {kind}"
            turn.edit(item)

    def _join(self, session: Session, turn: Turn) -> None:
        self.sessions[session] = None
        self.syncs.welcome(session, turn)

    def _left(self, session: Session, now: float) -> list[Effect]:
        """Forget a session; those who stay see its cursors go."""
        session.left = True
        self.sessions.pop(session, None)
        return [Presence(body)] if (body := self.cursors.leave(session, now)) is not None else []

    def stored(self, batch: int) -> Answers:
        """`handle(Stored(batch))` without its two objects; `syncs.owed` is to be asked too."""
        return self.ledger.stored(batch)

    def _fenced(self, reason: str) -> list[Effect]:
        """Deleted or rebuilt under us: what is in flight is refused and the room ends."""
        self.phase = Phase.OVER
        self._over = reason
        refused = self.ledger.refuse_all()
        effects: list[Effect] = [Refuse(s, reason) for s, *_ in refused if s not in self.sessions]
        effects += [Acknowledge(refused)] if refused else []
        waiting = [*((session, JOIN, None, b"") for session in self.sessions), *self.waiting.take()]
        self.sessions.clear()
        return [*effects, *turn_away(waiting, reason)]

    def _loaded(self, event: Loaded, now: float) -> list[Effect]:
        """Build the document from the log and what is still on its way there; then catch up."""
        flying = [update for batch in self.ledger.in_flight.values() for _, update in batch]
        known = [*event.rows, *(self.ledger.missed or ()), *flying]
        careful, vector = self.breakage.out_of_order, None if self._rebuilt else event.vector
        document = self.document
        if known or self._rebuilt:
            document = opened(
                known, vector, client_id=self._client_id, bounds=self.bounds, careful=careful
            )
        if self._rebuilt:
            document.encode()  # A row that breaks it by being read is in the log: say so now.
        document.take_poison()  # It was named when it was found out.
        self.document = document
        if self.on_document is not None:
            self.on_document(document)
        self.ledger.missed = None
        self.intake.loaded(sum(map(len, known)))
        self.syncs.retired = self.intake.retired = event.retired
        self.syncs.changed()
        self.phase = Phase.LIVE
        before = self.vector_before
        effects: list[Effect] = []
        try:
            self.syncs.resume(before, effects)
        except DocumentBroken:
            return [*effects, *self.reload([])]
        if self.waiting:
            effects += self._turn(self.waiting.take(), now)
        self.vector_before = before  # Whoever falls behind in this is to be given all of it.
        return [*effects, *self.syncs.owed()]

    def _remote(self, rows: Sequence[bytes], now: float) -> list[Effect]:
        """Rows of another node: applied and shown, never appended again."""
        if self.phase is not Phase.LIVE:
            if self.ledger.missed is not None:
                self.ledger.missed += rows
            return []
        turn = Turn(self)
        self.vector_before, waited = self.document.state_vector(), self.document.pending()
        errors = self.document.apply_stored(rows)
        self.syncs.changed()
        turn.look_after(waited)
        applied = [row for row, error in zip(rows, errors, strict=True) if error is None]
        for row in applied:
            self.intake.remember(row)
        if applied:
            turn.effects.append(Broadcast([(None, wire.update(row)) for row in applied], None))
        return [*self.finish(turn, now), *(self.reload([]) if turn.spoiled else [])]

    def reload(self, held: list[Item]) -> list[Effect]:
        """The document is of no use any more: everything waits until it is rebuilt."""
        self.phase = Phase.LOADING
        self._rebuilt = True
        self.waiting.put_first(held)
        self.ledger.missed = []
        self.syncs.changed()
        return [Reload()]
