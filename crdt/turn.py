"""One turn of a room: what arrived in it is judged, applied, and turned into effects.

A turn becomes at most one append and one acknowledgement, however much it brought. Nothing is
added to it before all that can panic is done, so that a document that breaks half way leaves a turn
that is true as far as it got.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crdt import wire
from crdt.effects import Acknowledge, Broadcast, CloseAll, Effect, Refuse, Session
from crdt.errors import DocumentBroken, UpdateError, WireError
from crdt.events import CHECKED, EDIT, PUSH, REFUSED, Item
from crdt.intake import KNOWN
from crdt.layout import OUT_OF_ORDER

if TYPE_CHECKING:
    from crdt.awareness import Entry
    from crdt.ledger import Answers, Rows
    from crdt.room import Room

EMPTY_UPDATE = b"\x00\x00"
_ANSWERED = (wire.UPDATE, wire.STEP2, wire.VERSION, PUSH, EDIT, REFUSED)

Shared = list[tuple[Session | None, bytes]]


class Turn:
    """What one turn has gathered so far."""

    __slots__ = (
        "_asked",
        "acks",
        "applying",
        "counted",
        "effects",
        "presence",
        "room",
        "rows",
        "spoiled",
    )

    def __init__(self, room: Room) -> None:
        self.room = room
        self.rows: Rows = []
        self.acks: Answers = []
        self.presence: dict[int, Entry] = {}
        self.effects: list[Effect] = []
        self.applying: list[Item] = []
        """What is given to the document at this moment: the suspects if it breaks."""
        self.counted = True
        """Whether the step 2 that is being handled is to be answered."""
        self.spoiled = False
        """The document broke when all that had been applied was noted already."""
        self._asked: set[tuple[Session, int]] = set()

    def is_first(self, session: Session, kind: int) -> bool:
        """Whether a session asks this for the first time in this turn: one answer does for all.

        A question has four bytes and an answer the whole document; a segment full of questions
        would otherwise be answered with gigabytes before the outbox can say that it is full.
        """
        question = (session, kind)
        if question in self._asked:
            return False
        self._asked.add(question)
        return True

    def hear(self, session: Session, payload: bytes, now: float) -> None:
        """An awareness message: what it changes is shown when the turn ends."""
        try:
            for entry in self.room.cursors.hear(session, payload, now):
                self.presence[entry.client] = entry
        except WireError as error:
            self.effects.append(Refuse(session, error.reason))

    # -- update frames -----------------------------------------------------------------

    def apply(self, items: list[Item]) -> None:
        """Apply a run of update frames and empty the list of them.

        With rows pending, what a turn brings is no longer what its frames hold: each update then
        goes alone, so that it is known who has to be asked. So it does where each is tried first.
        """
        breakage = self.room.breakage
        room = self.room
        if room.document.has_pending or breakage.alone or room.intake.trial is not None:
            while items and not self.spoiled:
                self._apply_run(items[:1])
                del items[0]
                breakage.alone = max(breakage.alone - 1, 0)
        else:
            self._apply_run(items)
            items.clear()

    def _apply_run(self, items: list[Item]) -> None:
        """Check, apply in one transaction, then store and share: the hot path."""
        room = self.room
        document, intake = room.document, room.intake
        document.wake()  # If it breaks by that, nobody here is to blame.
        waited = document.pending() if document.has_pending else []
        verdicts: list[str | None] | None = None
        good = items
        if not intake.all_good(items, document):
            verdicts = intake.verdicts(items, document)
            good = [item for item, why in zip(items, verdicts, strict=True) if why is None]
        self.applying = good
        errors = document.apply_turn([item[2] for item in good]) if good else []
        self.applying = []
        if verdicts is None and not any(errors):
            self.acks += [(item[0], True, item[3]) for item in good]
        else:
            good = self._accepted(items, verdicts, errors)
        rows = self.rows
        shared: Shared = []
        for session, _, update, body in good:
            rows.append((session, update))
            shared.append((session, body))
            intake.remember(update)
        if shared:
            self._share(shared, waited)

    def _accepted(
        self,
        items: list[Item],
        verdicts: list[str | None] | None,
        errors: Sequence[UpdateError | None],
    ) -> list[Item]:
        """Answer each in order; give back what was applied."""
        left = iter(errors)
        applied: list[Item] = []
        bad: dict[bytes, str] = {}
        for place, item in enumerate(items):
            verdict = None if verdicts is None else verdicts[place]
            if verdict is None:
                error = next(left)
                if error is None:
                    applied.append(item)
                else:
                    verdict = bad[item[2]] = error.reason
            elif verdict == KNOWN:
                verdict = bad.get(item[2], KNOWN)  # A repeat of what was refused just now.
            if verdict in (None, KNOWN):
                self.acks.append((item[0], True, item[3]))
            else:
                self.refuse(item, str(verdict))
        return applied

    def refuse(self, item: Item, reason: str) -> None:
        """Answer one message with no."""
        item[0].incomplete = True
        self.acks.append((item[0], False, item[3]))
        self.effects.append(Refuse(item[0], reason))
        if reason == OUT_OF_ORDER:
            self.room.syncs.ask([item[0]], self.effects)

    def answer(self, item: Item) -> None:
        """Answer what changes nothing: a version frame, or what broke the document before."""
        session, kind, payload, body = item
        if kind == wire.VERSION:
            self.acks.append((session, not session.incomplete, body))
        elif payload:
            self.acks.append((session, False, body))

    def _share(self, shared: Shared, waited: list[bytes]) -> None:
        document = self.room.document
        if waited or document.has_pending:
            self.look_after(waited, self.rows[-len(shared) :])
        merged = None
        if len(shared) > self.room.bounds.merge_from and not document.has_pending:
            merged = wire.update(document.turn_update)
        self.effects.append(Broadcast(shared, merged))

    def look_after(
        self, waited: list[bytes], rows: Sequence[tuple[Session | None, bytes]] = ()
    ) -> None:
        """Ask for what these rows wait for; where something waits no more, see that all have it.

        Those who were given it as it came may not have kept it: other CRDT implementations than
        Yjs do not always retry what waits.
        """
        room = self.room
        try:
            waits = set(room.document.pending())
            room.syncs.unsettled = bool(waits)
            room.syncs.name_poison(self.effects)
            if rows:
                late = [author for author, update in rows if update in waits]
                room.syncs.ask(late, self.effects)
            if not set(waited) <= waits:
                room.syncs.changed()
                now_in = bool(self.rows)
                room.syncs.bring_all_up(room.vector_before, self.effects, next_batch=now_in)
        except DocumentBroken:
            self.spoiled = (
                True  # Nobody is to blame; whoever lacks something has it by the rebuild.
            )

    # -- step 2, pushes, edits ---------------------------------------------------------

    def observed(self, item: Item) -> None:
        """A step 2 or a push: a transaction of its own, so that an echo is not stored as news.

        A step 2 is answered with what it brought, which is all that its sender has to be told of.
        """
        session, kind, update, body = item
        counted = True
        asked = session.asked
        if asked and kind & ~CHECKED != PUSH:
            counted, session.asked = asked[0], asked[1:] or None
        self.counted = counted
        document = self.room.document
        reason, news = KNOWN, EMPTY_UPDATE
        if update != EMPTY_UPDATE:
            document.wake()
            self.applying = [item]
            verdict = self.room.intake.verdict(item, document)
            reason, news = (verdict, news) if verdict is not None else self._take(item)
        self.applying = []
        if reason != KNOWN:
            session.incomplete = True
            self.effects.append(Refuse(session, reason))
        if counted:
            told = body if kind & ~CHECKED == PUSH else wire.step2(news)
            self.acks.append((session, reason == KNOWN, told))

    def _take(self, item: Item) -> tuple[str, bytes]:
        """Apply, store and share what is new: KNOWN, or why it is refused; and what was new."""
        session, kind, update, _ = item
        document = self.room.document
        waited = document.pending() if document.has_pending else []
        try:
            news = document.apply_observed(update)
        except UpdateError as error:
            return error.reason, EMPTY_UPDATE
        self.applying = []
        if news is None:
            return KNOWN, EMPTY_UPDATE
        self.rows.append((session, update))
        self.room.intake.remember(update)
        self.room.syncs.changed()
        if kind & ~CHECKED != PUSH:  # A push brings nothing of others that is not stored.
            self.room.syncs.hold_back(session)
        self.effects.append(Broadcast([(session, wire.update(news))], None))
        if waited or document.has_pending:
            self.look_after(waited)
        return KNOWN, news

    def edit(self, item: Item) -> None:
        """A change made by this server, as an adapter makes it."""
        session, _, change, _ = item
        self.room.document.wake()
        self.applying = [item]
        try:
            made = self.room.document.edit(change)
        except Exception as error:
            # pycrdt cannot roll back what the change wrote before it failed: build anew.
            raise DocumentBroken(None, f"edit: {error}") from error
        self.applying = []
        if made is not None:
            self.rows.append((session, made))
            self.room.intake.remember(made)
            self.room.syncs.changed()
            self.effects.append(Broadcast([(session, wire.update(made))], None))
        self.acks.append((session, True, made or b""))


def turn_away(inbox: list[Item], reason: str) -> list[Effect]:
    """What came for a room that is over: nothing of it may go unanswered."""
    refused = [item for item in inbox if item[1] & ~CHECKED in _ANSWERED]
    callers = [item[0] for item in refused if item[1] & ~CHECKED in (PUSH, EDIT)]
    effects: list[Effect] = [Refuse(caller, reason) for caller in callers]
    if refused:
        effects.append(Acknowledge([(item[0], False, item[3]) for item in refused]))
    here = dict.fromkeys(item[0] for item in inbox if not item[0].left)
    peers = [session for session in here if session not in callers]
    return [*effects, CloseAll(reason, peers)]
