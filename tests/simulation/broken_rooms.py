"""Rooms that each break one promise, to show that the simulator would find it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crdt.effects import Acknowledge, Append, Broadcast, Effect, Presence, Send, Session
from crdt.events import Event, Item, Left, Stored
from crdt.ledger import Answers
from crdt.room import Room


class AcknowledgesEarly(Room):
    """Acknowledges what is on its way to the store."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ledger.answer = lambda answers: answers  # type: ignore[method-assign]


class AcknowledgesNoOpsEarly(Room):
    """Acknowledges at once what brings nothing new, though what it repeats is not stored yet."""

    def _turn(self, inbox: list[Item], now: float) -> list[Effect]:
        effects = super()._turn(inbox, now)
        answers = self.ledger._answers
        if answers and not any(isinstance(effect, Append) for effect in effects):
            return [*effects, Acknowledge(answers.pop()[1])]
        return effects


class AnswersTwice(Room):
    """Acknowledges once more."""

    def stored(self, batch: int) -> Answers:
        """Twice."""
        ready = super().stored(batch)
        return ready + ready[-1:]


class NeverAsks(Room):
    """Leaves it to chance whether a missing predecessor comes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.syncs.ask = lambda *_: None  # type: ignore[method-assign]


class ForgetsWhatWaits(Room):
    """Stores only what integrated."""

    def _turn(self, inbox: list[Item], now: float) -> list[Effect]:
        effects = super()._turn(inbox, now)
        if not self.is_live:
            return effects
        waits = self.document.pending()
        for effect in effects:
            if isinstance(effect, Append):
                effect.rows[1:] = [row for row in effect.rows[1:] if row[1] not in waits]
        return effects


class NeverCatchesUp(Room):
    """Goes on with a slow reader as if it had received everything."""

    def _rarely(self, event: Event, now: float) -> list[Effect]:
        return [effect for effect in super()._rarely(event, now) if not isinstance(effect, Send)]


class ForgetsInFlight(Room):
    """Rebuilds a broken document of what is stored only."""

    def _loaded(self, rows: Sequence[bytes], retired: frozenset[int], now: float) -> list[Effect]:
        flying, self.ledger.in_flight = self.ledger.in_flight, {}
        effects = super()._loaded(rows, retired, now)
        self.ledger.in_flight = flying | self.ledger.in_flight
        return effects


class ForgetsWhatWasStoredMeanwhile(Room):
    """Takes what was read of the log for all of it."""

    def _loaded(self, rows: Sequence[bytes], retired: frozenset[int], now: float) -> list[Effect]:
        self.ledger.missed = []
        return super()._loaded(rows, retired, now)


class LosesBroadcasts(Room):
    """Shows of a long turn only the first half."""

    def _turn(self, inbox: list[Item], now: float) -> list[Effect]:
        return [
            Broadcast(effect.bodies[: max(1, len(effect.bodies) // 2)], None)
            if isinstance(effect, Broadcast)
            else effect
            for effect in super()._turn(inbox, now)
        ]


class LeavesGhosts(Room):
    """Does not say that a cursor is gone."""

    def _rarely(self, event: Event, now: float) -> list[Effect]:
        effects = super()._rarely(event, now)
        if isinstance(event, Left):
            return [effect for effect in effects if not isinstance(effect, Presence)]
        return effects


class TakesAnything(Room):
    """Lets readers write."""

    def _join(self, session: Session, turn: Any) -> None:
        session.can_write = True
        super()._join(session, turn)


class StoresTheNewsOnly(Room):
    """Takes the first of two batches for both."""

    def _rarely(self, event: Event, now: float) -> list[Effect]:
        if isinstance(event, Stored):
            event = Stored(min(event.batch + 1, self.ledger.appended))
        return super()._rarely(event, now)


ALL = (
    AcknowledgesEarly,
    AcknowledgesNoOpsEarly,
    AnswersTwice,
    NeverAsks,
    ForgetsWhatWaits,
    NeverCatchesUp,
    ForgetsInFlight,
    ForgetsWhatWasStoredMeanwhile,
    LosesBroadcasts,
    LeavesGhosts,
    TakesAnything,
    StoresTheNewsOnly,
)
