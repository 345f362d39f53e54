"""First syncs and differences of one room: encoded once, shared, and sent when they may be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from crdt import structure, wire
from crdt.effects import CloseAll, Effect, Quarantine, Refuse, Send, Session
from crdt.errors import DocumentBroken, UpdateError

if TYPE_CHECKING:
    from crdt.room import Room
    from crdt.turn import Turn


class Syncs:
    """Answers step 1, greets those who join, and brings up those who fell behind."""

    __slots__ = ("_broke", "_diffs", "_drained_early", "_room", "retired", "unsettled")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._diffs: dict[bytes, bytes] | None = None
        self.retired: frozenset[int] = structure.NOBODY
        """Client ids of retired lineages: whoever names one must reset, not sync."""
        self.unsettled = False
        """Something waits for predecessors, and some may have come since it was tried."""
        self._drained_early: dict[Session, None] | None = None
        self._broke: dict[Session, int] | None = None
        """How often the document broke over what a session was to be sent."""

    def step2(self, state_vector: bytes) -> bytes:
        """The step 2 message for a peer at `state_vector`; cached until the document changes.

        Raises UpdateError if the bytes are not a state vector.
        """
        assert self._room.is_live
        diffs = self._diffs
        body = None if diffs is None else diffs.get(state_vector)
        if body is None:
            body = wire.step2(self._room.document.diff(state_vector))
            if diffs is None or len(diffs) >= self._room.bounds.diff_cache_max:
                diffs = self._diffs = {}
            diffs[state_vector] = body
        return body

    def changed(self) -> None:
        """The document is not what its cached encodings say any more."""
        self._diffs = None

    def welcome(self, session: Session, turn: Turn) -> None:
        """Begin with a new member: ours is the first step where its protocol wants that."""
        if session.greets:
            self.greet(session, turn)
        if turn.rows:  # They are shared at the end of the turn, and may be its own from before.
            self.hold(session)
        self.tell_states(session, turn.effects)

    def greet(self, session: Session, turn: Turn) -> None:
        """Send our step 1; the step 2 that answers it is acknowledged."""
        asked = session.asked or []
        if len(asked) >= self._room.bounds.asks_max:
            turn.effects.append(Refuse(session, "too-many-asks"))
            return
        question = wire.step1(self._room.document.state_vector())
        session.asked = [*asked, True]
        turn.effects.append(Send(session, question))

    def step1(self, session: Session, vector: bytes, turn: Turn) -> None:
        """Answer a peer's step 1, now or after the commit that it has to wait for."""
        if turn.rows:
            self._diffs = None
        try:
            if self.retired and structure.vector_clients(vector) & self.retired:
                turn.effects.append(Refuse(session, "lineage"))
                return
            answer = self.step2(vector)
        except UpdateError as error:
            turn.effects.append(Refuse(session, f"vector-{error.reason}"))
            return
        if not session.greets:
            # Hocuspocus: the server's own step 1 comes with the answer; its reply is counted.
            self.greet(session, turn)
        elif turn.rows or not self._room.ledger.settled:
            # A y-websocket author takes its own content in a step 2 for stored, so one that comes
            # back with unconfirmed edits must not be shown them before they are. Until then it
            # counts as behind: what others write meanwhile is part of that step 2.
            session.behind = vector
            self._room.ledger.owe(session, vector, next_batch=bool(turn.rows))
            return
        turn.effects.append(Send(session, answer))

    def owed(self) -> list[Effect]:
        """The first syncs and differences that had to wait for a commit which is there now."""
        effects: list[Effect] = []
        ledger = self._room.ledger
        try:
            while self._room.is_live and (due := ledger.due()):
                session, vector = due
                if not session.left:
                    self._pay(session, vector, effects)
                ledger.paid(session)
        except DocumentBroken:
            effects += self._room.reload([])
        return effects

    def _pay(self, session: Session, vector: bytes | None, effects: list[Effect]) -> None:
        """Send a session what it is owed: a first sync from `vector`, or a difference (None).

        Where that breaks the document it is tried once more after the rebuild; a session over which
        it breaks again must come anew.
        """
        known = self._broke
        if known is None:
            known = self._broke = {}
        broke = known.pop(session, 0)
        if broke > 1:
            effects.append(CloseAll("internal", [session]))
            return
        known[session] = broke + 1
        if vector is None:
            self._bring_up(session, effects)
        else:
            effects.append(Send(session, self.step2(vector)))
            session.behind = None
        del known[session]
        self._broke = known or None

    def tell_states(self, session: Session, effects: list[Effect]) -> None:
        """Show a session who is here."""
        body = self._room.cursors.states()
        if body is not None:
            effects.append(Send(session, body))

    def hold_back(self, author: Session) -> None:
        """Show a step 2's news to y-websocket peers only after its commit.

        A step 2 brings all that its sender has, and that may be what another one wrote before a
        crash and what never was stored. Its true author would take it for the confirmation. The
        sender may be gone by now; what it brought is here.
        """
        for session in self._room.sessions:
            if session is not author:
                self.hold(session)

    def hold(self, session: Session) -> None:
        """Show a y-websocket session what this turn brings only after its commit."""
        if session.greets:
            if session.behind is None:
                session.behind = self._room.vector_before
            self._room.ledger.owe(session, None, next_batch=True)

    def drained(self, session: Session, effects: list[Effect], *, next_batch: bool = False) -> None:
        """A session that fell behind can take frames again.

        `next_batch`: there are rows that a batch of this turn will take.
        """
        if session.behind is None or session.left:
            return
        early = self._drained_early
        if early is None:
            early = self._drained_early = {}
        early[session] = None  # Its difference may break the document: see `resume`.
        if not self._room.is_live:
            return
        if session.greets and (next_batch or not self._room.ledger.settled):
            self._room.ledger.owe(session, None, next_batch=next_batch)  # as in `step1`
        else:
            self._pay(session, None, effects)
        self._not_early(session)

    def _not_early(self, session: Session) -> None:
        if self._drained_early is not None:
            self._drained_early.pop(session, None)
            self._drained_early = self._drained_early or None

    def _bring_up(self, session: Session, effects: list[Effect]) -> None:
        """One difference stands for all that was not queued; readers at one vector share it."""
        vector = session.behind
        if vector is None:
            return
        # Same bytes as the cached step 2 but for the message's second byte.
        difference = Send(session, b"\x00\x02" + self.step2(vector)[2:])
        state = self._room.document.state_vector()
        effects.append(difference)
        session.behind = None
        self.tell_states(session, effects)
        if self._room.document.has_pending:
            self._ask(session, wire.step1(state), effects)  # Whoever is behind is not asked.

    def bring_all_up(
        self, vector: bytes, effects: list[Effect], *, next_batch: bool = False
    ) -> None:
        """Something reached the document by another way than a broadcast: give it to everybody.

        `vector` is what all who are not behind were given before.
        """
        for session in self._room.sessions:
            if session.behind is None:
                session.behind = vector
                self.drained(session, effects, next_batch=next_batch)

    def resume(self, vector: bytes, effects: list[Effect]) -> None:
        """The document was rebuilt: it may hold more now than was shown at `vector`."""
        self.bring_all_up(vector, effects)
        for session in list(self._drained_early or ()):
            self._not_early(session)
            self.drained(session, effects)

    def settle(self, effects: list[Effect]) -> None:
        """Try what waits as often as it takes; turns do only a bounded part of it."""
        if not (self.unsettled and self._room.is_live):
            return
        self.unsettled = False
        before = self._room.document.state_vector()
        news = self._room.document.settle()
        self.name_poison(effects)
        if news is not None:
            self._diffs = None
            self.bring_all_up(before, effects)

    def name_poison(self, effects: list[Effect]) -> None:
        """Keep on record what waited and then turned out impossible; no encoding has it any more.

        Its row stays in the log until the next compaction, and every load leaves it out.
        """
        for update in self._room.document.take_poison():
            effects.append(Quarantine(None, update, "impossible"))  # noqa: PERF401

    def ask(self, authors: Iterable[Session | None], effects: list[Effect]) -> None:
        """A predecessor is missing: ask those whose updates wait for all they have."""
        body = wire.step1(self._room.document.state_vector())
        for session in dict.fromkeys(authors):
            if session is not None:
                self._ask(session, body, effects)

    def _ask(self, session: Session, body: bytes, effects: list[Effect]) -> None:
        if session not in self._room.sessions or session.behind is not None:
            return
        asked = session.asked or []
        if len(asked) < self._room.bounds.asks_max:
            session.asked = [*asked, False]
            effects.append(Send(session, body))
