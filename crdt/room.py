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

from collections import deque
from collections.abc import Sequence
from enum import Enum
from typing import Any

from crdt import structure, wire
from crdt.awareness import Awareness, Entry, decode, encode
from crdt.bounds import Bounds
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
    Send,
    Session,
)
from crdt.errors import DocumentBroken, UpdateError, WireError
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

EMPTY_VECTOR = b"\x00"
EMPTY_UPDATE = b"\x00\x00"


class Phase(Enum):
    """A room goes LOADING -> LIVE -> OVER; a document that breaks sends it back to LOADING.

    While LOADING everything that arrives waits in the room, in order.
    """

    LOADING = 1
    LIVE = 2
    OVER = 3


class _Turn:
    """What one turn has gathered so far; becomes at most one append and one acknowledgement."""

    __slots__ = ("acks", "effects", "presence", "rows")

    def __init__(self) -> None:
        self.rows: list[tuple[Session | None, bytes]] = []
        self.acks: list[tuple[Session, bool, bytes]] = []
        self.presence: dict[int, Entry] = {}
        self.effects: list[Effect] = []


class Room:
    """Pass each event to `handle` and carry out the effects it returns, in order."""

    def __init__(self, bounds: Bounds, *, client_id: int, awareness: Awareness) -> None:
        self.bounds = bounds
        self.phase = Phase.LOADING
        self.document = Document(client_id=client_id)
        self.awareness = awareness
        self.sessions: dict[Session, None] = {}
        self.presence_due: float | None = None
        """When held presence must be sent: the shell then passes `Ticked`."""
        self.bytes_in = 0
        """Bytes of this document that were loaded or accepted: its size, from above."""
        self._client_id = client_id
        self._waiting: list[Item] = []
        self._held: dict[int, Entry] = {}
        self._presence_at = 0.0
        self._appended = 0
        self._committed = 0
        self._in_flight: dict[int, list[tuple[Session | None, bytes]]] = {}
        self._acks: deque[tuple[int, list[tuple[Session, bool, bytes]]]] = deque()
        self._recent: dict[bytes, None] = {}
        self._retired: frozenset[int] = frozenset()
        self._diffs: dict[bytes, bytes] = {}
        self._vector_before = EMPTY_VECTOR
        self._applying: list[Item] = []

    # -- what the shell may ask ------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Nobody is here and nothing waits for the store or for a missing predecessor."""
        return not (self.sessions or self._in_flight or self._waiting or self._acks)

    @property
    def uncommitted(self) -> int:
        """Batches appended and not yet stored."""
        return len(self._in_flight)

    def waiting_sessions(self) -> list[Session]:
        """Sessions that joined while the document was loading."""
        return [item[0] for item in self._waiting if item[1] == JOIN and not item[0].left]

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Let one thing happen; `now` is in seconds of a clock that never goes back."""
        if type(event) is TurnEnded:
            return self._turn(event.inbox, now)
        match event:
            case Stored(batch):
                return self._stored(batch)
            case Left(session):
                return self._left(session, now)
            case FellBehind(session):
                return self._fell_behind(session)
            case Drained(session):
                return self._drained(session)
            case Ticked():
                return self._ticked(now)
            case Loaded(rows, retired):
                return self._loaded(rows, retired, now)
            case Remote(rows):
                return self._remote(rows, now)
            case Fenced(batch, reason):
                return self._fenced(batch, reason)
        raise AssertionError(f"an event the room does not know: {event!r}")

    def step2(self, state_vector: bytes) -> bytes:
        """The step 2 message for a peer at `state_vector`; cached until the document changes.

        Raises UpdateError if the bytes are not a state vector.
        """
        assert self.phase is Phase.LIVE
        body = self._diffs.get(state_vector)
        if body is None:
            body = wire.step2(self.document.diff(state_vector))
            if len(self._diffs) >= self.bounds.diff_cache_max:
                self._diffs.clear()
            self._diffs[state_vector] = body
        return body

    # -- a turn ----------------------------------------------------------------------

    def _turn(self, inbox: list[Item], now: float) -> list[Effect]:
        if self.phase is not Phase.LIVE:
            if self.phase is Phase.LOADING:
                self._waiting.extend(inbox)
            return []
        turn = _Turn()
        self._vector_before = self.document.state_vector()
        updates: list[Item] = []
        at = 0
        try:
            for at, item in enumerate(inbox):
                if item[1] == wire.UPDATE:
                    updates.append(item)
                    continue
                if item[1] != wire.AWARENESS and updates:
                    self._apply(updates, turn)
                self._other(item, turn, now)
            at = len(inbox)
            if updates:
                self._apply(updates, turn)
        except DocumentBroken as broken:
            return self._broke(updates, inbox[at:], turn, broken, now)
        return self._finish(turn, now)

    def _finish(self, turn: _Turn, now: float) -> list[Effect]:
        """Close the turn: one append, one acknowledgement (or its place in the queue)."""
        effects = turn.effects
        if turn.rows:
            self._appended += 1
            self._in_flight[self._appended] = turn.rows
            self._diffs.clear()
            effects.insert(0, Append(self._appended, turn.rows))
        if turn.acks:
            if self._committed >= self._appended:
                effects.append(Acknowledge(turn.acks))
            else:
                self._acks.append((self._appended, turn.acks))
        if turn.presence:
            self._show(turn.presence, now, effects)
        return effects

    def _other(self, item: Item, turn: _Turn, now: float) -> None:
        """Everything but an update frame: rare enough that a match costs nothing."""
        session, kind, payload, body = item
        if kind == wire.AWARENESS:
            self._aware(session, payload, turn, now)
        elif kind == wire.STEP1:
            self._step1(session, payload, turn)
        elif kind in (wire.STEP2, PUSH, wire.STEP2 | CHECKED, PUSH | CHECKED):
            self._observed(session, kind, payload, body, turn)
        elif kind == wire.UPDATE | CHECKED:
            self._apply([item], turn)
        elif kind == JOIN:
            self._join(session, turn)
        elif kind == wire.QUERY_AWARENESS:
            self._tell_states(session, turn.effects)
        elif kind == wire.VERSION:
            turn.acks.append((session, True, body))
        elif kind == EDIT:
            self._edit(session, payload, turn)
        else:
            raise AssertionError(f"an inbox kind the room does not know: {kind}")

    def _apply(self, items: list[Item], turn: _Turn) -> None:
        """Apply a run of update frames and empty the list of them.

        With rows pending, what a turn brings is no longer what its frames hold: each
        update then goes alone, so that its author is known (`_with_healed`).
        """
        if self.document.has_pending:
            while items:
                self._apply_run(items[:1], turn)
                del items[0]
        else:
            self._apply_run(items, turn)
            items.clear()

    def _apply_run(self, items: list[Item], turn: _Turn) -> None:
        """Check, apply in one transaction, then store and share: the hot path.

        Nothing is added to `turn` before all that can panic is done.
        """
        document = self.document
        had_pending = document.has_pending
        verdicts = [self._refusal(item) for item in items]
        good = [item for item, why in zip(items, verdicts, strict=True) if why is None]
        self._applying = good
        updates = [item[2] for item in good]
        errors = iter(document.apply_turn(updates)) if updates else iter(())
        rows, acks = turn.rows, turn.acks
        shared: list[tuple[Session | None, bytes]] = []
        for item, verdict in zip(items, verdicts, strict=True):
            session, _, update, body = item
            if verdict is None:
                error = next(errors)
                if error is None:
                    rows.append((session, update))
                    acks.append((session, True, body))
                    shared.append((session, body))
                    self._remember(update)
                    continue
                verdict = error.reason
            if verdict == "known":
                acks.append((session, True, body))
            else:
                self._refuse(item, verdict, turn)
        if shared:
            self._share(shared, had_pending, turn)

    def _share(
        self, shared: list[tuple[Session | None, bytes]], had_pending: bool, turn: _Turn
    ) -> None:
        document = self.document
        if document.has_pending:
            self._ask(shared, turn)
        if had_pending:
            shared = self._with_healed(shared)
        merged = None
        if len(shared) > self.bounds.merge_from and not document.has_pending:
            merged = wire.update(document.turn_update)
        turn.effects.append(Broadcast(shared, merged))

    def _refusal(self, item: Item) -> str | None:
        """Why an update frame may not be applied; "known" if it changes nothing."""
        session, kind, update, _ = item
        if update in self._recent:
            return "known"
        try:
            if not kind & CHECKED:
                structure.check(update, self.bounds)
            if not session.can_write:
                return "known" if self.document.contains(update) else "read-only"
        except UpdateError as error:
            return error.reason
        if self.bytes_in + len(update) > self.bounds.document_bytes_max:
            return "document-full"
        return None

    def _refuse(self, item: Item, reason: str, turn: _Turn) -> None:
        turn.acks.append((item[0], False, item[3]))
        turn.effects.append(Refuse(item[0], reason))

    def _remember(self, update: bytes) -> None:
        """Exact repeats (retries, two tabs) are acknowledged and not logged again."""
        self.bytes_in += len(update)
        recent = self._recent
        if len(update) <= self.bounds.recent_update_bytes_max:
            recent[update] = None
            if len(recent) > self.bounds.recent_updates_max:
                del recent[next(iter(recent))]

    def _with_healed(
        self, shared: list[tuple[Session | None, bytes]]
    ) -> list[tuple[Session | None, bytes]]:
        """The bodies of a turn in a room with pending rows: what became whole, and the rest.

        A peer that joined later was given the pending rows with its first sync, yet
        other CRDT implementations than Yjs do not retry them: send what integrated.
        """
        healed = self.document.turn_update
        if healed and healed != EMPTY_UPDATE:
            return [*shared, (shared[0][0], wire.update(healed))]
        return shared

    def _ask(self, shared: Sequence[tuple[Session | None, bytes]], turn: _Turn) -> None:
        """A predecessor is missing: ask those who wrote in this turn for all they have."""
        body = wire.step1(self.document.state_vector())
        for session in {author for author, _ in shared if author is not None}:
            if session in self.sessions and session.behind is None:
                if session.asked is None or len(session.asked) < self.bounds.asks_max:
                    session.asked = [*(session.asked or ()), False]
                    turn.effects.append(Send(session, body))

    # -- the other messages ----------------------------------------------------------

    def _observed(
        self, session: Session, kind: int, update: bytes, body: bytes, turn: _Turn
    ) -> None:
        """A step 2 or a push: a transaction of its own, so that an echo is not stored as news."""
        counted = True
        if session.asked and kind & ~CHECKED != PUSH:
            counted = session.asked.pop(0)
        item: Item = (session, kind, update, body)
        self._applying = [item]
        reason = self._refusal(item) if update != EMPTY_UPDATE else "known"
        if reason is None:
            had_pending = self.document.has_pending
            try:
                news = self.document.apply_observed(update)
            except UpdateError as error:
                reason = error.reason
            else:
                waits = not self.document.integrated(update, self.document.state_vector())
                if news is not None or waits:
                    turn.rows.append((session, update))
                    self._remember(update)
                    self._diffs.clear()
                    shared: list[tuple[Session | None, bytes]] = []
                    if news is not None:
                        shared.append((session, wire.update(news)))
                    if waits or had_pending:
                        shared.append((session, wire.update(update)))
                    if waits:
                        self._ask(shared[-1:], turn)
                    turn.effects.append(Broadcast(shared, None))
        if reason in (None, "known"):
            if counted:
                turn.acks.append((session, True, body))
        elif counted:
            self._refuse(item, str(reason), turn)
        else:
            turn.effects.append(Refuse(session, str(reason)))

    def _edit(self, session: Session, change: Any, turn: _Turn) -> None:
        """A change made by this server, as an adapter makes it."""
        self._applying = []
        made = self.document.edit(change)
        if made is not None:
            turn.rows.append((session, made))
            self.bytes_in += len(made)
            self._diffs.clear()
            turn.effects.append(Broadcast([(session, wire.update(made))], None))
        turn.acks.append((session, True, made or b""))

    def _step1(self, session: Session, vector: bytes, turn: _Turn) -> None:
        try:
            if self._retired and structure.vector_clients(vector) & self._retired:
                turn.effects.append(Refuse(session, "lineage"))
                return
            if turn.rows:
                self._diffs.clear()
            answer = self.step2(vector)
        except UpdateError as error:
            turn.effects.append(Refuse(session, error.reason))
            return
        if not session.greets:
            # Hocuspocus: the server's own step 1 comes with the answer; its reply is counted.
            self._greet(session, turn)
        turn.effects.append(Send(session, answer))

    def _greet(self, session: Session, turn: _Turn) -> None:
        if session.asked is not None and len(session.asked) >= self.bounds.asks_max:
            turn.effects.append(Refuse(session, "too-many-asks"))
            return
        session.asked = [*(session.asked or ()), True]
        turn.effects.append(Send(session, wire.step1(self.document.state_vector())))

    def _join(self, session: Session, turn: _Turn) -> None:
        if session.left:
            return
        self.sessions[session] = None
        if session.greets:
            self._greet(session, turn)
        self._tell_states(session, turn.effects)

    def _tell_states(self, session: Session, effects: list[Effect]) -> None:
        states = self.awareness.states()
        if states:
            effects.append(Send(session, wire.awareness(encode(states))))

    # -- presence --------------------------------------------------------------------

    def _aware(self, session: Session, payload: bytes, turn: _Turn, now: float) -> None:
        try:
            entries = decode(payload, self.bounds)
        except WireError as error:
            turn.effects.append(Refuse(session, error.reason))
            return
        for entry in self.awareness.update(session, session.account, entries, now):
            turn.presence[entry.client] = entry

    def _show(self, entries: dict[int, Entry], now: float, effects: list[Effect]) -> None:
        """Send presence, or hold it for one tick in a room where everybody moves at once."""
        tick = self.bounds.presence_tick_s
        if len(self.sessions) >= self.bounds.presence_tick_from:
            wait = self._presence_at + tick - now
            if self._held or wait > 0:
                self._held.update(entries)
                if self.presence_due is None:
                    self.presence_due = now + max(wait, 0.0)
                return
        self._presence_at = now
        effects.append(Presence(wire.awareness(encode(list(entries.values())))))

    def _ticked(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        if self._held and self.presence_due is not None and now >= self.presence_due:
            held, self._held = self._held, {}
            self.presence_due = None
            self._presence_at = now
            effects.append(Presence(wire.awareness(encode(list(held.values())))))
        gone = self.awareness.expire(now)
        if gone:
            effects.append(Presence(wire.awareness(encode(gone))))
        return effects

    def _left(self, session: Session, now: float) -> list[Effect]:
        """Forget a session; those who stay see its cursors go."""
        session.left = True
        self.sessions.pop(session, None)
        gone = self.awareness.leave(session, now)
        if not gone:
            return []
        for entry in gone:
            self._held.pop(entry.client, None)
        return [Presence(wire.awareness(encode(gone)))]

    # -- slow readers ----------------------------------------------------------------

    def _fell_behind(self, session: Session) -> list[Effect]:
        if session.behind is None:
            session.behind = self._vector_before
        return []

    def _drained(self, session: Session) -> list[Effect]:
        """One difference stands for all that was not queued; readers at one vector share it."""
        vector, session.behind = session.behind, None
        if vector is None or session.left or self.phase is not Phase.LIVE:
            return []
        self._vector_before = self.document.state_vector()
        # Same bytes as the cached step 2 but for the message's second byte.
        step2 = self.step2(vector)
        effects: list[Effect] = [Send(session, b"\x00\x02" + step2[2:])]
        self._tell_states(session, effects)
        return effects

    # -- the store -------------------------------------------------------------------

    def _stored(self, batch: int) -> list[Effect]:
        assert batch <= self._appended, "the store confirmed what was never appended"
        for number in range(self._committed + 1, batch + 1):
            self._in_flight.pop(number, None)
        self._committed = max(self._committed, batch)
        acks = self._acks
        ready: list[tuple[Session, bool, bytes]] = []
        while acks and acks[0][0] <= self._committed:
            ready += acks.popleft()[1]
        return [Acknowledge(ready)] if ready else []

    def _fenced(self, batch: int, reason: str) -> list[Effect]:
        """Deleted or rebuilt under us: what is in flight is refused and the room ends."""
        self.phase = Phase.OVER
        refused = [(s, False, body) for _, items in self._acks for s, _, body in items]
        self._acks.clear()
        self._in_flight.clear()
        effects: list[Effect] = [Acknowledge(refused)] if refused else []
        sessions = list(self.sessions)
        self.sessions.clear()
        return [*effects, CloseAll(reason, sessions)]

    def _loaded(self, rows: Sequence[bytes], retired: frozenset[int], now: float) -> list[Effect]:
        """Build the document from the log and what is still on its way there; then catch up."""
        assert self.phase is Phase.LOADING
        flying = [update for batch in self._in_flight.values() for _, update in batch]
        self.document = Document.rebuild([*rows, *flying], client_id=self._client_id)
        self.bytes_in = sum(map(len, rows)) + sum(map(len, flying))
        self._retired = retired
        self._diffs.clear()
        self.phase = Phase.LIVE
        waiting, self._waiting = self._waiting, []
        return self._turn(waiting, now) if waiting else []

    def _remote(self, rows: Sequence[bytes], now: float) -> list[Effect]:
        """Rows of another node: applied and shown, never appended again."""
        if self.phase is not Phase.LIVE:
            return []
        turn = _Turn()
        self._vector_before = self.document.state_vector()
        try:
            errors = self.document.apply_turn(rows)
        except DocumentBroken:
            return self._reload([])
        self._diffs.clear()
        shared: list[tuple[Session | None, bytes]] = []
        for row, error in zip(rows, errors, strict=True):
            if error is None:
                shared.append((None, wire.update(row)))
                self.bytes_in += len(row)
        if shared:
            turn.effects.append(Broadcast(shared, None))
        return self._finish(turn, now)

    def _broke(
        self, run: list[Item], rest: list[Item], turn: _Turn, broken: DocumentBroken, now: float
    ) -> list[Effect]:
        """pycrdt panicked: keep the culprit out, rebuild from the log, hold what comes after it.

        `run` is what is left of a run of update frames, `rest` the inbox from the item on
        that was being handled.
        """
        suspects = run or rest[:1]
        guilty = self._applying or suspects
        if broken.culprit is not None and broken.culprit < len(guilty):
            guilty = guilty[broken.culprit :][:1]
        held = [i for i in suspects if not any(i is g for g in guilty)] + (
            rest if run else rest[1:]
        )
        for item in guilty:
            turn.acks.append((item[0], False, item[3]))
            if isinstance(item[2], bytes):
                turn.effects.append(Quarantine(item[0], item[2], broken.cause))
            turn.effects.append(Refuse(item[0], "malformed"))
        return [*self._finish(turn, now), *self._reload(held)]

    def _reload(self, held: list[Item]) -> list[Effect]:
        self.phase = Phase.LOADING
        self._waiting = held + self._waiting
        self._diffs.clear()
        return [Reload()]
