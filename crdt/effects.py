"""What a room asks for in return: the values that `Room.handle` answers with.

The shell performs them in order. Effects are coarse: one `Broadcast` stands for
every recipient, because an object per recipient costs more than the write itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crdt.session import Session

__all__ = [
    "Acknowledge",
    "Append",
    "Broadcast",
    "CloseAll",
    "Effect",
    "Presence",
    "Quarantine",
    "Refuse",
    "Reload",
    "Send",
    "Session",
]


class Append(msgspec.Struct, frozen=True):
    """Store these updates; answer with `Stored(batch)` or `Fenced(batch)`."""

    batch: int
    rows: list[tuple[Session | None, bytes]]


class Broadcast(msgspec.Struct, frozen=True):
    """Send to every member that is not behind; nobody gets what it sent itself."""

    bodies: list[tuple[Session | None, bytes]]
    """(author, message body) in order."""
    merged: bytes | None
    """One body that stands for all of them, for members who sent none of them."""


class Presence(msgspec.Struct, frozen=True):
    """Send this awareness message to every member that is not behind, authors included."""

    body: bytes


class Send(msgspec.Struct, frozen=True):
    """Send one message body to one session."""

    session: Session
    body: bytes


class Acknowledge(msgspec.Struct, frozen=True):
    """These messages are now durable (or refused): tell their authors, in order.

    Each item: session, whether it was accepted, the message body as it came
    (a Y-Sweet version frame too: the shell answers each dialect in its own way).
    """

    items: list[tuple[Session, bool, bytes]]


class Refuse(msgspec.Struct, frozen=True):
    """A session did what it may not; `reason` is a short stable word."""

    session: Session
    reason: str


class Quarantine(msgspec.Struct, frozen=True):
    """Keep this update, which broke the document, away from it and on record."""

    session: Session | None
    update: bytes
    reason: str


class Reload(msgspec.Struct, frozen=True):
    """The document broke: read the log again and answer with `Loaded`."""


class CloseAll(msgspec.Struct, frozen=True):
    """These sessions must leave with `reason`: all of them where the room is over."""

    reason: str
    sessions: Sequence[Session]


Effect = (
    Append | Broadcast | Presence | Send | Acknowledge | Refuse | Quarantine | Reload | CloseAll
)
