"""One turn of a room: what arrived in it is judged, applied, and turned into effects.

A turn becomes at most one append and one acknowledgement, however much it brought. Nothing is
added to it before all that can panic is done, so that a document that breaks half way leaves a turn
that is true as far as it got.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from crdt import wire
from crdt.effects import Broadcast, Effect, Refuse, Send, Session
from crdt.errors import DocumentBroken, UpdateError
from crdt.events import CHECKED, PUSH, Item
from crdt.intake import KNOWN

if TYPE_CHECKING:
    from crdt.awareness import Entry
    from crdt.ledger import Answers, Rows
    from crdt.room import Room

EMPTY_UPDATE = b"\x00\x00"

Shared = list[tuple[Session | None, bytes]]


class Turn:
    """What one turn has gathered so far."""

    __slots__ = ("acks", "applying", "effects", "presence", "room", "rows")

    def __init__(self, room: Room) -> None:
        self.room = room
        self.rows: Rows = []
        self.acks: Answers = []
        self.presence: dict[int, Entry] = {}
        self.effects: list[Effect] = []
        self.applying: list[Item] = []
        """What is given to the document at this moment: the suspects if it breaks."""

    # -- update frames -----------------------------------------------------------------

    def apply(self, items: list[Item]) -> None:
        """Apply a run of update frames and empty the list of them.

        With rows pending, what a turn brings is no longer what its frames hold: each update then
        goes alone, so that its author is known (`_with_healed`).
        """
        if self.room.document.has_pending:
            while items:
                self._apply_run(items[:1])
                del items[0]
        else:
            self._apply_run(items)
            items.clear()

    def _apply_run(self, items: list[Item]) -> None:
        """Check, apply in one transaction, then store and share: the hot path."""
        room = self.room
        document, intake = room.document, room.intake
        had_pending = document.has_pending
        verdicts: list[str | None] | None = None
        good = items
        if not intake.all_good(items, document):
            verdicts = [intake.verdict(item, document) for item in items]
            good = [item for item, why in zip(items, verdicts, strict=True) if why is None]
        self.applying = good
        errors = document.apply_turn([item[2] for item in good]) if good else []
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
            self._share(shared, had_pending=had_pending)

    def _accepted(
        self,
        items: list[Item],
        verdicts: list[str | None] | None,
        errors: Sequence[UpdateError | None],
    ) -> list[Item]:
        """Answer each in order; give back what was applied."""
        left = iter(errors)
        applied: list[Item] = []
        for place, item in enumerate(items):
            verdict = None if verdicts is None else verdicts[place]
            if verdict is None:
                error = next(left)
                if error is None:
                    applied.append(item)
                else:
                    verdict = error.reason
            if verdict in (None, KNOWN):
                self.acks.append((item[0], True, item[3]))
            else:
                self.refuse(item, str(verdict))
        return applied

    def refuse(self, item: Item, reason: str) -> None:
        """Answer one message with no."""
        self.acks.append((item[0], False, item[3]))
        self.effects.append(Refuse(item[0], reason))

    def _share(self, shared: Shared, *, had_pending: bool) -> None:
        document = self.room.document
        if document.has_pending:
            self._ask(shared)
        if had_pending:
            shared = self._with_healed(shared)
        merged = None
        if len(shared) > self.room.bounds.merge_from and not document.has_pending:
            merged = wire.update(document.turn_update)
        self.effects.append(Broadcast(shared, merged))

    def _with_healed(self, shared: Shared) -> Shared:
        """The bodies of a turn in a room with pending rows: what came, and what became whole.

        A peer that joined later was given the pending rows with its first sync, yet other CRDT
        implementations than Yjs do not retry them: send what integrated.
        """
        healed = self.room.document.turn_update
        if healed and healed != EMPTY_UPDATE:
            return [*shared, (shared[0][0], wire.update(healed))]
        return shared

    def _ask(self, shared: Shared) -> None:
        """A predecessor is missing: ask those who wrote in this turn for all they have."""
        room = self.room
        body = wire.step1(room.document.state_vector())
        for session in dict.fromkeys(author for author, _ in shared if author is not None):
            asked = session.asked or []
            here = session in room.sessions and session.behind is None
            if here and len(asked) < room.bounds.asks_max:
                session.asked = [*asked, False]
                self.effects.append(Send(session, body))

    # -- step 2, pushes, edits ---------------------------------------------------------

    def observed(self, item: Item) -> None:
        """A step 2 or a push: a transaction of its own, so that an echo is not stored as news."""
        session, kind, update, body = item
        counted = True
        if session.asked and kind & ~CHECKED != PUSH:
            counted = session.asked.pop(0)
        document = self.room.document
        self.applying = [item]
        reason = KNOWN
        if update != EMPTY_UPDATE:
            reason = self.room.intake.verdict(item, document) or self._take(session, update)
        if reason != KNOWN:
            self.effects.append(Refuse(session, reason))
        if counted:
            self.acks.append((session, reason == KNOWN, body))

    def _take(self, session: Session, update: bytes) -> str:
        """Apply, store and share what is new; KNOWN, also when it was, or why it is refused."""
        document = self.room.document
        had_pending = document.has_pending
        try:
            news = document.apply_observed(update)
        except UpdateError as error:
            return error.reason
        waits = not document.integrated(update, document.state_vector())
        if news is None and not waits:
            return KNOWN
        self.rows.append((session, update))
        self.room.intake.remember(update)
        self.room.syncs.changed()
        shared: Shared = [] if news is None else [(session, wire.update(news))]
        if (waits or had_pending) and news != update:
            shared.append((session, wire.update(update)))
        if waits:
            self._ask(shared)
        self.effects.append(Broadcast(shared, None))
        return KNOWN

    def edit(self, session: Session, change: Callable[[Any], None]) -> None:
        """A change made by this server, as an adapter makes it."""
        self.applying = []
        try:
            made = self.room.document.edit(change)
        except Exception as error:
            # pycrdt cannot roll back what the change wrote before it failed: build anew.
            raise DocumentBroken(None, f"edit: {error}") from error
        if made is not None:
            self.rows.append((session, made))
            self.room.intake.remember(made)
            self.room.syncs.changed()
            self.effects.append(Broadcast([(session, wire.update(made))], None))
        self.acks.append((session, True, made or b""))
