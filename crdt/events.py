"""What can happen to a room: the values that `Room.handle` takes.

What sessions send travels as an inbox of plain tuples and not as one event per
frame: an object per frame costs more than applying the update it carries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from crdt import wire
from crdt.effects import Session

JOIN = 1000
"""Inbox kind: the session became a member (payload unused)."""
PUSH = 1001
"""Inbox kind: an update of a caller that is no member (REST); observed like a step 2."""
EDIT = 1002
"""Inbox kind: a change made by this server; the payload is a function of the pycrdt document."""
REFUSED = 1003
"""Inbox kind of the room's own: what broke the document is answered in its turn; the payload says
whether it is to be answered at all."""
CHECKED = 2048
"""Added to an inbox kind whose update was already checked in a helper process."""

Item = tuple[Session, int, Any, bytes]
"""One thing a session sent: session, kind (`wire.UPDATE`, … or one of the above),
payload, and the message body as it came (reused unchanged when it is shared)."""


class Loaded(msgspec.Struct, frozen=True):
    """The stored state arrived: snapshot first, then the log's rows in order."""

    rows: Sequence[bytes]
    retired: frozenset[int] = frozenset()
    """Client ids found only in lineages that were retired: they must reset, not sync."""
    vector: bytes | None = None
    """The state vector of the snapshot, if that is proved and whole: then it need not be read."""


class TurnEnded(msgspec.Struct, frozen=True):
    """One turn of the event loop is over; this is all that came for the room in it."""

    inbox: list[Item]


class Stored(msgspec.Struct, frozen=True):
    """Batch `batch` and all before it are committed."""

    batch: int


class Fenced(msgspec.Struct, frozen=True):
    """The store refused batch `batch` for good: the document was deleted or rebuilt."""

    batch: int
    reason: str


class Remote(msgspec.Struct, frozen=True):
    """Rows that another node committed, in sequence order."""

    rows: Sequence[bytes]


class Left(msgspec.Struct, frozen=True):
    """A session's connection is gone, or it detached."""

    session: Session


class FellBehind(msgspec.Struct, frozen=True):
    """A session's outbox is full: this turn's frames were not queued for it."""

    session: Session


class Drained(msgspec.Struct, frozen=True):
    """A session that fell behind can take frames again."""

    session: Session


class Ticked(msgspec.Struct, frozen=True):
    """Time passed: expire awareness states."""


Event = Loaded | TurnEnded | Stored | Fenced | Remote | Left | FellBehind | Drained | Ticked

Change = Callable[[Any], None]

UPDATE = wire.UPDATE
