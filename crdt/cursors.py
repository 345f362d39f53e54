"""A room's awareness: who says what, and when it is shown.

In a room where many move their cursors, what changed is gathered for a tick and shown in one
message: presence is worth 30 ms, and a message per cursor and reader is what makes rooms of
hundreds expensive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TypeAlias

from crdt import wire
from crdt.awareness import Awareness, Entry, decode, encode
from crdt.bounds import Bounds
from crdt.claims import Claim, SharedAwareness
from crdt.effects import Session

NewAwareness: TypeAlias = Callable[[], Awareness]
"""Makes the states of a room that has none yet."""


class Cursors:
    """The awareness of one room and what of it waits to be shown."""

    __slots__ = ("_awareness", "_bounds", "_held", "_make", "_shown_at", "due", "news")

    def __init__(self, make: NewAwareness, bounds: Bounds) -> None:
        self._make = make
        self._awareness: Awareness | None = None
        """Made when somebody shows a state: its tables take 270 bytes, and in many rooms nobody
        ever does."""
        self._bounds = bounds
        self._held: dict[int, Entry] | None = None
        self._shown_at = float("-inf")
        self.due: float | None = None
        """When what is held must be shown."""
        self.news: dict[int, Claim] | None = None
        """What other nodes are to be told, by client; see `take_news`."""

    def _made(self) -> Awareness:
        if self._awareness is None:
            self._awareness = self._make()
        return self._awareness

    @property
    def is_idle(self) -> bool:
        """Time alone changes nothing here."""
        return self.due is None and (self._awareness is None or self._awareness.is_empty)

    @property
    def shared(self) -> SharedAwareness | None:
        """The states, where other nodes may have some of the sessions; None if there are none."""
        known = self._awareness
        return known if isinstance(known, SharedAwareness) else None

    def hear(self, session: Session, payload: bytes, now: float) -> list[Entry]:
        """What of a session's awareness message all must be told. Raises WireError."""
        entries = decode(payload, self._bounds)
        told = self._made().update(session, session.account, entries, now)
        self._note(told)
        return told

    def hear_elsewhere(self, claims: Iterable[Claim], now: float, readers: int) -> bytes | None:
        """What another node says; the message to send now, if there is one."""
        shared = self._made()
        assert isinstance(shared, SharedAwareness)
        told = shared.hear(claims, now)
        return self.show({entry.client: entry for entry in told}, now, readers) if told else None

    def lose(self, node: bytes, now: float, *, unheard_since: float = math.inf) -> bytes | None:
        """A node is gone, or did not say again who is there: cursors go with their sessions."""
        shared = self.shared
        return (
            None
            if shared is None
            else self._gone(shared.lose(node, now, unheard_since=unheard_since))
        )

    def _note(self, entries: list[Entry]) -> None:
        if entries and (shared := self.shared) is not None:
            news = self.news or {}
            news.update({claim.client: claim for claim in shared.claims(entries)})
            self.news = news

    def take_news(self) -> dict[int, Claim]:
        """What other nodes are to be told now, by client; they were told the rest."""
        news, self.news = self.news, None
        return news or {}

    def show(self, entries: dict[int, Entry], now: float, readers: int) -> bytes | None:
        """The message to send now; None while it is gathered (see `due`)."""
        if readers >= self._bounds.presence_tick_from:
            wait = self._shown_at + self._bounds.presence_tick_s - now
            if self._held or wait > 0:
                held = self._held or {}
                held.update(entries)
                self._held = held
                if self.due is None:
                    self.due = now + max(wait, 0.0)
                return None
        self._shown_at = now
        return _message(entries.values())

    def tick(self, now: float) -> list[bytes]:
        """Time passed: what was gathered, and the end of those who were silent too long."""
        bodies = []
        if self.due is not None and now >= self.due:
            held, self._held = self._held, None
            self.due = None
            if held:  # Else those who moved have left meanwhile.
                self._shown_at = now
                bodies.append(_message(held.values()))
        gone = [] if self._awareness is None else self._awareness.expire(now)
        if gone:
            self._note(gone)
            bodies.append(_message(gone))
        return bodies

    def leave(self, session: Session, now: float) -> bytes | None:
        """A session is gone: its cursors go with it, at once."""
        if self._awareness is None:
            return None
        gone = self._awareness.leave(session, now)
        self._note(gone)
        return self._gone(gone)

    def _gone(self, gone: list[Entry]) -> bytes | None:
        if self._held:
            for entry in gone:
                self._held.pop(entry.client, None)
        return _message(gone) if gone else None

    def entries(self) -> list[Entry]:
        """Everybody's state."""
        return [] if self._awareness is None else self._awareness.states()

    def states(self) -> bytes | None:
        """Everybody's state, for one who joins; None if there is none."""
        states = self.entries()
        return _message(states) if states else None


def _message(entries: Iterable[Entry]) -> bytes:
    return wire.awareness(encode(list(entries)))
